// SPDX-License-Identifier: BSD-2-Clause
/* Ends by a broken interrupt table, lost memory, handlers, stacks, and a hypervisor that fails. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "misuse.h"
#include "uapi/dune.h"

#define VECTOR_UD 6
#define GATE_SIZE 16

/* Of page tables: no more are handed out. */
#define FRAMES (1u << 18)

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

static struct table_register interrupt_table(void)
{
	struct table_register idt;

	__asm__ volatile("sidt %0" : "=m"(idt));
	return idt;
}

static char *entry_pages(void)
{
	struct table_register gdt;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	return (char *)(gdt.base & -PAGE);
}

static void end_by_ud2(void)
{
	expected->rip = (uint64_t)act_ud2_at;
	act_ud2();
}

void empty_gate(void)
{
	enter();
	memset((char *)interrupt_table().base + VECTOR_UD * GATE_SIZE, 0, GATE_SIZE);
	expected->address = (uint64_t)act_ud2_at;
	end_by_ud2();
}

/* Each fault is taken, and meets the next at the first instruction of its entry. */
void no_entry_code(void)
{
	volatile dbos_pte_t *pte;
	const uint64_t *gate;
	char *entry;

	enter();
	gate = (const uint64_t *)(interrupt_table().base + VECTOR_UD * GATE_SIZE);
	entry = (char *)((gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff0000) | gate[1] << 32);
	check_ok(dbos_pte(dbos_instance(), entry, &pte));
	alarm(1);
	*pte &= ~(dbos_pte_t)DBOS_PTE_P;
	dbos_invlpg(entry);
	end_by_ud2();
}

void no_gates(void)
{
	struct table_register none = { 0, 0 };

	enter();
	__asm__ volatile("lidt %0" : : "m"(none));
	end_by_ud2();
}

void gates_unmapped(void)
{
	enter();
	expected->address = interrupt_table().base + VECTOR_UD * GATE_SIZE;
	check(munmap((void *)interrupt_table().base, PAGE) == 0, "munmap");
	end_by_ud2();
}

/* The root: the processor needs it for the next instruction behind the system call. */
void tables_unmapped(void)
{
	char *root;

	enter();
	root = dbos_frame_memory(dbos_instance(), dbos_read_cr3() & DBOS_PTE_ADDR);
	expected->address = (uint64_t)root + ((uint64_t)tables_unmapped >> 39 & 511) * 8;
	munmap(root, PAGE);
}

void stacks_unmapped(void)
{
	char *stack;

	enter();
	stack = entry_pages() + PAGE;
	expected->address = (uint64_t)stack + PAGE - 8;
	check(munmap(stack, PAGE) == 0, "munmap");
	end_by_ud2();
}

static enum dbos_verdict touch_again(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)arg;
	(void)fec;
	(void)tf;
	return *(volatile char *)va ? DBOS_HANDLED : DBOS_NEXT;
}

void handler_recurses(void)
{
	char *p = map(PAGE);

	enter();
	check(mprotect(p, PAGE, PROT_NONE) == 0, "mprotect");
	check_ok(dbos_on_fault(dbos_instance(), (uintptr_t)p, (uintptr_t)p + PAGE, touch_again,
			       NULL));
	act_read(p);
}

static enum dbos_verdict spoil(void *arg, struct dbos_tf *tf)
{
	(void)arg;
	tf->ss = 0x1234;
	return DBOS_HANDLED;
}

void handler_spoils_frame(void)
{
	enter();
	check_ok(dbos_on_intr(dbos_instance(), VECTOR_UD, spoil, NULL));
	act_ud2();
}

static volatile bool deep_enough;

__attribute__((noinline)) static int deeper(volatile char *last)
{
	volatile char here[512];

	here[0] = last[0];
	return deep_enough ? 0 : deeper(here) + here[0];
}

static void *overflow(void *arg)
{
	check_ok(dbos_enter());
	deeper("");
	return arg;
}

static void overflow_thread(const pthread_attr_t *attributes)
{
	pthread_t thread;

	check_ok(dbos_init());
	check(pthread_create(&thread, attributes, overflow, NULL) == 0, "pthread_create");
	pthread_join(thread, NULL);
}

void overflow_guarded(void)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	check(pthread_attr_setstacksize(&attributes, 16 * PAGE) == 0, "setstacksize");
	overflow_thread(&attributes);
}

/* A stack in the middle of other memory of the program's, which the overflow spoils first. */
void overflow_unguarded(void)
{
	char *p = map(65 * PAGE);
	pthread_attr_t attributes;

	check(mprotect(p, PAGE, PROT_NONE) == 0, "mprotect");
	pthread_attr_init(&attributes);
	check(pthread_attr_setstack(&attributes, p + 33 * PAGE, 32 * PAGE) == 0, "setstack");
	overflow_thread(&attributes);
}

static void *overflow_to_entry(void *guard)
{
	volatile dbos_pte_t *pte;

	check_ok(dbos_enter());
	check_ok(dbos_pte(dbos_instance(), guard, &pte));
	*pte &= ~(dbos_pte_t)DBOS_PTE_P;
	dbos_invlpg(guard);
	deeper("");
	return NULL;
}

/* The guard is an entry of the guest's table; the process has memory there. */
void overflow_by_entry(void)
{
	char *p = map(33 * PAGE);
	pthread_attr_t attributes;
	pthread_t thread;

	check_ok(dbos_init());
	pthread_attr_init(&attributes);
	check(pthread_attr_setstack(&attributes, p + PAGE, 32 * PAGE) == 0, "setstack");
	check(pthread_create(&thread, &attributes, overflow_to_entry, p) == 0, "pthread_create");
	pthread_join(thread, NULL);
}

static void touch(const char *p)
{
	expected->rip = (uint64_t)act_read_at;
	expected->address = (uint64_t)p;
	act_read(p);
	expected->rip = 0;
}

void touch_without_window(void)
{
	enter();
	for (unsigned int i = 0; i < 40; i++)
		touch(map_far(i));
}

void touch_without_frames(void)
{
	char *p = map_far(0);

	enter();
	for (unsigned int i = 0; i < FRAMES && dbos_frame_alloc(dbos_instance()); i++)
		;
	touch(p);
}

void run_refused(void)
{
	check_ok(dbos_init());
	refuse_ioctl(on_kvm() ? KVM_RUN : DUNE_RUN, ANY_ARGUMENT, ENOMEM);
	dbos_enter();
}
