// SPDX-License-Identifier: BSD-2-Clause
#include "words.h"

void word_write(const struct who *who, unsigned int page)
{
	uint64_t value = versions_new_value();

	if (!model_write(view_va(page, who->slot), MODEL_PRESENT, value)) {
		if (!views_scarce())
			model_fail("a write to page %u of view %u faulted", page, who->view);
		return;
	}
	versions_written(who->view, page, who->slot, value);
	if (model_random(2)) {
		machine_fence();
		versions_publish(who->view, page, who->slot, value);
	}
}

void word_read(const struct who *who, unsigned int page)
{
	unsigned int word = model_random(VIEW_WORDS);
	uint64_t least = versions_least(who->view, page, word), value = POISON;

	if (word == who->slot || word == HOST_WORD(who->slot))
		least = versions_now(who->view, page, word);
	if (!model_read(view_va(page, word), 0, &value))
		model_fail("a read of page %u of view %u faulted", page, who->view);
	versions_check(who->view, page, word, value, least);
	/* One's own store may be in one's buffer yet. */
	if (word != who->slot)
		versions_publish(who->view, page, word, value);
}
