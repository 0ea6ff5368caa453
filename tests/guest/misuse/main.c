// SPDX-License-Identifier: BSD-2-Clause
/* misuse errors|ends|CASE: which cases there are, a process for each. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "misuse.h"

/* Far from everything that the kernel places, and 1 TiB apart. */
#define FAR	  0x200000000000ul
#define FAR_APART (1ul << 40)

/* Whoever hangs ends by SIGALRM. */
#define PATIENCE 30

struct expected *expected;

static const struct {
	const char *name;
	void (*run)(void);
	bool ends;
} cases[] = {
	{ "too early", too_early, false },
	{ "init again", init_again, false },
	{ "wrong place", wrong_place, false },
	{ "no handler", no_handler, false },
	{ "shared thread", shared_thread, false },
	{ "no capability", no_capability, false },
	{ "no memory", no_memory, false },
	{ "no descriptors", no_descriptors, false },
	{ "too many threads", too_many_threads, false },
	{ "no window", no_window, false },
	{ "reserved bits", reserved_bits, true },
	{ "page beyond", page_beyond, true },
	{ "fetch beyond", fetch_beyond, true },
	{ "table beyond", table_beyond, true },
	{ "CR3 beyond", cr3_beyond, true },
	{ "CR3 reserved", cr3_reserved, true },
	{ "CR3 empty", cr3_empty, true },
	{ "no trap stack", no_trap_stack, true },
	{ "no entry stack", no_entry_stack, true },
	{ "empty gate", empty_gate, true },
	{ "no entry code", no_entry_code, true },
	{ "no gates", no_gates, true },
	{ "gates unmapped", gates_unmapped, true },
	{ "tables unmapped", tables_unmapped, true },
	{ "stacks unmapped", stacks_unmapped, true },
	{ "handler recurses", handler_recurses, true },
	{ "handler spoils frame", handler_spoils_frame, true },
	{ "overflow guarded", overflow_guarded, true },
	{ "overflow unguarded", overflow_unguarded, true },
	{ "overflow by entry", overflow_by_entry, true },
	{ "touch without window", touch_without_window, true },
	{ "touch without frames", touch_without_frames, true },
	{ "run refused", run_refused, true },
};

char *map(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

void *map_far(unsigned int i)
{
	void *p = mmap((void *)(FAR + i * FAR_APART), 16 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

void enter(void)
{
	check_ok(dbos_init());
	check_ok(dbos_enter());
}

bool on_kvm(void)
{
	const char *name = getenv("DBOS_BACKEND");

	return name && strcmp(name, "kvm") == 0;
}

static void run(size_t i)
{
	int status;
	pid_t pid;

	*expected = (struct expected){ 0 };
	fprintf(stderr, "case %s\n", cases[i].name);
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		alarm(PATIENCE);
		cases[i].run();
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	if (cases[i].ends)
		printf("%s: signal %d status %d rip %lx address %lx\n", cases[i].name,
		       WIFSIGNALED(status) ? WTERMSIG(status) : 0, WEXITSTATUS(status),
		       expected->rip, expected->address);
	else
		printf("%s: %s\n", cases[i].name, status ? "FAILED" : "ok");
}

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "";
	bool ends = strcmp(which, "ends") == 0, errors = strcmp(which, "errors") == 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	expected = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(expected != MAP_FAILED, "mmap");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(which, cases[i].name) == 0 || (cases[i].ends ? ends : errors))
			run(i);
	}
	return 0;
}
