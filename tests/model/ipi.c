// SPDX-License-Identifier: BSD-2-Clause
/*
 * T3: calls between vCPUs arrive, each once and in each sender's order, through full rings, system
 * calls, stretches without interrupts and vCPUs that leave; and a stopped world stands still.
 */
#include <errno.h>
#include <string.h>

#include "property.h"

#define CPUS  12
#define CALLS 24

struct message {
	unsigned int from, to;		/* indices, not numbers */
	unsigned int sequence;
};

static struct {
	unsigned int cpus;
	unsigned int id[CPUS];
	unsigned int sent[CPUS][CPUS], ran[CPUS][CPUS];
	unsigned int messages[CPUS];
	struct message message[CPUS][CALLS];
	bool gone[CPUS];
	bool stopped;
	unsigned int stopper;
} test;

/* Whatever runs in the guest comes by here. */
static void tread(unsigned int me)
{
	model_step();
	if (test.stopped && test.stopper != me)
		model_fail("vCPU %u ran in a stopped world", test.id[me]);
}

static void receive(void *arg)
{
	const struct message *message = arg;
	unsigned int *ran = &test.ran[message->to][message->from];

	if (machine_cpu() != test.id[message->to])
		model_fail("a call to vCPU %u ran on %u", test.id[message->to], machine_cpu());
	tread(message->to);
	if (message->sequence != *ran)
		model_fail("call %u from vCPU %u to %u ran as number %u", message->sequence,
			   test.id[message->from], test.id[message->to], *ran);
	++*ran;
	work(3);
}

static void send(unsigned int me, unsigned int to, unsigned int flags)
{
	struct message *message = &test.message[me][test.messages[me]];
	unsigned int *sent = &test.sent[to][me];
	int ret;

	*message = (struct message){ me, to, *sent };
	ret = calls_send(&cpus, test.id[to], receive, message, flags);
	if (ret == -EAGAIN && flags & CALL_TRY)
		return;
	if (ret == -ESRCH && test.gone[to])
		return;
	if (ret == -EDEADLK && test.stopped && test.stopper == me)
		return;
	if (ret)
		model_fail("a call to vCPU %u: error %d", test.id[to], -ret);
	++*sent;
	test.messages[me]++;
	if (flags & CALL_WAIT && test.ran[to][me] <= message->sequence)
		model_fail("a call to vCPU %u was waited for, and has not run", test.id[to]);
}

static void send_some(unsigned int me, unsigned int most)
{
	unsigned int to = model_random(test.cpus);

	for (unsigned int i = model_random(most) + 1; i > 0 && test.messages[me] < CALLS; i--) {
		tread(me);
		send(me, to, model_random(4) ? 0 : CALL_TRY);
	}
}

/* Its thread in the host is another sender than the vCPU, so there it doesn't call that one. */
static unsigned int anybody(unsigned int me)
{
	if (machine_cpu() != MACHINE_NO_CPU)
		return model_random(test.cpus);
	return (me + 1 + model_random(test.cpus - 1)) % test.cpus;
}

static void stop_world(unsigned int me)
{
	if (world_stop(&cpus))
		model_fail("vCPU %u could not stop the world", test.id[me]);
	if (test.stopped)
		model_fail("two vCPUs have stopped the world");
	test.stopped = true;
	test.stopper = me;
	work(40);
	if (test.messages[me] < CALLS)
		send(me, anybody(me), model_random(2) ? CALL_TRY : CALL_WAIT);
	if (!model_random(4))
		tlb_flush(&cpus, 0x1000, 1, TLB_SYNC);
	test.stopped = false;
	if (world_start(&cpus))
		model_fail("vCPU %u could not start the world", test.id[me]);
}

/* A thread in the host, which may stop the world and call as well; others there do so too. */
static void stop_from_host(unsigned int me)
{
	guest_leave(test.id[me]);
	stop_world(me);
	if (test.messages[me] < CALLS)
		send(me, anybody(me), CALL_TRY);
	guest_enter(test.id[me]);
}

static void without_interrupts(unsigned int me)
{
	uint64_t irqs = machine_irqs_off();

	for (unsigned int i = model_random(30); i > 0; i--)
		tread(me);
	machine_irqs_restore(irqs);
}

/* What was sent to it arrives while it does nothing for it. */
static void compute(unsigned int me)
{
	unsigned int sent[CPUS];

	memcpy(sent, test.sent[me], sizeof(sent));
	for (unsigned int from = 0; from < test.cpus; from++) {
		while (test.ran[me][from] < sent[from])
			tread(me);
	}
}

static void operate(unsigned int me)
{
	switch (model_random(13)) {
	case 0 ... 3:
		send_some(me, 4);
		break;
	case 4:
		send_some(me, CALLS);
		break;
	case 5:
		if (test.messages[me] < CALLS)
			send(me, model_random(test.cpus), CALL_WAIT);
		break;
	case 6:
		host_call(test.id[me], 60);
		tread(me);
		break;
	case 7:
		without_interrupts(me);
		break;
	case 8:
		tread(me);
		stop_world(me);
		break;
	case 9:
		tlb_flush(&cpus, 0x1000, 1, model_random(2) ? TLB_SYNC : TLB_LAZY);
		tread(me);
		break;
	case 10: case 11:
		compute(me);
		break;
	case 12:
		stop_from_host(me);
	}
}

static void run_cpu(void *arg)
{
	unsigned int me = *(unsigned int *)arg;

	guest_enter(test.id[me]);
	for (unsigned int i = 0; i < 6; i++)
		operate(me);
	test.gone[me] = true;
	guest_exit(test.id[me]);
}

static void begin(uint64_t seed)
{
	static unsigned int index[CPUS];

	memset(&test, 0, sizeof(test));
	fixture_begin(seed, MODEL_CPUS, 16, NULL);
	/* Mostly a few, as their schedules are more; numbers as sparse as they get. */
	test.cpus = model_random(16) ? 2 + model_random(3) : CPUS;
	for (unsigned int i = 0; i < test.cpus; i++) {
		index[i] = i;
		test.id[i] = i * (MODEL_CPUS / CPUS) + model_random(MODEL_CPUS / CPUS);
		fixture_add_cpu(test.id[i], run_cpu, &index[i]);
	}
}

static void end(void)
{
	for (unsigned int to = 0; to < test.cpus; to++) {
		for (unsigned int from = 0; from < test.cpus; from++) {
			if (test.sent[to][from] != test.ran[to][from])
				model_fail("%u calls of %u from vCPU %u to %u ran",
					   test.ran[to][from], test.sent[to][from],
					   test.id[from], test.id[to]);
		}
	}
}

const struct property calls_property = {
	.name = "T3",
	.what = "calls run once and in order, and a stopped world stands still",
	.begin = begin,
	.end = end,
};
