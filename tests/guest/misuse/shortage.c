// SPDX-License-Identifier: BSD-2-Clause
/* Too little of something: an error, nothing left of it, and success when there is more. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include <sys/resource.h>
#include <linux/kvm.h>

#include "entries.h"
#include "misuse.h"

#define THREADS	 256	/* that can be inside */
#define VCPUS	 4	/* of a machine of KVM's, if KVM tells of no more */
#define ATTEMPTS 8

/* Of address space. */
static unsigned long count_pages(void)
{
	char text[64] = "";
	int file = open("/proc/self/statm", O_RDONLY);

	check(file >= 0 && read(file, text, sizeof(text) - 1) > 0, "statm");
	close(file);
	return strtoul(text, NULL, 10);
}

/* An older KVM, or a processor that lacks what it needs. */
void no_capability(void)
{
	struct dbos_caps caps;

	if (!on_kvm())
		return;
	refuse_ioctl(KVM_CHECK_EXTENSION, KVM_CAP_XCRS, 0);
	check(dbos_init() == -EOPNOTSUPP, "dbos_init()");
	check_ok(dbos_caps(NULL, &caps));
	check(caps.refused_count == 1 && caps.refused[0].error == -EOPNOTSUPP &&
	      strcmp(caps.refused[0].why, "KVM lacks KVM_CAP_XCRS") == 0, "refused: %s",
	      caps.refused[0].why);
}

static void limit(int resource, rlim_t to)
{
	struct rlimit limit;

	check(getrlimit(resource, &limit) == 0, "getrlimit");
	limit.rlim_cur = to == RLIM_INFINITY ? limit.rlim_max : to;
	check(setrlimit(resource, &limit) == 0, "setrlimit");
}

/* A vCPU that is lost at each attempt would soon be missing. */
static void have_few_vcpus(void)
{
	if (on_kvm())
		refuse_ioctl(KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS, 0);
}

static void enter_at_last(int files)
{
	check_ok(dbos_enter());
	check_ok(dbos_leave());
	/* What the first stay has taken is kept: a descriptor or two of a vCPU of KVM's. */
	check(count_entries("/proc/self/fd") <= files + (on_kvm() ? 2 : 0), "descriptors are left");
}

/* With enough for all that is small. */
static void fail_to_init(void)
{
	limit(RLIMIT_AS, count_pages() * PAGE + (64ul << 20));
	for (int i = 0; i < ATTEMPTS; i++)
		check(dbos_init() == -ENOMEM, "dbos_init()");
	limit(RLIMIT_AS, RLIM_INFINITY);
}

void no_memory(void)
{
	int files = count_entries("/proc/self/fd");
	unsigned long pages;

	have_few_vcpus();
	/* What malloc() keeps for the next time is there after the first times. */
	fail_to_init();
	pages = count_pages();
	fail_to_init();
	check(count_entries("/proc/self/fd") == files, "descriptors are left");
	check(count_pages() == pages, "address space is left");
	check_ok(dbos_init());
	files = count_entries("/proc/self/fd");
	pages = count_pages();
	limit(RLIMIT_AS, pages * PAGE);
	for (int i = 0; i < ATTEMPTS; i++)
		check(dbos_enter() == -ENOMEM, "dbos_enter()");
	limit(RLIMIT_AS, RLIM_INFINITY);
	check(count_pages() == pages, "address space is left");
	enter_at_last(files);
}

static int next_descriptor(void)
{
	int descriptor = dup(0);

	check(descriptor >= 0, "dup");
	close(descriptor);
	return descriptor;
}

static void fail_to_enter(int descriptors, int times)
{
	limit(RLIMIT_NOFILE, descriptors);
	for (int i = 0; i < times; i++)
		check(dbos_enter() == -EMFILE, "dbos_enter(), time %d", i);
	limit(RLIMIT_NOFILE, RLIM_INFINITY);
}

void no_descriptors(void)
{
	int files = count_entries("/proc/self/fd");
	unsigned long pages;
	int spare = next_descriptor();

	have_few_vcpus();
	limit(RLIMIT_NOFILE, spare);
	check(dbos_init() == -EMFILE, "dbos_init()");
	limit(RLIMIT_NOFILE, RLIM_INFINITY);
	check(count_entries("/proc/self/fd") == files, "descriptors are left");
	check_ok(dbos_init());
	files = count_entries("/proc/self/fd");
	spare = next_descriptor();
	fail_to_enter(spare, 1);
	pages = count_pages();
	fail_to_enter(spare, ATTEMPTS);
	check(count_pages() == pages, "address space is left");
	/* One of KVM's vCPUs takes two, so it may fail with half of them. */
	if (on_kvm())
		fail_to_enter(spare + 1, ATTEMPTS);
	enter_at_last(files);
}

static struct {
	pthread_barrier_t inside, end;
} crowd;

static void *be_inside(void *arg)
{
	check_ok(dbos_enter());
	pthread_barrier_wait(&crowd.inside);
	pthread_barrier_wait(&crowd.end);
	check_ok(dbos_leave());
	return arg;
}

void too_many_threads(void)
{
	static pthread_t threads[THREADS];
	int count = on_kvm() ? VCPUS : THREADS;
	pthread_attr_t attributes;

	have_few_vcpus();
	check_ok(dbos_init());
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 16 * PAGE);
	pthread_barrier_init(&crowd.inside, NULL, count + 1);
	pthread_barrier_init(&crowd.end, NULL, count + 1);
	for (int i = 0; i < count; i++)
		check(pthread_create(&threads[i], &attributes, be_inside, NULL) == 0,
		      "pthread_create");
	pthread_barrier_wait(&crowd.inside);
	for (int i = 0; i < 3; i++)
		check(dbos_enter() == -EAGAIN, "dbos_enter()");
	pthread_barrier_wait(&crowd.end);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	check_ok(dbos_enter());
	check_ok(dbos_leave());
}

static void *enter_far(void *result)
{
	*(int *)result = dbos_enter();
	if (*(int *)result == 0)
		check_ok(dbos_leave());
	return NULL;
}

/* A thread with its stack where no window is, and none can be any more. */
void no_window(void)
{
	int result = 0, entered = 0;

	check_ok(dbos_init());
	for (unsigned int i = 0; i < 40 && !result; i++) {
		pthread_attr_t attributes;
		pthread_t thread;

		pthread_attr_init(&attributes);
		check(pthread_attr_setstack(&attributes, map_far(i), 16 * PAGE) == 0, "setstack");
		check(pthread_create(&thread, &attributes, enter_far, &result) == 0,
		      "pthread_create");
		pthread_join(thread, NULL);
		entered += !result;
	}
	check(entered >= 4 && result == -ENOSPC, "%d entered, then %s", entered,
	      strerror(-result));
	check_ok(dbos_enter());
	check_ok(dbos_leave());
}
