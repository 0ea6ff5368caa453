// SPDX-License-Identifier: BSD-2-Clause
/* Snapshots by userfaultfd: another thread is told of each write, and puts the page aside. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "costs.h"

static char *aside;
static size_t aside_count;
static int file;
static pthread_t thread;

static void write_protect(uint64_t start, uint64_t length, uint64_t mode)
{
	struct uffdio_writeprotect protect = { { start, length }, mode };

	check(ioctl(file, UFFDIO_WRITEPROTECT, &protect) == 0, "UFFDIO_WRITEPROTECT");
}

/* Until it is cancelled, which read() allows. */
static void *serve(void *arg)
{
	struct uffd_msg message;
	uint64_t page;

	while (read(file, &message, sizeof(message)) == sizeof(message)) {
		check(message.event == UFFD_EVENT_PAGEFAULT, "event %u", message.event);
		page = message.arg.pagefault.address & ~(PAGE - 1);
		memcpy(aside + PAGE * aside_count++, (char *)page, PAGE);
		write_protect(page, PAGE, 0);
	}
	return arg;
}

static void prepare(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register range = { { (uint64_t)memory, size }, UFFDIO_REGISTER_MODE_WP, 0 };

	file = syscall(SYS_userfaultfd, O_CLOEXEC);
	check(file >= 0 && ioctl(file, UFFDIO_API, &api) == 0, "no userfaultfd");
	check(ioctl(file, UFFDIO_REGISTER, &range) == 0, "UFFDIO_REGISTER");
	aside = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(aside != MAP_FAILED, "no memory");
	aside_count = 0;
	check(pthread_create(&thread, NULL, serve, NULL) == 0, "pthread_create");
}

static void take(const struct method *method)
{
	(void)method;
	write_protect((uint64_t)memory, size, UFFDIO_WRITEPROTECT_MODE_WP);
}

static void drop(void)
{
	write_protect((uint64_t)memory, size, 0);
}

static void forget(void)
{
	pthread_cancel(thread);
	check(pthread_join(thread, NULL) == 0, "pthread_join");
	close(file);
	munmap(aside, size);
}

static void weigh(struct weight *weight)
{
	*weight = (struct weight){ 0, aside_count };
}

const struct method userfault_method = {
	.name = "uffd-wp", .prepare = prepare, .take = take, .drop = drop, .forget = forget,
	.weigh = weigh,
};
