#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# dune_req.sh: can this machine load dune.ko, and build it? Looks, and changes nothing. Needs no
# root, no Python, no bash: POSIX sh with sed and cat, so a rescue system's busybox will do.
#
# One line for each requirement:
#	ok    ID  what is there
#	warn  ID  what may hurt; next: what to do about it
#	fail  ID  what is missing; next: what to do about it
#
# Exit status: 0 no "fail"; 1 the module cannot be loaded or used here; 4 a module built elsewhere
# can, but it cannot be built here; 2 wrong usage.
#
# DUNE_ROOT is a directory to look in instead of /: with copies of another machine's /proc, /sys,
# /boot and /lib/modules, that machine is judged.

root=${DUNE_ROOT:-}
backends="svm vmx"		# what kern/ has: a folder for each
tested="6.1 6.12"	# kernels the suites run on

usable=0
buildable=0

line() {
	printf '%-5s %-11s %s\n' "$1" "$2" "$3${4:+; next: $4}"
}

ok() {
	line ok "$1" "$2"
}

warn() {
	line warn "$1" "$2" "$3"
}

cannot_use() {
	line fail "$1" "$2" "$3"
	usable=1
}

cannot_build() {
	line fail "$1" "$2" "$3"
	buildable=1
}

# contents FILE: nothing if there is no such file, or this user may not read it.
contents() {
	cat "$root$1" 2>/dev/null
}

# cpu_field NAME: of the first processor.
cpu_field() {
	contents /proc/cpuinfo | sed -n "s/^$1[[:space:]]*:[[:space:]]*//p" | sed 1q
}

# has WORD LIST...
has() {
	case " $2 " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

# option NAME: its value in the kernel's configuration, as y or "text"; empty if it is not set.
option() {
	printf '%s\n' "$config" | sed -n "s/^CONFIG_$1=//p"
}

# program NAME: its path, below DUNE_ROOT if that is set.
program() {
	if [ -z "$root" ]; then
		command -v "$1"
	elif [ -x "$root/usr/bin/$1" ]; then
		echo "$root/usr/bin/$1"
	fi
}

gather() {
	flags=$(cpu_field flags)
	vendor=$(cpu_field vendor_id)
	release=$(contents /proc/sys/kernel/osrelease)
	build=/lib/modules/$release/build
	config=
	for file in "/boot/config-$release" "/lib/modules/$release/config" "$build/.config"; do
		[ -n "$config" ] || config=$(contents "$file")
	done
	if [ -z "$config" ] && [ -r "$root/proc/config.gz" ]; then
		config=$(gzip -dc "$root/proc/config.gz" 2>/dev/null)
	fi
	virtual=
	if has hypervisor "$flags"; then
		virtual=$(contents /sys/class/dmi/id/sys_vendor)
		virtual=${virtual:-$(contents /sys/hypervisor/type)}
		virtual=${virtual:-an unknown hypervisor}
	fi
}

check_place() {
	if [ -n "$virtual" ]; then
		ok place "nested: a virtual machine of $virtual"
	else
		ok place "bare metal: no hypervisor below"
	fi
}

no_virtualization() {
	if [ -n "$virtual" ]; then
		cannot_use cpu "this virtual machine has neither SVM nor VT-x" \
			"switch nesting on below it (QEMU: -cpu host, or -cpu EPYC,+svm,+npt)"
		return
	fi
	case $vendor in
	AuthenticAMD | HygonGenuine)
		cannot_use cpu "no SVM: the firmware has switched it off" \
			"enable SVM in the BIOS set-up" ;;
	GenuineIntel)
		cannot_use cpu "no VT-x: the firmware has switched it off" \
			"enable VT-x in the BIOS set-up" ;;
	*)
		cannot_use cpu "no SVM and no VT-x" "use a machine with an AMD or Intel CPU" ;;
	esac
}

# backend NAME TEXT FLAG PAGING FIX: a CPU that has the extension NAME.
backend() {
	if ! has "$1" "$backends"; then
		cannot_use cpu "$2, for which this module has no back end yet" \
			"use a machine with: $backends"
	elif ! has "$3" "$flags $(cpu_field 'vmx flags')"; then
		cannot_use cpu "$2 without $4" "$5"
	else
		ok cpu "$2 with $4"
	fi
}

check_cpu() {
	if ! has lm "$flags"; then
		cannot_use cpu "not an x86-64 CPU" "use a machine with an AMD or Intel CPU"
	elif has svm "$flags"; then
		backend svm "AMD-V (SVM)" npt "nested paging (NPT)" \
			"give the virtual machine NPT (QEMU: -cpu EPYC,+svm,+npt)"
	elif has vmx "$flags"; then
		backend vmx "VT-x" ept "nested paging (EPT)" \
			"give the virtual machine EPT (KVM: modprobe kvm_intel ept=1 nested=1)"
	else
		no_virtualization
	fi
}

check_paging() {
	bits=$(cpu_field 'address sizes' | sed -n 's/^\([0-9]*\) bits physical.*/\1/p')
	has lm "$flags" || return
	if has la57 "$flags"; then
		warn paging "5-level paging, which no suite has run on" \
			"boot with no5lvl if anything fails"
	else
		ok paging "4 levels, ${bits:-unknown} bits of physical address"
	fi
}

check_kernel() {
	major=${release%%.*}
	minor=${release#*.}
	minor=${minor%%[!0-9]*}
	case $major,$minor in
	*[!0-9,]* | ,* | *,)
		cannot_use kernel "its version '$release' is none of Linux" "uname -r"
		return ;;
	esac
	if [ "$major" -lt 6 ] || [ "$major.$minor" = 6.0 ]; then
		cannot_use kernel "Linux $release is too old" "install Linux 6.1 or newer"
	elif has "$major.$minor" "$tested"; then
		ok kernel "Linux $release"
	else
		warn kernel "Linux $release: the suites run on $tested only" \
			"run make test there, or install one of these"
	fi
}

