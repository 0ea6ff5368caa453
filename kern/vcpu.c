// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU is a descriptor and a page shared with the process. The thread that calls DUNE_RUN lends
 * the vCPU its time, its FPU registers and its address space, and gets the CPU back at the first
 * event that only user space can handle.
 *
 * FPU state is never switched: the guest computes in the thread's own registers. When the kernel
 * has put them away (TIF_NEED_FPU_LOAD) we return to user space instead of entering, because the
 * way there reloads them and needs no symbol that later kernels keep to themselves. The same
 * return also runs signals, task work and the scheduler, which keeps this loop free of all three.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/trapnr.h>

#include "statistics.h"

/*
 * _TIF_USER_RETURN_NOTIFY: KVM leaves its guest's SYSCALL MSRs in the CPU until then, and ours
 * would see and lose them.
 */
#define ENTRY_WORK                                                                         \
	(_TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME | _TIF_NEED_RESCHED |    \
	 _TIF_NEED_RESCHED_LAZY | _TIF_USER_RETURN_NOTIFY | _TIF_NEED_FPU_LOAD)

/* One world switch. Returns false, without entering, when the thread has to go to user space. */
static bool enter_guest(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	bool entered, flush;
	u64 generation;
	int cpu;

	cpu = get_cpu();
	if (vendor()->prepare)
		vendor()->prepare(vcpu);
	local_irq_disable();
	if (read_thread_flags() & ENTRY_WORK) {
		local_irq_enable();
		put_cpu();
		return false;
	}
	cpumask_set_cpu(cpu, vm->guest_cpus);
	smp_mb__after_atomic();		/* pairs with vm_flush_tlb() */
	generation = atomic64_read(&vm->tlb_generation);
	flush = generation != vcpu->tlb_generation;
	vcpu->tlb_generation = generation;
	trace_dune_entry(vcpu, flush);
	predictors_enter(vm);
	interrupt_enter_guest(vcpu, cpu);
	interrupt_deliver(vcpu);
	debug_registers_load(vcpu);
	entered = vendor()->enter(vcpu, flush);
	debug_registers_restore(vcpu);
	interrupt_leave_guest(vcpu);
	cpumask_clear_cpu(cpu, vm->guest_cpus);
	local_irq_enable();		/* what made the guest exit is taken here */
	put_cpu();
	vcpu->run->tlb_flushes += entered && flush;
	vcpu->run->entries += entered;
	vcpu->run->kicks = atomic64_read(&vcpu->kicks);
	return entered;
}

/*
 * Exceptions that 64-bit code can raise, and those of them with an error code. CPUs refuse to
 * inject others, or these with the wrong shape (APM 2 15.20, SDM 3C 26.2.1.3), and then the state.
 */
#define EXCEPTIONS_WITH_ERROR_CODE						\
	(BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) |		\
	 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) |		\
	 BIT(X86_TRAP_AC))
#define EXCEPTIONS								\
	(BIT(X86_TRAP_DE) | BIT(X86_TRAP_DB) | BIT(X86_TRAP_BP) |		\
	 BIT(X86_TRAP_UD) | BIT(X86_TRAP_NM) | BIT(X86_TRAP_MF) |		\
	 BIT(X86_TRAP_MC) | BIT(X86_TRAP_XF) | EXCEPTIONS_WITH_ERROR_CODE)
#define ERROR_CODE_BITS 15

static bool event_valid(const struct dune_event *event)
{
	if (event->valid != 1 || event->pad || event->vector > 31)
		return false;
	if (!(EXCEPTIONS & BIT(event->vector)))
		return false;
	if (event->has_error_code != !!(EXCEPTIONS_WITH_ERROR_CODE & BIT(event->vector)))
		return false;
	return !(event->error_code >> (event->has_error_code ? ERROR_CODE_BITS : 0));
}

static int take_injection(struct vcpu *vcpu)
{
	struct dune_event event;

	/* Once: user space may change it at any moment. */
	memcpy(&event, &vcpu->run->inject, sizeof(event));
	barrier();
	if (!event.valid)
		return 0;
	if (!event_valid(&event))
		return -EINVAL;
	vcpu->run->inject.valid = 0;
	note_injection(vcpu->vm, &event);
	vendor()->inject(vcpu, &event);
	return 0;
}

