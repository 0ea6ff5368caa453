/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of the process's mappings, made by the caller or by a thread that stays outside. */
#ifndef CHANGES_H
#define CHANGES_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "check.h"
#include "partner.h"

/* A thread that stays outside and makes the changes, if they are not to be made by the caller. */
static struct {
	pthread_t thread;
	void (*act)(void);	/* to be done; NULL when it is */
	bool used, end;
} outsider;

static void *run_outsider(void *arg)
{
	void (*act)(void);

	while (!load(outsider.end)) {
		act = load(outsider.act);
		if (act) {
			act();
			store(outsider.act, NULL);
		}
		sched_yield();
	}
	return arg;
}

static struct change {
	enum { MAP, UNMAP, PROTECT, MOVE, DISCARD } what;
	char *at, *to;
	size_t size;
	int protection, flags;
} now;

static void make_change(void)
{
	char *got = now.at;
	int ret = 0;

	switch (now.what) {
	case MAP:
		got = mmap(now.at, now.size, now.protection,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | now.flags, -1, 0);
		break;
	case UNMAP:
		ret = munmap(now.at, now.size);
		break;
	case PROTECT:
		ret = mprotect(now.at, now.size, now.protection);
		break;
	case MOVE:
		got = mremap(now.at, now.size, now.size, MREMAP_MAYMOVE | MREMAP_FIXED, now.to);
		break;
	case DISCARD:
		ret = madvise(now.at, now.size, MADV_DONTNEED);
		break;
	}
	check(got != MAP_FAILED && ret == 0, "change %d at %p: %s", now.what, now.at,
	      strerror(errno));
	now.to = got;
}

static char *change(struct change change)
{
	now = change;
	if (!outsider.used) {
		make_change();
	} else {
		store(outsider.act, make_change);
		while (load(outsider.act))
			sched_yield();
	}
	return now.to;
}

static char *map(char *at, size_t size)
{
	return change((struct change){ MAP, at, .size = size, .flags = at ? MAP_FIXED : 0,
				       .protection = PROT_READ | PROT_WRITE });
}

static void unmap(char *at, size_t size)
{
	change((struct change){ UNMAP, at, .size = size });
}

static void protect(char *at, size_t size, int protection)
{
	change((struct change){ PROTECT, at, .size = size, .protection = protection });
}

static void outsider_begin(void)
{
	check(pthread_create(&outsider.thread, NULL, run_outsider, NULL) == 0, "pthread_create");
}

static void outsider_end(void)
{
	store(outsider.end, true);
	check(pthread_join(outsider.thread, NULL) == 0, "pthread_join");
}

#endif /* CHANGES_H */
