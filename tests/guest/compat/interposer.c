// SPDX-License-Identifier: BSD-2-Clause
/* What ring 3 asks of the kernel, ring 0 answers: some calls itself, some not, some by the host. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asm/prctl.h>

#include "compat/ring3.h"

#define OWN_EXIT 1000000
#define FAKE_PID 4711
#define CODE	 42

struct answers {
	long pid, ppid, written, opened, forked, first_fs_word, fs_word, gs;
	int pipe;
	char text[6];
	uint64_t word, other_word;
};

RING3 static void guest(struct answers *to)
{
	__asm__ volatile("mov %%fs:0, %0" : "=r"(to->first_fs_word));
	to->pid = ring3_call(SYS_getpid, 0, 0, 0);
	to->ppid = ring3_call(SYS_getppid, 0, 0, 0);
	to->written = ring3_call(SYS_write, to->pipe, (long)to->text, 6);
	to->opened = ring3_call(SYS_openat, -1, 0, 0);
	to->forked = ring3_call(SYS_fork, 0, 0, 0);
	ring3_call(SYS_arch_prctl, ARCH_SET_FS, (long)&to->other_word, 0);
	__asm__ volatile("mov %%fs:0, %0" : "=r"(to->fs_word));
	to->gs = ring3_call(SYS_arch_prctl, ARCH_GET_GS, (long)&to->word, 0);
	ring3_call(OWN_EXIT, CODE, 0, 0);
}

static int calls, from_ring3;

static void on_call(struct dune_tf *tf)
{
	calls++;
	from_ring3 += (tf->cs & 3) == 3;
	switch (tf->rax) {
	case SYS_getpid:
		tf->rax = FAKE_PID;
		break;
	case SYS_openat:
		tf->rax = -EACCES;
		break;
	case OWN_EXIT:
		check(*(uint64_t *)dune_get_user_fs() == 456, "the handler sees another base");
		dune_ret_from_user(ARG0(tf));
	default:
		dune_passthrough_syscall(tf);
	}
}

static int own_calls;

static void on_own_call(struct dune_tf *tf)
{
	own_calls++;
	dune_passthrough_g0_syscall(tf);
}

/* Without a handler there are no calls; whoever asks runs on. */
RING3 static void asks_nobody(long *answer)
{
	*answer = ring3_call(SYS_getpid, 0, 0, 0);
	__asm__ volatile("ud2");
}

static void on_ud(struct dune_tf *tf)
{
	dune_ret_from_user(tf->num);
}

int main(void)
{
	struct dune_tf tf;
	struct answers *a;
	char text[6];
	int ends[2];

	check_ok(dune_init_and_enter());
	give_code();
	a = give_memory(PGSIZE);
	check_ok(dune_register_intr_handler(T_ILLOP, on_ud));
	tf = ring3_frame(asks_nobody, a);
	check(dune_jump_to_user(&tf) == T_ILLOP, "not the undefined instruction");
	check(a->pid == -ENOSYS, "%ld without a handler", a->pid);

	check(pipe(ends) == 0, "pipe");
	*a = (struct answers){ .pipe = ends[1], .text = "hello", .word = 123, .other_word = 456 };
	dune_register_syscall_handler(on_call);
	dune_set_user_fs((unsigned long)&a->word);
	tf = ring3_frame(guest, a);
	check(dune_jump_to_user(&tf) == CODE, "wrong code");
	check(calls == 8 && from_ring3 == 8, "%d calls, %d from ring 3", calls, from_ring3);
	check(a->pid == FAKE_PID && a->opened == -EACCES, "pid %ld, %ld", a->pid, a->opened);
	check(a->ppid == getppid() && a->written == 6, "ppid %ld, %ld", a->ppid, a->written);
	check(read(ends[0], text, 6) == 6 && !strcmp(text, "hello"), "not what was written");
	check(a->forked == -ENOSYS && a->gs == -EINVAL, "fork %ld, gs %ld", a->forked, a->gs);
	check(a->first_fs_word == 123 && a->fs_word == 456, "FS words %ld, %ld", a->first_fs_word,
	      a->fs_word);
	check(calls == 8, "ring 0's calls went to ring 3's handler");

	dune_register_g0_syscall_handler(on_own_call);
	check(getppid() == a->ppid && own_calls == 1 && calls == 8, "%d own calls", own_calls);
	puts("interposer: ok");
	return 0;
}
