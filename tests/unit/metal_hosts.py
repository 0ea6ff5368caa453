# SPDX-License-Identifier: BSD-2-Clause
"""Two machines as ``/proc`` and ``/sys`` show them, written by hand."""

from __future__ import annotations

from pathlib import Path

CPUS = "sys/devices/system/cpu"

INTEL = {
    "proc/cpuinfo": """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 5320 CPU @ 2.20GHz
microcode\t: 0xd0003a5
flags\t\t: fpu vme msr pae vmx sse2 ept
vmx flags\t: vnmi preemption_timer

processor\t: 1
vendor_id\t: GenuineIntel
flags\t\t: fpu vme msr pae vmx sse2 ept
""",
    "proc/meminfo": "MemTotal:       263773928 kB\nMemFree: 1 kB\n",
    "proc/cmdline": "root=/dev/sda1 mitigations=auto\n",
    "proc/sys/kernel/osrelease": "6.1.0-49-amd64\n",
    f"{CPUS}/smt/control": "on\n",
    f"{CPUS}/cpu0/cpufreq/scaling_governor": "powersave\n",
    f"{CPUS}/cpu1/cpufreq/scaling_governor": "powersave\n",
    f"{CPUS}/intel_pstate/no_turbo": "0\n",
    f"{CPUS}/vulnerabilities/l1tf": "Not affected\n",
    f"{CPUS}/vulnerabilities/mds": "Mitigation: Clear CPU buffers; SMT vulnerable\n",
    "sys/module/kvm_intel/parameters/nested": "Y\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "512\n",
    "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "0\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
}

AMD_IN_A_CLOUD = {
    "proc/cpuinfo": """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7713 64-Core Processor
flags\t\t: fpu msr svm npt hypervisor
""",
    "proc/sys/kernel/osrelease": "6.12.9-amd64\n",
    f"{CPUS}/smt/control": "notsupported\n",
    f"{CPUS}/cpu0/cpufreq/scaling_governor": "performance\n",
    f"{CPUS}/cpu1/cpufreq/scaling_governor": "ondemand\n",
    f"{CPUS}/cpufreq/boost": "0\n",
    "sys/module/kvm_amd/parameters/nested": "0\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
}

CORES = {0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7"}
"""Four cores of two threads each, as firmware of Intel's machines numbers them."""


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def plant_topology(root: Path, cores: dict[int, str]) -> Path:
    name = f"{CPUS}/cpu{{}}/topology/thread_siblings_list"
    return plant(root, {name.format(cpu): f"{siblings}\n" for cpu, siblings in cores.items()})
