// SPDX-License-Identifier: BSD-2-Clause
/* Each hostile function, and what is to be reported of it. */
#include <dbos/mm.h>

#include "check.h"
#include "udf/udf.h"

#define DE (1u << 0)
#define DB (1u << 1)
#define UD (1u << 6)
#define SS (1u << 12)
#define GP (1u << 13)
#define PF (1u << 14)

#define USER	DBOS_FEC_USER
#define WRITE	DBOS_FEC_WRITE
#define PRESENT DBOS_FEC_PRESENT
#define FETCH	DBOS_FEC_FETCH

/* Of a gate that is closed to INT n. TCG multiplies by 16. */
#define GATE(vector)	((vector) * 8 + 2)
#define GATE_TCG(gate)	((gate) * 2 - 2)

enum address { NONE, SECRET, DATA, READONLY, ENTRY, BELOW_STACK, SOMEWHERE };

struct hostile {
	const char *name;
	const char *code;
	uint32_t vectors;	/* bits: one of them */
	uint32_t error_code;
	enum address address;
};

#define CASE(name, vectors, error_code, address) extern char ring3_##name[];
#define CASES								\
	CASE(read_secret, PF, USER, SECRET)				\
	CASE(write_secret, PF, USER | WRITE, SECRET)			\
	CASE(write_null, PF, USER | WRITE, NONE)			\
	CASE(write_readonly, PF, USER | WRITE | PRESENT, READONLY)	\
	CASE(run_data, PF, USER | FETCH | PRESENT, DATA)		\
	CASE(run_entry, PF, USER | FETCH | PRESENT, ENTRY)		\
	CASE(read_idt, PF, USER | PRESENT, SOMEWHERE)			\
	CASE(read_vcpu, PF, USER | PRESENT, SOMEWHERE)			\
	CASE(write_vcpu, PF, USER | WRITE | PRESENT, SOMEWHERE)		\
	CASE(overflow, PF, USER | WRITE, BELOW_STACK)			\
	CASE(undefined, UD, 0, NONE)					\
	CASE(cli, GP, 0, NONE)						\
	CASE(sti, GP, 0, NONE)						\
	CASE(hlt, GP, 0, NONE)						\
	CASE(read_cr3, GP, 0, NONE)					\
	CASE(write_cr3, GP, 0, NONE)					\
	CASE(write_cr0, GP, 0, NONE)					\
	CASE(write_cr4, GP, 0, NONE)					\
	CASE(clts, GP, 0, NONE)						\
	CASE(read_dr7, GP, 0, NONE)					\
	CASE(write_dr7, GP, 0, NONE)					\
	CASE(invlpg, GP, 0, NONE)					\
	CASE(wbinvd, GP, 0, NONE)					\
	CASE(rdmsr, GP, 0, NONE)					\
	CASE(wrmsr, GP, 0, NONE)					\
	CASE(lgdt, GP, 0, NONE)						\
	CASE(lidt, GP, 0, NONE)						\
	CASE(lldt, GP, 0, NONE)						\
	CASE(ltr, GP, 0, NONE)						\
	CASE(swapgs, GP, 0, NONE)					\
	CASE(sysret, GP, 0, NONE)					\
	CASE(xsetbv, GP, 0, NONE)					\
	CASE(in_byte, GP, 0, NONE)					\
	CASE(call_syscall, GP, 0, NONE)					\
	CASE(call_leave, GP, 0, NONE)					\
	CASE(call_unhandled, GP, 0, NONE)				\
	CASE(call_exit, GP, 0, NONE)					\
	CASE(out_string, GP, 0, NONE)					\
	CASE(out_with_iopl, GP, 0, NONE)				\
	CASE(int3, GP, GATE(3), NONE)					\
	CASE(int_80, GP, GATE(0x80), NONE)				\
	CASE(int_doorbell, GP, GATE(255), NONE)				\
	CASE(int_page_fault, GP, GATE(14), NONE)			\
	CASE(stack_of_ring0, GP, 0x10, NONE)				\
	CASE(data_of_ring0, GP, 0x10, NONE)				\
	CASE(iret_to_ring0, GP, 0x08, NONE)				\
	CASE(iret_with_nt, GP, 0, NONE)					\
	CASE(far_return_to_ring0, GP, 0x08, NONE)			\
	CASE(jump_nowhere, GP, 0, NONE)					\
	CASE(stack_nowhere, SS | GP, 0, NONE)				\
	CASE(step, DB, 0, NONE)						\
	CASE(divide, DE, 0, NONE)
CASES
extern char ring3_loop[], ring3_loop_with_flags[];

#undef CASE
#define CASE(name, vectors, error_code, address) \
	{ #name, ring3_##name, vectors, error_code, address },
static const struct hostile cases[] = { CASES };

static bool is_right_address(const struct hostile *hostile, uintptr_t address)
{
	switch (hostile->address) {
	case NONE:
		return address == 0;
	case SECRET:
		return address == (uintptr_t)ground.secret;
	case DATA:
		return address == (uintptr_t)ground.data;
	case READONLY:
		return address == (uintptr_t)ground.readonly;
	case ENTRY:
		return address == (uintptr_t)__start_dbos_entry;
	case BELOW_STACK:
		return address == (uintptr_t)ground.stack - 8;
	case SOMEWHERE:
		return address != 0;
	}
	return false;
}

static bool is_right_error_code(const struct hostile *hostile, uint64_t error_code)
{
	return error_code == hostile->error_code ||
	       (error_code & 2 && hostile->vectors == GP &&
		error_code == GATE_TCG(hostile->error_code));
}

static bool is_confined(const struct hostile *hostile)
{
	struct dbos_user_stop stop;

	begin(hostile->code, 0);
	go_on(&stop);
	if (stop.reason == DBOS_USER_FAULT && hostile->vectors >> stop.vector & 1 &&
	    is_right_error_code(hostile, stop.error_code) &&
	    is_right_address(hostile, stop.address))
		return true;
	fprintf(stderr, "%s: reason %d, vector %u, error code %#lx, address %#lx, RIP %+ld\n",
		hostile->name, stop.reason, stop.vector, stop.error_code, stop.address,
		(long)(dbos_user_regs(ground.user)->tf.rip - (uint64_t)hostile->code));
	return false;
}

/* Whatever it has done to its flags, it can't keep the timer out. */
static void preempt(const char *name, const void *code)
{
	struct dbos_user_stop stop;

	begin(code, 0);
	for (int i = 0; i < 3; i++) {
		check_ok(dbos_user_run(ground.user, &stop));
		check(stop.reason == DBOS_USER_PREEMPTED, "%s: stopped for reason %d", name,
		      stop.reason);
	}
}

void hostile_code_is_confined(void)
{
	bool all = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		all &= is_confined(&cases[i]);
	check(all, "hostile functions were not confined, or the report is wrong");
	preempt("loop", ring3_loop);
	preempt("loop_with_flags", ring3_loop_with_flags);
	check(strcmp(ground.secret, "secret") == 0, "the secret is %s", ground.secret);
	printf("hostile: ok\n");
}
