// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a CPU must have, by its capability MSRs (SDM 3D, appendix A). All that is missing is named
 * in one message: whoever has to choose another machine needs the whole list.
 *
 * Each set of controls has an MSR that says which bits must be one (its low half) and which may be
 * (its high half). A control we do not name takes the value it must have.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/tsc.h>

#include "vmx/vmx.h"

#define BASIC_TRUE_CONTROLS BIT_ULL(55)	/* the MSRs below exist in a truer version */
#define BASIC_MEMORY_TYPE   GENMASK_ULL(53, 50)
#define MEMORY_TYPE_WB	    6

/*
 * A guest that has interrupts off must leave all the same when one comes for the host, and
 * processors see to that. Bochs 2.7 does not after an entry with RFLAGS.IF clear: it masks what is
 * pending and forgets to look again. So the preemption timer, where there is one, ends each stay in
 * the guest. Elsewhere that is a hundred exits a second which do nothing.
 */
#define WATCHDOG_MS 10

#define VPID_CAP(bit) ((u64)(bit) << 32)

struct feature {
	u64 bit;
	const char *name;
};

struct feature_list {
	const struct feature *features;
	unsigned int count;
};

#define FEATURES(list) { list, ARRAY_SIZE(list) }

static const struct feature pin_required[] = {
	{ PIN_BASED_EXT_INTR_MASK, "external-interrupt exiting" },
	{ PIN_BASED_NMI_EXITING, "NMI exiting" },
};

static const struct feature primary_required[] = {
	{ CPU_BASED_HLT_EXITING, "HLT exiting" },
	{ CPU_BASED_MWAIT_EXITING, "MWAIT exiting" },
	{ CPU_BASED_MONITOR_EXITING, "MONITOR exiting" },
	{ CPU_BASED_RDPMC_EXITING, "RDPMC exiting" },
	{ CPU_BASED_CR8_LOAD_EXITING, "CR8-load exiting" },
	{ CPU_BASED_CR8_STORE_EXITING, "CR8-store exiting" },
	{ CPU_BASED_MOV_DR_EXITING, "MOV-DR exiting" },
	{ CPU_BASED_UNCOND_IO_EXITING, "unconditional I/O exiting" },
	{ CPU_BASED_USE_MSR_BITMAPS, "MSR bitmaps" },
	{ CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, "secondary controls" },
};

/* Switched on for some entries only. */
static const struct feature primary_at_times[] = {
	{ CPU_BASED_INTR_WINDOW_EXITING, "interrupt-window exiting" },
};

/* Without nested paging these had to exit, and the first processors could not do otherwise. */
static const struct feature primary_avoidable[] = {
	{ CPU_BASED_CR3_LOAD_EXITING, "running without CR3-load exiting" },
	{ CPU_BASED_CR3_STORE_EXITING, "running without CR3-store exiting" },
	{ CPU_BASED_INVLPG_EXITING, "running without INVLPG exiting" },
};

static const struct feature secondary_required[] = {
	{ SECONDARY_EXEC_ENABLE_EPT, "EPT" },
	{ SECONDARY_EXEC_ENABLE_VPID, "VPID" },
	{ SECONDARY_EXEC_WBINVD_EXITING, "WBINVD exiting" },
};

static const struct feature exit_required[] = {
	{ VM_EXIT_HOST_ADDR_SPACE_SIZE, "64-bit host" },
	{ VM_EXIT_SAVE_DEBUG_CONTROLS, "saving debug controls at exits" },
	{ VM_EXIT_LOAD_IA32_PAT, "loading PAT at exits" },
	{ VM_EXIT_LOAD_IA32_EFER, "loading EFER at exits" },
};

static const struct feature entry_required[] = {
	{ VM_ENTRY_IA32E_MODE, "64-bit guests" },
	{ VM_ENTRY_LOAD_DEBUG_CONTROLS, "loading debug controls at entries" },
	{ VM_ENTRY_LOAD_IA32_PAT, "loading PAT at entries" },
	{ VM_ENTRY_LOAD_IA32_EFER, "loading EFER at entries" },
};

static const struct feature ept_vpid_required[] = {
	{ VMX_EPT_PAGE_WALK_4_BIT, "4-level EPT" },
	{ VMX_EPTP_WB_BIT, "write-back EPT" },
	{ VMX_EPT_INVEPT_BIT, "INVEPT" },
	{ VMX_EPT_EXTENT_CONTEXT_BIT, "single-context INVEPT" },
	{ VMX_EPT_EXTENT_GLOBAL_BIT, "global INVEPT" },
	{ VPID_CAP(VMX_VPID_INVVPID_BIT), "INVVPID" },
	{ VPID_CAP(VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT), "single-context INVVPID" },
	{ VPID_CAP(VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT), "all-context INVVPID" },
};

/*
 * Instructions that are #UD in the guest without these, though CPUID shows them; and one that a
 * guest must not use. For XSAVES see XSS_EXIT_BITMAP in guest_state.c.
 */
#define SECONDARY_WANTED						\
	(SECONDARY_EXEC_ENABLE_RDTSCP | SECONDARY_EXEC_ENABLE_INVPCID |	\
	 SECONDARY_XSAVES | SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE |	\
	 SECONDARY_EXEC_ENCLS_EXITING)

struct missing {
	char names[384];
	size_t length;
};

static struct vmx_capabilities capabilities __ro_after_init;

const struct vmx_capabilities *vmx_capabilities(void)
{
	return &capabilities;
}

