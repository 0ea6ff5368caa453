// SPDX-License-Identifier: BSD-2-Clause
/* Windows that are added later: see cover.h. */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "cpu/offsets.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "mm/cover.h"
#include "mm/index.h"
#include "mm/pgtable.h"

#define PAGE_MASK (~0xfffull)
#define USER_END  0x7ffffffff000ull

/*
 * Something is mapped, or will be once it is touched: below a stack that may grow there is nothing
 * until the process itself looks. A system call that reads its argument does, and fails for its
 * signal once it has read.
 */
static bool is_mapped(uint64_t va)
{
	uint64_t page = va & PAGE_MASK;
	uint8_t there;

	return host_syscall(SYS_mincore, page, DBOS_PAGE_SIZE, (long)&there, 0, 0, 0) != -ENOMEM ||
	       host_syscall(SYS_rt_sigaction, SIGKILL, page, 0, sizeof(uint64_t), 0, 0) == -EINVAL;
}

void cover_in_host(struct dbos *dbos, struct cover_request *request)
{
	const struct window *w = &request->window;

	request->result = -EFAULT;
	if (is_mapped(request->va))
		request->result = dbos->hv.ops->set_slot(&dbos->hv, request->slot, w->gpa, w->va,
							 w->size);
}

static void ask_host(struct dbos *dbos, struct cover_request *request)
{
	if (cpu_in_guest())
		vcpu_hypercall(PORT_COVER, request, 0);
	else
		cover_in_host(dbos, request);
}

/*
 * Who adds a window may wait for vCPUs to flush, so whoever waits for him flushes. Interrupts are
 * off, for what they run may need a window too.
 */
uint64_t cover_lock(struct dbos *dbos)
{
	uint64_t irqs = machine_irqs_off();
	struct cpu *self = cpus_self(&dbos->cpus);
	uint64_t held = 0;

	while (!machine_cas(&dbos->growth, &held, 1)) {
		held = 0;
		if (self)
			tlb_catch_up(&dbos->cpus, self);
		machine_pause();
	}
	return irqs;
}

void cover_unlock(struct dbos *dbos, uint64_t irqs)
{
	machine_store(&dbos->growth, 0);
	machine_irqs_restore(irqs);
}

/*
 * Tables first, then the slot, then the leaves, then the window: a step that fails leaves no more
 * behind than empty tables, and nobody meets a leaf whose slot is not there.
 */
static int add_window(struct dbos *dbos, uint64_t va)
{
	struct cover_request request = { .va = va, .slot = dbos->windows.count };
	uint64_t lo, hi;
	int ret;

	index_gap(&dbos->regions, va, &lo, &hi);
	ret = windows_choose(&dbos->windows, va, lo, hi < USER_END ? hi : USER_END,
			     dbos->hv.gpa_bits, &request.window);
	if (!ret && request.slot >= dbos->hv.max_slots)
		ret = -ENOSPC;
	if (!ret)
		ret = pgtable_map_window(dbos, &request.window, true);
	if (ret)
		return ret;
	ask_host(dbos, &request);
	if (request.result)
		return request.result;
	pgtable_map_window(dbos, &request.window, false);
	windows_add(&dbos->windows, &request.window);
	return 0;
}

static bool is_covered(const struct dbos *dbos, uint64_t va)
{
	return windows_find(&dbos->windows, va) || index_find(&dbos->regions, va);
}

static int cover_page(struct dbos *dbos, uint64_t va)
{
	uint64_t irqs;
	int ret = 0;

	if (is_covered(dbos, va))
		return 0;
	irqs = cover_lock(dbos);
	if (!is_covered(dbos, va))
		ret = add_window(dbos, va);
	cover_unlock(dbos, irqs);
	return ret;
}

/* Windows begin and end at multiples of WINDOW_ALIGN, so one page of each is enough. */
int cover(struct dbos *dbos, uint64_t va, uint64_t size)
{
	uint64_t last = va + size - 1;
	int ret = cover_page(dbos, va);

	while (!ret && (va | (WINDOW_ALIGN - 1)) < last) {
		va = (va | (WINDOW_ALIGN - 1)) + 1;
		ret = cover_page(dbos, va);
	}
	return ret;
}

/*
 * The guest's table has no entry. In a window that was added the fault may be of a moment before
 * that; but an entry that the program has cleared since is its own business.
 */
static enum dbos_verdict on_fault(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	struct dbos *dbos = arg;
	const struct window *window = windows_find(&dbos->windows, va);
	unsigned int level;

	(void)tf;
	if (fec & (DBOS_FEC_PRESENT | DBOS_FEC_HOST))
		return DBOS_NEXT;
	/* Windows come to the process's own table: on another nothing would change. */
	if ((dbos_read_cr3() & DBOS_PTE_ADDR) != dbos->cr3)
		return DBOS_NEXT;
	if (window && window < &dbos->windows.window[dbos->windows.laid_out])
		return DBOS_NEXT;
	if (!window && index_find(&dbos->regions, va))
		return DBOS_NEXT;
	if (window)
		return table_lookup(&dbos->table, va, &level) & DBOS_PTE_P ? DBOS_HANDLED :
									      DBOS_NEXT;
	return cover_page(dbos, va) ? DBOS_NEXT : DBOS_HANDLED;
}

void cover_init(struct dbos *dbos)
{
	dbos->reach = (struct handler){
		.first = 0, .last = USER_END - 1, .fault = on_fault, .arg = dbos,
	};
	dbos->handlers.own_faults = &dbos->reach;
}
