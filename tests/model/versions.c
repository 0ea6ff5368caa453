// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "hv/model/model.h"
#include "versions.h"

#define VERSIONS 16384

/* A cut at any moment from @begin on may have the value, until the next one is there. */
struct version {
	uint64_t value, begin, there;
	unsigned int before;		/* the version of the word before it; 0: none */
};

static struct {
	uint64_t values;
	unsigned int versions;
	struct version version[VERSIONS];
	unsigned int last[VIEWS][VIEW_PAGES][VIEW_WORDS];
	uint64_t least[VIEWS][VIEW_PAGES][VIEW_WORDS];
} log;

void versions_reset(void)
{
	log.values = 0;
	log.versions = 1;
	memset(log.last, 0, sizeof(log.last));
	memset(log.least, 0, sizeof(log.least));
}

uint64_t versions_new_value(void)
{
	return ++log.values;
}

static struct version *add(unsigned int view, unsigned int page, unsigned int word, uint64_t value)
{
	unsigned int *last = &log.last[view][page][word];

	if (log.versions == VERSIONS)
		model_fail("the oracle is too small");
	log.version[log.versions] = (struct version){
		.value = value, .begin = model_now(), .there = UINT64_MAX, .before = *last,
	};
	*last = log.versions++;
	return &log.version[*last];
}

void versions_written(unsigned int view, unsigned int page, unsigned int word, uint64_t value)
{
	struct version *version = add(view, page, word, value);

	version->there = version->begin;
}

void versions_call_begins(unsigned int view, unsigned int page, unsigned int word, uint64_t value)
{
	add(view, page, word, value);
}

void versions_call_stored(unsigned int view, unsigned int page, unsigned int word)
{
	log.version[log.last[view][page][word]].there = model_now();
}

uint64_t versions_now(unsigned int view, unsigned int page, unsigned int word)
{
	return log.version[log.last[view][page][word]].value;
}

void versions_publish(unsigned int view, unsigned int page, unsigned int word, uint64_t value)
{
	if (log.least[view][page][word] < value)
		log.least[view][page][word] = value;
}

uint64_t versions_least(unsigned int view, unsigned int page, unsigned int word)
{
	return log.least[view][page][word];
}

static bool find(unsigned int view, unsigned int page, unsigned int word, uint64_t value,
		 struct version *found, uint64_t *until)
{
	*until = UINT64_MAX;
	for (unsigned int i = log.last[view][page][word]; i; i = log.version[i].before) {
		*found = log.version[i];
		if (found->value == value)
			return true;
		*until = found->there;
	}
	return false;
}

void versions_check(unsigned int view, unsigned int page, unsigned int word, uint64_t value,
		    uint64_t least)
{
	struct version version;
	uint64_t until;

	if (!find(view, page, word, value, &version, &until))
		model_fail("word %u of page %u shows %#llx in view %u, which it never was", word,
			   page, (unsigned long long)value, view);
	else if (value < least)
		model_fail("word %u of page %u shows %llu in view %u, where %llu was seen before",
			   word, page, (unsigned long long)value, view,
			   (unsigned long long)least);
}

void versions_cut(unsigned int parent, unsigned int child, uint64_t began,
		  const uint64_t value[VIEW_PAGES][VIEW_WORDS])
{
	uint64_t from = began, to = model_now();

	for (unsigned int i = 0; i < VIEW_PAGES * VIEW_WORDS; i++) {
		unsigned int page = i / VIEW_WORDS, word = i % VIEW_WORDS;
		uint64_t this = value[page][word], until;
		struct version version, *first;

		if (!find(parent, page, word, this, &version, &until)) {
			model_fail("word %u of page %u is cut as %#llx, which it never was", word,
				   page, (unsigned long long)this);
			return;
		}
		from = version.begin > from ? version.begin : from;
		to = until < to ? until : to;
		if (from > to)
			model_fail("no one moment: word %u of page %u is cut as %llu", word, page,
				   (unsigned long long)this);
		log.last[child][page][word] = 0;
		first = add(child, page, word, this);
		first->begin = first->there = 0;
		log.least[child][page][word] = this;
	}
}
