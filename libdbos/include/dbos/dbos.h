/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libdbos: the guest kernel of a privileged process.
 *
 *	dbos_init()	once per process
 *	dbos_enter()	per thread: returns at CPL 0 of a virtual CPU, on the same stack, at the
 *			same addresses, with the same open files
 *	dbos_on_*()	take over page faults, exceptions, interrupts and system calls
 *	dbos_leave()	back to an ordinary thread
 *
 * In between the thread owns its page tables (<dbos/mm.h>). System calls go to the host kernel,
 * made by the thread itself from user space, so seccomp, ptrace, signals and accounting see what
 * they always see. A thread that is created inside begins outside, and may enter. The child of
 * fork(), vfork() or posix_spawn() is an ordinary process: outside, and after fork() free to call
 * dbos_init() for a virtual machine of its own. clone3() is -ENOSYS: libc falls back to clone().
 * Signal handlers of a thread that is inside run inside, with the frames, masks and stacks that
 * they have outside; never in the middle of one of the handlers below. What else a signal does, the
 * host does. On KVM signal 64 (SIGRTMAX) is libdbos's own: a handler for it is never called.
 *
 * Reachable inside is whatever the process has mapped: the neighbourhoods of the program, its heap,
 * the stacks, the mmap area and low addresses from the beginning, others (fixed addresses far from
 * these) from their first use on, as long as guest-physical space lasts: with 40 bits about twenty
 * neighbourhoods of 16 GiB. Beyond that it faults.
 *
 * Every function returns 0 or a positive result, or -errno. None prints, none exits.
 */
#ifndef DBOS_DBOS_H
#define DBOS_DBOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbos/trap.h>

struct dbos;

/*
 * On the backend that the environment's DBOS_BACKEND names ("dune": our module, "kvm": stock
 * /dev/kvm); if it is unset or empty, on the first of them that works.
 *
 * -EINVAL: no backend of that name; -ENOENT: no /dev/dune (load the module) and no /dev/kvm, or not
 * the one asked for; -EACCES: it is not yours to open; -EPROTO: another interface version; -EBUSY:
 * another hypervisor has the CPU; -EOPNOTSUPP: KVM lacks what we need; -E2BIG: the CPU's physical
 * addresses are too narrow for this process's layout; -ENOMEM; -EMFILE. dbos_caps() tells more.
 * Without side effects on failure. A second call is 0.
 */
int dbos_init(void);

/*
 * Makes the calling thread privileged; on return it runs at CPL 0. -EINVAL before dbos_init();
 * -EALREADY inside; -EAGAIN: 256 threads are; -ENOSPC: no guest-physical space is left for the
 * stack of the caller; -ENOMEM; -EMFILE. dbos_leave() gives everything back that dbos_enter() took;
 * -EINVAL outside and in handlers; -EBUSY on a snapshot. Both -EBUSY while the caller has stopped
 * the world.
 */
int dbos_enter(void);
int dbos_leave(void);

/* The calling thread is inside. */
bool dbos_inside(void);

/* The process's instance once dbos_init() has succeeded, else NULL. */
struct dbos *dbos_instance(void);

#define DBOS_BACKENDS 2

/* A backend that the last dbos_init() tried in vain. */
struct dbos_refusal {
	const char *backend;
	int error;		/* -errno */
	char why[160];		/* in words: what is missing, by name */
};

struct dbos_caps {
	const char *backend;	/* "dune" or "kvm" */
	const char *vendor;	/* "svm" or "vmx" */
	unsigned int gpa_bits;
	bool gigabyte_pages;
	size_t refused_count;
	struct dbos_refusal refused[DBOS_BACKENDS];
};

/* With NULL, after a dbos_init() that failed, only what was refused. Always 0. */
int dbos_caps(const struct dbos *dbos, struct dbos_caps *caps);

/* Exact counters of the calling thread's vCPU since it entered; -EINVAL outside. */
struct dbos_vcpu_stats {
	uint64_t entries;	/* world switches: one per exit from the guest */
	uint64_t faults;	/* second-level faults the hypervisor resolved */
	uint64_t tlb_flushes;
	uint64_t syscalls;	/* made by the host on the guest's behalf */
};

int dbos_vcpu_stats(struct dbos_vcpu_stats *stats);

/*
 * Handlers are asked newest first until one returns DBOS_HANDLED. They run at CPL 0 with
 * interrupts off on the vCPU's own trap stack (64 KiB, shared by nested traps; they must stay on
 * it), may fault and make system calls. Like a signal handler, one for faults must not wait for a
 * lock that the interrupted code may hold, such as malloc's or stdio's. They are never
 * unregistered. Registering is thread-safe, takes effect on every vCPU at its next trap, and
 * returns -EINVAL, -ENOMEM or 0.
 */
enum dbos_verdict { DBOS_NEXT, DBOS_HANDLED };

typedef enum dbos_verdict (*dbos_fault_fn)(void *arg, uintptr_t va, uint64_t fec,
					   struct dbos_tf *tf);
typedef enum dbos_verdict (*dbos_trap_fn)(void *arg, struct dbos_tf *tf);

/*
 * Page faults with lo <= va < hi: of the guest's own page table, and of addresses where the
 * process has nothing mapped or not with that right. An access through a remapped page whose
 * frame lost its host memory is reported at the frame's own address. A fault nobody handles is the
 * signal that Linux would send; if that ends the process, the registers are on descriptor 2.
 */
int dbos_on_fault(struct dbos *dbos, uintptr_t lo, uintptr_t hi, dbos_fault_fn fn, void *arg);

/*
 * Exceptions and interrupts by vector 0..254 (not 14; 255 is libdbos's own). Unhandled: the signal
 * Linux would send.
 */
int dbos_on_intr(struct dbos *dbos, int vector, dbos_trap_fn fn, void *arg);

/* System calls. */
#include <dbos/syscall.h>

#endif /* DBOS_DBOS_H */