static void note(struct missing *missing, const char *name)
{
	missing->length += scnprintf(missing->names + missing->length,
				     sizeof(missing->names) - missing->length, "%s%s",
				     missing->length ? ", " : "", name);
}

/* Returns the bits of all features of the list, and notes those that are not @available. */
static u64 require(struct feature_list list, u64 available, struct missing *missing)
{
	u64 bits = 0;
	unsigned int i;

	for (i = 0; i < list.count; i++) {
		bits |= list.features[i].bit;
		if (!(available & list.features[i].bit))
			note(missing, list.features[i].name);
	}
	return bits;
}

static u64 read_msr_or_0(u32 msr)
{
	u64 value;

	return rdmsrl_safe(msr, &value) ? 0 : value;
}

static u32 controls(u32 msr, struct feature_list required, u32 wanted, struct missing *missing)
{
	u64 allowed = read_msr_or_0(msr);
	u32 must = allowed, may = allowed >> 32;

	wanted |= require(required, may, missing);
	return (wanted & may) | must;
}

static void read_capabilities(struct vmx_capabilities *caps, struct missing *missing)
{
	static const struct feature_list pin = FEATURES(pin_required);
	static const struct feature_list primary = FEATURES(primary_required);
	static const struct feature_list at_times = FEATURES(primary_at_times);
	static const struct feature_list avoidable = FEATURES(primary_avoidable);
	static const struct feature_list secondary = FEATURES(secondary_required);
	static const struct feature_list exit = FEATURES(exit_required);
	static const struct feature_list entry = FEATURES(entry_required);
	static const struct feature_list ept_vpid = FEATURES(ept_vpid_required);
	u64 basic = read_msr_or_0(MSR_IA32_VMX_BASIC);
	/* The true ones lie in the same order, 12 further on (SDM 3D A.2). */
	u32 shift = basic & BASIC_TRUE_CONTROLS ?
		    MSR_IA32_VMX_TRUE_PINBASED_CTLS - MSR_IA32_VMX_PINBASED_CTLS : 0;
	u64 ept_cap = 0;

	memset(caps, 0, sizeof(*caps));
	caps->revision = vmx_basic_vmcs_revision_id(basic);
	if (FIELD_GET(BASIC_MEMORY_TYPE, basic) != MEMORY_TYPE_WB)
		note(missing, "write-back VMCS");
	caps->pin = controls(MSR_IA32_VMX_PINBASED_CTLS + shift, pin,
			     PIN_BASED_VMX_PREEMPTION_TIMER, missing);
	caps->watchdog_ticks = (u64)tsc_khz * WATCHDOG_MS >>
			       vmx_misc_preemption_timer_rate(read_msr_or_0(MSR_IA32_VMX_MISC));
	caps->primary = controls(MSR_IA32_VMX_PROCBASED_CTLS + shift, primary, 0, missing);
	require(at_times, read_msr_or_0(MSR_IA32_VMX_PROCBASED_CTLS + shift) >> 32, missing);
	require(avoidable, ~caps->primary, missing);
	if (caps->primary & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		caps->secondary = controls(MSR_IA32_VMX_PROCBASED_CTLS2, secondary,
					   SECONDARY_WANTED, missing);
	else
		require(secondary, 0, missing);
	caps->exit = controls(MSR_IA32_VMX_EXIT_CTLS + shift, exit, 0, missing);
	caps->entry = controls(MSR_IA32_VMX_ENTRY_CTLS + shift, entry, 0, missing);
	if (caps->secondary & (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VPID))
		ept_cap = read_msr_or_0(MSR_IA32_VMX_EPT_VPID_CAP);
	require(ept_vpid, ept_cap, missing);
	caps->ept_accessed_dirty = ept_cap & VMX_EPT_AD_BIT;
	caps->ept_2m = ept_cap & VMX_EPT_2MB_PAGE_BIT;
	caps->ept_1g = ept_cap & VMX_EPT_1GB_PAGE_BIT;
}

/* Linux clears its VMX flag when the firmware has locked VT-x out; CPUID does not. */
static int check_switched_on(void)
{
	u64 control = read_msr_or_0(MSR_IA32_FEAT_CTL);

	if (!(cpuid_ecx(1) & BIT(5))) {
		pr_err("this CPU has no VT-x (VMX): enable it in the firmware or, in a virtual machine, start it with -cpu host or another model that has vmx\n");
		return -EOPNOTSUPP;
	}
	if (!(control & FEAT_CTL_LOCKED) || !(control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("VT-x (VMX) is switched off by the firmware: enable it in the BIOS set-up\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

int vmx_capabilities_setup(void)
{
	struct missing missing = {};
	int ret;

	ret = check_switched_on();
	if (ret)
		return ret;
#ifdef X86_FEATURE_FRED
	/* Its host state is not in the VMCS as we fill it, and INT $2 is no NMI any more. */
	if (boot_cpu_has(X86_FEATURE_FRED)) {
		pr_err("FRED event delivery is not supported: boot with fred=off\n");
		return -EOPNOTSUPP;
	}
#endif
	read_capabilities(&capabilities, &missing);
	if (missing.length) {
		pr_err("this CPU's VT-x (VMX) lacks: %s\n", missing.names);
		return -EOPNOTSUPP;
	}
	return 0;
}

bool vmx_capabilities_same(void)
{
	struct vmx_capabilities mine;
	struct missing missing = {};

	read_capabilities(&mine, &missing);
	return !missing.length && !memcmp(&mine, &capabilities, sizeof(mine));
}
