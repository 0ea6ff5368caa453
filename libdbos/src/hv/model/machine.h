/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor of the model: see hv/machine.h for what each of these is. */
#ifndef DBOS_MODEL_MACHINE_H
#define DBOS_MODEL_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

uint64_t machine_load(const uint64_t *word);
void machine_store(uint64_t *word, uint64_t value);
bool machine_cas(uint64_t *word, uint64_t *expected, uint64_t value);
uint64_t machine_add(uint64_t *word, uint64_t value);
void machine_fence(void);
void machine_pause(void);

unsigned int machine_cpu(void);
uint64_t machine_thread(void);
uint64_t machine_now(void);
uint64_t machine_irqs_off(void);
void machine_irqs_restore(uint64_t was);
void machine_send_ipi(unsigned int cpu);

void machine_invlpg(uint64_t va);
void machine_flush(void);
void machine_load_root(uint64_t gpa);
void machine_flush_at_entry(unsigned int cpu, uint64_t *word, uint64_t value);

#endif /* DBOS_MODEL_MACHINE_H */
