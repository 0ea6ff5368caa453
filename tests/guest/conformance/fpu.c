// SPDX-License-Identifier: BSD-2-Clause
/*
 * Vector and floating-point state is the guest's while the host takes the CPU away: a pattern in
 * every register XSAVE knows (x87, SSE, AVX, AVX-512 where there is one), read back by the guest
 * again and again while its thread is moved between CPUs on which others use the same registers.
 */
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "conformance.h"

#define IMAGE	 GUEST_SPARE
#define COPY	 (GUEST_SPARE + 0x4000)
#define HEADER	 512
#define MASK	 0xe7ull	/* x87, SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM */
#define MOVES	 200
#define COUNT	 (GUEST_DATA + 0x808)
#define STOP	 (GUEST_DATA + 0x800)

/*
 * RDX:RAX: what to save; R8: bytes to compare behind the header. What XSAVE need not write, and
 * MXCSR_MASK, is left out. Ends by HLT, with RBX = 1 if something differed.
 */
GUEST(keep, "mov $0x100000, %esi; xrstor64 (%rsi); xor %ebx, %ebx\n"
	    "1: mov $0x104000, %edi; xsave64 (%rdi)\n"
	    "mov $0x100000, %esi; mov $0x104000, %edi; mov $3, %ecx; repe cmpsq; jne 2f\n"
	    "mov $0x100020, %esi; mov $0x104020, %edi; mov $48, %ecx; repe cmpsq; jne 2f\n"
	    "mov $0x100240, %esi; mov $0x104240, %edi; mov %r8, %rcx; repe cmpsb; jne 2f\n"
	    "incq 0x9808; cmpq $0, 0x9800; je 1b; hlt\n"
	    "2: mov $1, %ebx; hlt");

static uint32_t area_size(uint64_t mask)
{
	uint32_t size = HEADER + 64;

	for (unsigned int i = 2; i < 64; i++) {
		uint32_t eax, ebx, ecx, edx;

		if (!(mask >> i & 1))
			continue;
		__cpuid_count(0xd, i, eax, ebx, ecx, edx);
		size = ebx + eax > size ? ebx + eax : size;
	}
	return size;
}

static uint64_t host_xcr0(void)
{
	uint32_t eax, edx;

	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return (uint64_t)edx << 32 | eax;
}

static void fill_image(unsigned char *image, uint64_t mask, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		image[i] = i * 7 + i / 251 + 1;
	memset(image, 0, 32);
	*(uint16_t *)image = 0x37f;	/* FCW: all masked */
	image[4] = 0xff;		/* FTW, abridged: all eight in use */
	*(uint32_t *)(image + 24) = 0x1f80;
	for (int i = 0; i < 8; i++)	/* ten bytes each, of sixteen */
		memset(image + 32 + 16 * i + 10, 0, 6);
	memset(image + HEADER, 0, 64);
	*(uint64_t *)(image + HEADER) = mask;
}

struct mover {
	pthread_t victim;
	struct machine *machine;
};

/* From CPU to CPU of those the process may use, with pauses in which the guest runs. */
static void *move(void *arg)
{
	struct mover *mover = arg;
	cpu_set_t allowed, one;
	int moves = 0, cpu = 0;

	check(sched_getaffinity(0, sizeof(allowed), &allowed) == 0, "sched_getaffinity");
	while (moves < MOVES) {
		const uint64_t *count = guest_u64(mover->machine, COUNT);
		uint64_t before;

		cpu = (cpu + 1) % CPU_SETSIZE;
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		check(pthread_setaffinity_np(mover->victim, sizeof(one), &one) == 0, "no CPU %d",
		      cpu);
		moves++;
		before = __atomic_load_n(count, __ATOMIC_ACQUIRE);
		while (__atomic_load_n(count, __ATOMIC_ACQUIRE) == before)
			sched_yield();
	}
	__atomic_store_n(guest_u64(mover->machine, STOP), 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Another user of the registers, everywhere. */
static void *spoil(void *arg)
{
	const struct machine *machine = arg;
	uint64_t round = 0;

	while (!__atomic_load_n(guest_u64(machine, STOP), __ATOMIC_ACQUIRE)) {
		__asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm7; movq %0, %%xmm15; fninit; fld1"
				 : : "r"(round++) : "xmm0", "xmm7", "xmm15");
		if (round % 1000 == 0)
			sched_yield();
	}
	return NULL;
}

CASE(fpu_migrates)
{
	struct dune_regs *regs;
	struct machine machine;
	struct mover mover = { .victim = pthread_self(), .machine = &machine };
	struct dune_state state;
	pthread_t spoilers[2], thread;
	uint64_t mask;
	uint32_t size;

	machine_create(&machine);
	machine_get_state(&machine, &state);
	if (!(state.cr4 & CR4_OSXSAVE))
		skip("no XSAVE");
	mask = host_xcr0() & MASK;
	size = area_size(mask);
	fill_image(machine.memory + IMAGE, mask, size);
	load(&machine, keep);
	regs = &machine.run->regs;
	regs->rax = (uint32_t)mask;
	regs->rdx = mask >> 32;
	regs->r8 = size - HEADER - 64;
	for (int i = 0; i < 2; i++)
		check(pthread_create(&spoilers[i], NULL, spoil, &machine) == 0, "pthread_create");
	check(pthread_create(&thread, NULL, move, &mover) == 0, "pthread_create");
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(regs->rbx == 0, "after %lu looks, near 0x%llx", *guest_u64(&machine, COUNT),
	      regs->rdi - COPY);
	pthread_join(thread, NULL);
	for (int i = 0; i < 2; i++)	/* they read @machine, which is on this stack */
		pthread_join(spoilers[i], NULL);
	fprintf(stderr, "XCR0 0x%lx, %u bytes, %lu looks, %llu entries", mask, size,
		*guest_u64(&machine, COUNT), machine.run->entries);
}
