/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor, as far as the vCPUs' dealings with one another (cpu/) and with memory (mm/) need
 * one. Implemented twice: by instructions of the guest, and, under DBOS_MODEL, by the model, on
 * which the same sources run natively and are single-stepped. So all memory that several vCPUs
 * share is either reached through these functions or guarded by a lock that is.
 *
 *	uint64_t machine_load(const uint64_t *word)		acquire
 *	void machine_store(uint64_t *word, uint64_t value)	release
 *	bool machine_cas(uint64_t *word, uint64_t *expected, uint64_t value)	LOCK CMPXCHG; on
 *								failure *expected is what is there
 *	uint64_t machine_add(uint64_t *word, uint64_t value)	LOCK XADD: the old value
 *	void machine_fence(void)		MFENCE: a load may overtake an earlier store, and
 *						that is all the reordering there is (SDM 3A 8.2.2)
 *	void machine_pause(void)		in every loop that waits for another vCPU
 *
 *	unsigned int machine_cpu(void)		this vCPU's number; MACHINE_NO_CPU out of guest mode
 *	uint64_t machine_thread(void)		out of guest mode: tells threads apart, below 2^32
 *	uint64_t machine_now(void)		a clock, of no other use than to be read twice: the
 *						time-stamp counter; the model's steps
 *	uint64_t machine_irqs_off(void)		CLI; returns what to give to
 *	void machine_irqs_restore(uint64_t was)
 *	void machine_send_ipi(unsigned int cpu)	to the one vector there is; serialising. It may
 *						arrive late, and two may arrive as one
 *
 *	void machine_invlpg(uint64_t va)
 *	void machine_flush(void)		the whole TLB of this vCPU (it reloads CR3)
 *	void machine_load_root(uint64_t gpa)	another page table; flushes as well
 *	void machine_flush_at_entry(unsigned int cpu, uint64_t *word, uint64_t value)
 *						from the host: as if that vCPU, which the caller
 *						runs, flushed before its next instruction, and
 *						then stored @value. Once before each entry
 */
#ifndef DBOS_HV_MACHINE_H
#define DBOS_HV_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#define MACHINE_NO_CPU (~0u)

#ifdef DBOS_MODEL
#include "hv/model/machine.h"
#else
#include "hv/instructions.h"
#endif

#endif /* DBOS_HV_MACHINE_H */