check_config() {
	missing=
	if [ -z "$config" ]; then
		warn config "the kernel's configuration is not readable" \
			"look for MODULES and MMU_NOTIFIER in /boot/config-$release"
		return
	fi
	for name in MODULES MMU_NOTIFIER; do
		[ "$(option $name)" = y ] || missing="$missing CONFIG_$name"
	done
	if [ -n "$missing" ]; then
		cannot_use config "the kernel was built without$missing" \
			"install the distribution's kernel (any with KVM enabled will do)"
	else
		ok config "modules and mmu notifiers are in the kernel"
	fi
}

check_loading() {
	locked=$(contents /sys/kernel/security/lockdown)
	if [ "$(contents /proc/sys/kernel/modules_disabled)" = 1 ]; then
		cannot_use loading "no module can be loaded until the next boot" \
			"unset kernel.modules_disabled in /etc/sysctl.d, and reboot"
	elif case $locked in *\[integrity\]* | *\[confidentiality\]*) true ;; *) false ;; esac; then
		cannot_use loading "the kernel is locked down (Secure Boot): signed modules only" \
			"sign dune.ko with a key from mokutil --import, or switch Secure Boot off"
	elif [ "$(contents /sys/module/module/parameters/sig_enforce)" = Y ]; then
		cannot_use loading "the kernel takes signed modules only" \
			"sign dune.ko, or boot without module.sig_enforce"
	else
		ok loading "unsigned modules are taken"
	fi
}

check_headers() {
	if [ -e "$root$build/Makefile" ]; then
		ok headers "$build"
		return
	fi
	case $release in
	*-amd64 | *-generic) package="apt-get install linux-headers-$release" ;;
	*.el[0-9]* | *.fc[0-9]*) package="dnf install kernel-devel-$release" ;;
	*) package="install the headers of this kernel, or make modules_prepare in its source" ;;
	esac
	cannot_build headers "$build is not there" "$package"
}

# The compiler that built the kernel: others may lack options the kernel's makefiles ask for.
check_compiler() {
	built_by=$(option CC_VERSION_TEXT)
	built_by=${built_by:-$(contents /proc/version)}
	# Of "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0" the 12.
	want=$(printf '%s\n' "$built_by" |
		sed -n 's/.*gcc[^ ]* ([^)]*) \([0-9][0-9]*\).*/\1/p')
	case $built_by in
	*clang*)
		warn compiler "the kernel was built by clang" "build with make -C kern LLVM=1"
		return ;;
	esac
	for name in make ld; do
		if [ -z "$(program "$name")" ]; then
			cannot_build compiler "there is no $name" \
				"apt-get install make gcc binutils"
			return
		fi
	done
	cc=$(program "gcc-${want:-none}")
	cc=${cc:-$(program gcc)}
	if [ -z "$cc" ]; then
		cannot_build compiler "there is no gcc" "apt-get install gcc${want:+-$want}"
		return
	fi
	have=$("$cc" -dumpversion 2>/dev/null)
	have=${have%%.*}
	if [ -z "$want" ] || [ "$have" = "$want" ]; then
		ok compiler "gcc ${have:-of unknown version}"
	elif [ "$have" -lt "$want" ] 2>/dev/null; then
		cannot_build compiler "gcc $have is older than the kernel's, $want" \
			"apt-get install gcc-$want"
	else
		warn compiler "gcc $have, but the kernel was built by gcc $want" \
			"apt-get install gcc-$want && make -C kern CC=gcc-$want"
	fi
}

# Only one hypervisor can put the CPUs into SVM or VMX operation. Beside KVM the module works inside
# KVM's; others cannot lend theirs.
check_other() {
	for module in kvm_amd kvm_intel; do
		[ -d "$root/sys/module/$module" ] || continue
		ok hypervisor "$module is loaded; beside it the module works on a lease"
		return
	done
	for module in vboxdrv vmmon; do
		[ -d "$root/sys/module/$module" ] || continue
		warn hypervisor "$module is loaded: its machines and ours cannot run together" \
			"modprobe -r $module"
		return
	done
	ok hypervisor "no other hypervisor module is loaded"
}

check_hugepages() {
	free=$(contents /proc/meminfo | sed -n 's/^HugePages_Free: *//p')
	thp=$(contents /sys/kernel/mm/transparent_hugepage/enabled)
	case $thp in
	*\[always\]* | *\[madvise\]*) ok hugepages "transparent ones, and ${free:-0} reserved" ;;
	*)
		if [ "${free:-0}" -gt 0 ]; then
			ok hugepages "$free reserved"
		else
			warn hugepages "none: everything works, large pools are slower" \
				"echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
		fi ;;
	esac
}

check_device() {
	if [ ! -e "$root/dev/dune" ]; then
		ok device "/dev/dune comes with the module, which is not loaded"
	elif [ -r "$root/dev/dune" ] && [ -w "$root/dev/dune" ]; then
		ok device "/dev/dune may be opened by this user"
	else
		cannot_use device "/dev/dune may not be opened by this user" \
			"install kern/60-dune.rules, then usermod -aG dune $(id -un)"
	fi
}

if [ $# -gt 0 ]; then
	echo "usage: [DUNE_ROOT=DIRECTORY] sh dune_req.sh" >&2
	exit 2
fi
gather
check_place
check_cpu
check_paging
check_kernel
check_config
check_loading
check_headers
check_compiler
check_other
check_hugepages
check_device
[ "$usable" -eq 0 ] || exit 1
[ "$buildable" -eq 0 ] || exit 4