static long vcpu_run(struct vcpu *vcpu)
{
	struct dune_run *run = vcpu->run;
	long ret;

	if (vcpu->dead)
		return -EIO;
	ret = take_injection(vcpu);
	if (ret)
		return ret;
	do {
		run->exit_reason = DUNE_EXIT_INTERRUPTED;
		if (READ_ONCE(run->immediate_exit) || !enter_guest(vcpu))
			return 0;
		ret = vendor()->handle_exit(vcpu);
	} while (ret > 0);
	return ret;
}

static bool is_canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;	/* 48 bits: there is no CR4.LA57 */
}

/*
 * What every vendor wants of a guest's state, so that none finds out at the entry (SDM 3C 26.3.1 is
 * the stricter one). Control registers are up to the vendor.
 */
static bool state_valid(const struct dune_state *state)
{
	if (state->pad0 || state->pad1 || memchr_inv(state->reserved, 0, sizeof(state->reserved)))
		return false;
	if (!is_canonical(state->fs_base) || !is_canonical(state->gs_base) ||
	    !is_canonical(state->kernel_gs_base) || !is_canonical(state->lstar) ||
	    !is_canonical(state->gdt_base) || !is_canonical(state->idt_base) ||
	    !is_canonical(state->tss_base))
		return false;
	if ((state->gdt_limit | state->idt_limit | state->tss_limit) > 0xffff)
		return false;
	/* In the GDT, at CPL 0. */
	if ((state->cs | state->ss | state->tss_selector) & 7)
		return false;
	return true;
}

static long set_state(struct vcpu *vcpu, const void __user *user)
{
	struct dune_state state;

	if (copy_from_user(&state, user, sizeof(state)))
		return -EFAULT;
	if (!state_valid(&state))
		return -EINVAL;
	return vendor()->set_state(vcpu, &state);
}

static long get_state(struct vcpu *vcpu, void __user *user)
{
	struct dune_state state = {};

	vendor()->get_state(vcpu, &state);
	return copy_to_user(user, &state, sizeof(state)) ? -EFAULT : 0;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vcpu *vcpu = file->private_data;
	long ret;

	if (current->mm != vcpu->vm->mm)
		return -EIO;
	if (cmd == DUNE_INTERRUPT)
		return interrupt_raise(vcpu, arg);
	/* Not a sleeping lock: two threads in one vCPU is a bug of the caller, not a queue. */
	if (!mutex_trylock(&vcpu->run_lock))
		return -EBUSY;

	switch (cmd) {
	case DUNE_RUN:
		ret = arg ? -EINVAL : vcpu_run(vcpu);
		break;
	case DUNE_GET_STATE:
		ret = get_state(vcpu, (void __user *)arg);
		break;
	case DUNE_SET_STATE:
		ret = set_state(vcpu, (const void __user *)arg);
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&vcpu->run_lock);
	return ret;
}

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vcpu *vcpu = file->private_data;

	if (current->mm != vcpu->vm->mm)
		return -EIO;
	if (vma->vm_pgoff != 0 || vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* A forked child has no business in its parent's registers. */
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND);
	return vm_insert_page(vma, vma->vm_start, virt_to_page(vcpu->run));
}

static void vcpu_free(struct vcpu *vcpu)
{
	tdp_cache_free(&vcpu->cache);
	free_page((unsigned long)vcpu->run);
	kfree(vcpu);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct vcpu *vcpu = file->private_data;
	struct vm *vm = vcpu->vm;

	vendor()->vcpu_destroy(vcpu);
	vcpu_free(vcpu);
	atomic_dec(&vm->vcpus);
	vm_put(vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

/* Returns the new descriptor, or -errno. */
int vcpu_create_fd(struct vm *vm)
{
	struct vcpu *vcpu;
	int ret = -ENOMEM;

	if (atomic_inc_return(&vm->vcpus) > DUNE_MAX_VCPUS) {
		ret = -ENOSPC;
		goto dec;
	}
	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		goto dec;
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->run)
		goto free;
	mutex_init(&vcpu->run_lock);
	interrupt_init(vcpu);
	vcpu->vm = vm;
	ret = vendor()->vcpu_create(vcpu);
	if (ret)
		goto free;
	kref_get(&vm->kref);
	ret = anon_inode_getfd("dune-vcpu", &vcpu_fops, vcpu, O_RDWR | O_CLOEXEC);
	if (ret < 0)
		goto put;
	return ret;

put:
	vm_put(vm);
	vendor()->vcpu_destroy(vcpu);
free:
	vcpu_free(vcpu);
dec:
	atomic_dec(&vm->vcpus);
	return ret;
}
