// SPDX-License-Identifier: BSD-2-Clause
/* Ring 3 reaches what has PERM_U, and nothing else; what it does wrong ring 0 hears of. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/ring3.h"

#define DONE	1000000
#define LEAVE	1000001
#define ELSEWHERE ((char *)0x3400000000)

static char *secret;
static long *shared;
static volatile uintptr_t fault_at;
static volatile uint64_t fault_code;
static int depth;

RING3 static void reads(const volatile char *from)
{
	char got = *from;

	ring3_call(DONE, got, 0, 0);
}

RING3 static void writes(volatile char *to)
{
	*to = 'w';
	ring3_call(DONE, 'w', 0, 0);
}

RING3 static void turns_interrupts_off(void)
{
	__asm__ volatile("cli");
	ring3_call(DONE, 0, 0, 0);
}

RING3 static void counts(volatile long *to)
{
	/* A constant of the compiler's would be out of reach. */
	double half = *(volatile double *)(to + 1), sum = 0;

	for (long i = 1; i <= 1000; i++) {
		sum += half;
		*to = i;
		if (i % 250 == 0)
			to[2] = ring3_call(SYS_getpid, 0, 0, 0);
	}
	ring3_call(DONE, sum + to[3], 0, 0);
}

/* Called in a handler, once more to ring 3. */
static long nest(void)
{
	struct dune_tf tf = ring3_frame(reads, shared);

	return dune_jump_to_user(&tf);
}

static void on_call(struct dune_tf *tf)
{
	switch (tf->rax) {
	case DONE:
		dune_ret_from_user(ARG0(tf));
	case LEAVE:
		depth++;
		/* Faults in ring 0, whose handler does not come back. */
		*(volatile char *)ARG0(tf) = 0;
		check(false, "wrote to %#lx", ARG0(tf));
		break;
	case SYS_getpid:
		if (*shared == 500)
			check(nest() == (char)500, "the inner stay");
		/* Instead of returning: what is changed in a copy counts. */
		if (*shared == 750) {
			struct dune_tf copy = *tf;

			copy.rax = 7;
			dune_pop_trap_frame(&copy);
		}
		if (*shared == 1000)
			shared[3] = shared[2];
		dune_passthrough_syscall(tf);
	}
}

static void on_fault(uintptr_t addr, uint64_t fec, struct dune_tf *tf)
{
	(void)tf;
	fault_at = addr;
	fault_code = fec;
	dune_ret_from_user(-EFAULT);
}

static void on_gp(struct dune_tf *tf)
{
	dune_ret_from_user(-(long)tf->num);
}

static int run(void *function, void *argument)
{
	struct dune_tf tf = ring3_frame(function, argument);

	return dune_jump_to_user(&tf);
}

RING3 static void asks_to_fault(void *at)
{
	ring3_call(LEAVE, (long)at, 0, 0);
}

static void refused(void *function, void *at, uint64_t code)
{
	fault_at = 0;
	check(run(function, at) == -EFAULT, "%p was not refused", at);
	check(fault_at == (uintptr_t)at, "refused at %#lx", fault_at);
	check(fault_code == code, "error code %#lx, not %#lx", fault_code, code);
}

/* Ring 3 is where ring 0 is. */
static void in_another_space(void)
{
	ptent_t *other = dune_vm_clone(pgroot);

	check(other, "no clone");
	check_ok(dune_vm_map_pages(other, ELSEWHERE + PGSIZE, PGSIZE, PERM_UTEXT));
	refused(writes, ELSEWHERE + PGSIZE, FEC_U | FEC_W);
	load_cr3((unsigned long)other);
	check(run(writes, ELSEWHERE + PGSIZE) == 'w', "refused in its own space");
	load_cr3((unsigned long)pgroot);
	refused(writes, ELSEWHERE + PGSIZE, FEC_U | FEC_W);
	dune_vm_free(other);
}

static bool interrupts_are_on(void)
{
	uint64_t flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	return flags & 0x200;
}

int main(int argc, char **argv)
{
	char *given;

	(void)argv;
	check_ok(dune_init(false));
	check(dune_jump_to_user(&(struct dune_tf){ 0 }) == -EINVAL, "jumped from outside");
	check_ok(dune_enter());
	give_code();
	secret = memory(PGSIZE);
	strcpy(secret, "secret");
	shared = give_memory(PGSIZE);
	if (argc > 1)
		return run(reads, secret);	/* of which nobody wants to hear */
	dune_register_syscall_handler(on_call);
	dune_register_pgflt_handler(on_fault);
	check_ok(dune_register_intr_handler(T_GPFLT, on_gp));

	refused(reads, secret, FEC_P | FEC_U);
	refused(writes, secret, FEC_P | FEC_U | FEC_W);
	refused(reads, &depth, FEC_P | FEC_U);
	check(run(secret, NULL) == -EFAULT && fault_at == (uintptr_t)secret, "ran data");

	/* Entries are the program's, from one call to the next. */
	check_ok(dune_vm_mprotect(pgroot, secret, PGSIZE, PERM_R | PERM_U));
	check(run(reads, secret) == 's', "reads what it may");
	refused(writes, secret, FEC_P | FEC_U | FEC_W);
	check_ok(dune_vm_map_pages(pgroot, ELSEWHERE, PGSIZE, PERM_UTEXT));
	check(run(writes, ELSEWHERE) == 'w' && *ELSEWHERE == 'w', "a page of its own");
	refused((void *)ELSEWHERE, ELSEWHERE, FEC_P | FEC_U | FEC_I);
	check_ok(dune_vm_mprotect(pgroot, secret, PGSIZE, PERM_R | PERM_W));
	refused(reads, secret, FEC_P | FEC_U);
	in_another_space();

	check(run(turns_interrupts_off, NULL) == -T_GPFLT, "CLI is not for ring 3");
	*(double *)(shared + 1) = 0.5;
	check(run(counts, shared) == 507, "counted wrong");
	given = memory(PGSIZE);
	check_ok(dune_vm_mprotect(pgroot, given, PGSIZE, PERM_R));
	refused(asks_to_fault, given, FEC_P | FEC_W);
	check(depth == 1 && interrupts_are_on(), "interrupts are off");
	puts("sandbox: ok");
	return 0;
}
