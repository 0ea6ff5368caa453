# SPDX-License-Identifier: BSD-2-Clause
"""kern/dune_req.sh on machines that are a directory each, and what the doctor makes of its lines.

The flags are abridged to those that matter; the rest of each file is as the machines have it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.config import Config
from lab.doctor.findings import Level
from lab.doctor.remote import Requirements, examine, parse, ssh_argv, to_json
from lab.errors import LabError, Status

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "kern/dune_req.sh"
RELEASE = "6.1.0-56-amd64"
GCC = "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
AMD = "fpu de pse tsc msr pae sse sse2 ht syscall nx lm svm npt lbrv svm_lock nrip_save"
INTEL = "fpu de pse tsc msr pae sse sse2 ht syscall nx lm vmx tpr_shadow ept vpid ept_ad"

SHELLS = [
    shell.split()
    for shell in ("sh", "dash", "busybox sh", "bash --posix")
    if shutil.which(shell.split()[0])
]


@dataclass
class Captured:
    """A machine as a directory. It starts as bare AMD metal with all that is wanted."""

    root: Path

    def write(self, path: str, text: str) -> Captured:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return self

    def cpu(self, vendor: str, flags: str, more: str = "", bits: int = 48) -> Captured:
        processor = (
            f"vendor_id\t: {vendor}\nflags\t\t: {flags}\n{more}"
            f"address sizes\t: {bits} bits physical, 48 bits virtual\n"
        )
        return self.write(
            "proc/cpuinfo", f"processor\t: 0\n{processor}\nprocessor\t: 1\n{processor}"
        )

    def kernel(self, release: str) -> Captured:
        return self.write("proc/sys/kernel/osrelease", f"{release}\n")

    def config(self, text: str, release: str = RELEASE) -> Captured:
        return self.write(f"boot/config-{release}", text)

    def program(self, name: str, says: str = "") -> Captured:
        self.write(f"usr/bin/{name}", f"#!/bin/sh\necho {says}\n")
        (self.root / "usr/bin" / name).chmod(0o755)
        return self

    def remove(self, path: str) -> Captured:
        (self.root / path).unlink()
        return self

    def judged(self, shell: list[str] | None = None) -> Judged:
        done = subprocess.run(
            [*(shell or ["sh"]), str(SCRIPT)],
            env={"PATH": os.environ["PATH"], "DUNE_ROOT": str(self.root)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.stderr == ""
        return Judged(done.returncode, parse("it", done.stdout, done.returncode))


@dataclass(frozen=True)
class Judged:
    status: int
    found: Requirements

    def __getitem__(self, id_: str) -> tuple[str, str, str]:
        [finding] = [finding for finding in self.found.findings if finding.id == id_]
        return finding.level.value, finding.cause, finding.next


@pytest.fixture
def machine(tmp_path: Path) -> Captured:
    made = Captured(tmp_path / "machine")
    made.cpu("AuthenticAMD", AMD).kernel(RELEASE)
    made.config(f'CONFIG_CC_VERSION_TEXT="{GCC}"\nCONFIG_MODULES=y\nCONFIG_MMU_NOTIFIER=y\n')
    made.write(f"lib/modules/{RELEASE}/build/Makefile", "")
    made.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
    made.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
    made.write("proc/meminfo", "MemTotal: 8045244 kB\nHugePages_Free:        0\n")
    return made.program("gcc-12", "12").program("make").program("ld")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_all_is_well_on_a_bare_amd_machine_in_every_shell(
    machine: Captured, shell: list[str]
) -> None:
    judged = machine.judged(shell)
    assert judged.status == 0
    assert {finding.level for finding in judged.found.findings} == {Level.OK}
    assert judged["place"][1] == "bare metal: no hypervisor below"
    assert judged["cpu"][1] == "AMD-V (SVM) with nested paging (NPT)"
    assert judged["paging"][1] == "4 levels, 48 bits of physical address"
    assert judged["compiler"][1] == "gcc 12"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_an_empty_machine_is_judged_and_not_stumbled_over(tmp_path: Path, shell: list[str]) -> None:
    judged = Captured(tmp_path).judged(shell)
    assert judged.status == 1
    assert judged["cpu"] == (
        "fail",
        "not an x86-64 CPU",
        "use a machine with an AMD or Intel CPU",
    )
    assert judged["kernel"][0] == "fail"


def test_every_complaint_says_what_to_do(tmp_path: Path, machine: Captured) -> None:
    for judged in (Captured(tmp_path / "empty").judged(), machine.judged()):
        for finding in judged.found.findings:
            assert bool(finding.next) == (finding.level is not Level.OK), finding


def test_an_amd_guest_is_told_to_be_one(machine: Captured) -> None:
    machine.cpu("AuthenticAMD", f"{AMD} hypervisor", bits=40)
    machine.write("sys/class/dmi/id/sys_vendor", "QEMU\n")
    judged = machine.judged()
    assert judged.status == 0
    assert judged["place"][1] == "nested: a virtual machine of QEMU"
    assert judged["paging"][1] == "4 levels, 40 bits of physical address"


def test_a_guest_without_virtualization_is_sent_to_its_hypervisor(machine: Captured) -> None:
    machine.cpu("GenuineIntel", "fpu nx lm hypervisor")
    judged = machine.judged()
    assert judged.status == 1
    level, cause, next_ = judged["cpu"]
    assert (level, cause) == ("fail", "this virtual machine has neither SVM nor VT-x")
    assert "switch nesting on" in next_


@pytest.mark.parametrize(
    ("vendor", "name"), [("AuthenticAMD", "SVM"), ("GenuineIntel", "VT-x"), ("HygonGenuine", "SVM")]
)
def test_metal_without_virtualization_is_sent_to_its_firmware(
    machine: Captured, vendor: str, name: str
) -> None:
    judged = machine.cpu(vendor, "fpu nx lm").judged()
    assert judged.status == 1
    assert judged["cpu"][1] == f"no {name}: the firmware has switched it off"
    assert judged["cpu"][2] == f"enable {name} in the BIOS set-up"


def test_svm_without_nested_paging_is_not_enough(machine: Captured) -> None:
    judged = machine.cpu("AuthenticAMD", AMD.replace("npt ", "")).judged()
    assert judged.status == 1
    assert judged["cpu"][1] == "AMD-V (SVM) without nested paging (NPT)"


def test_back_ends_are_those_that_the_module_has() -> None:
    [said] = re.findall(r'^backends="(.*?)"', SCRIPT.read_text(), re.M)
    there = {name for name in ("svm", "vmx") if list((ROOT / "kern" / name).glob("*.c"))}
    assert set(said.split()) == there, "set backends in kern/dune_req.sh to what kern/ has"


def test_bare_intel_metal_is_fit_as_soon_as_there_is_a_back_end(machine: Captured) -> None:
    judged = machine.cpu("GenuineIntel", INTEL, "vmx flags\t: vnmi ept vpid\n").judged()
    if (ROOT / "kern/vmx").is_dir():
        assert judged["cpu"] == ("ok", "VT-x with nested paging (EPT)", "")
    else:
        assert judged.status == 1
        assert judged["cpu"][1] == "VT-x, for which this module has no back end yet"


def test_five_level_paging_is_untested_ground(machine: Captured) -> None:
    judged = machine.cpu("AuthenticAMD", f"{AMD} la57", bits=52).judged()
    assert judged.status == 0
    assert judged["paging"][0] == "warn"
    assert "no5lvl" in judged["paging"][2]


@pytest.mark.parametrize(
    ("release", "level"),
    [
        ("5.15.0-130-generic", "fail"),
        ("6.0.12", "fail"),
        ("6.1.0-56-amd64", "ok"),
        ("6.12.57+deb13-amd64", "ok"),
        ("6.10.3", "warn"),
        ("6.8.0-51-generic", "warn"),
        ("7.2", "warn"),
        ("6.13-rc1", "warn"),
        ("six", "fail"),
        ("", "fail"),
    ],
)
def test_the_kernel_is_tested_or_new_enough_or_refused(
    machine: Captured, release: str, level: str
) -> None:
    judged = machine.kernel(release).judged()
    assert judged["kernel"][0] == level
    assert (judged.status == 1) == (level == "fail")


def test_the_configuration_is_read_from_wherever_it_is(machine: Captured) -> None:
    (machine.root / f"boot/config-{RELEASE}").unlink()
    assert machine.judged()["config"][0] == "warn"
    machine.write(f"lib/modules/{RELEASE}/build/.config", "CONFIG_MODULES=y\n")
    judged = machine.judged()
    assert judged.status == 1
    assert judged["config"][1] == "the kernel was built without CONFIG_MMU_NOTIFIER"


@pytest.mark.parametrize(
    ("path", "text", "cause"),
    [
        ("sys/kernel/security/lockdown", "none [integrity] confidentiality", "Secure Boot"),
        ("proc/sys/kernel/modules_disabled", "1", "until the next boot"),
        ("sys/module/module/parameters/sig_enforce", "Y", "signed modules only"),
    ],
)
def test_a_kernel_that_takes_no_module_of_ours_is_recognised(
    machine: Captured, path: str, text: str, cause: str
) -> None:
    judged = machine.write(path, f"{text}\n").judged()
    assert judged.status == 1
    assert judged["loading"][0] == "fail"
    assert cause in judged["loading"][1]


@pytest.mark.parametrize(
    ("release", "command"),
    [
        (RELEASE, f"apt-get install linux-headers-{RELEASE}"),
        ("6.12.0-55.el10.x86_64", "dnf install kernel-devel-6.12.0-55.el10.x86_64"),
    ],
)
def test_without_headers_it_can_be_loaded_but_not_built(
    machine: Captured, release: str, command: str
) -> None:
    machine.kernel(release).config((machine.root / f"boot/config-{RELEASE}").read_text(), release)
    shutil.rmtree(machine.root / f"lib/modules/{RELEASE}")
    judged = machine.judged()
    assert judged.status == 4
    assert judged["headers"] == ("fail", f"/lib/modules/{release}/build is not there", command)
    assert (judged.found.loads, judged.found.builds) == (True, False)


def test_an_older_compiler_than_the_kernels_is_refused_a_newer_is_not(machine: Captured) -> None:
    machine.remove("usr/bin/gcc-12").program("gcc", "10.2.1")
    assert machine.judged().status == 4
    assert machine.judged()["compiler"][:2] == ("fail", "gcc 10 is older than the kernel's, 12")
    machine.program("gcc", "14")
    assert machine.judged().status == 0
    assert machine.judged()["compiler"][:2] == (
        "warn",
        "gcc 14, but the kernel was built by gcc 12",
    )
    machine.remove("usr/bin/gcc")
    assert machine.judged()["compiler"] == ("fail", "there is no gcc", "apt-get install gcc-12")
    machine.remove("usr/bin/make")
    assert machine.judged()["compiler"][1] == "there is no make"


def test_a_kernel_built_by_clang_is_another_build(machine: Captured) -> None:
    machine.config(
        'CONFIG_CC_VERSION_TEXT="clang version 17.0.6"\nCONFIG_MODULES=y\nCONFIG_MMU_NOTIFIER=y\n'
    )
    assert machine.judged()["compiler"][2] == "build with make -C kern LLVM=1"


@pytest.mark.parametrize("module", ["kvm_amd", "kvm_intel"])
def test_kvm_is_company(machine: Captured, module: str) -> None:
    machine.write(f"sys/module/{module}/refcnt", "3\n")
    machine.write("sys/module/kvm/parameters/enable_virt_at_load", "Y\n")  # since 6.12
    judged = machine.judged()
    assert judged.status == 0
    assert judged["hypervisor"][:2] == (
        "ok",
        f"{module} is loaded; beside it the module works on a lease",
    )


def test_virtualbox_is_a_warning(machine: Captured) -> None:
    judged = machine.write("sys/module/vboxdrv/refcnt", "2\n").judged()
    assert judged.status == 0
    assert judged["hypervisor"][0] == "warn"


def test_huge_pages_come_in_two_kinds_and_none_is_no_failure(machine: Captured) -> None:
    machine.write("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n")
    judged = machine.judged()
    assert (judged.status, judged["hugepages"][0]) == (0, "warn")
    machine.write("proc/meminfo", "HugePages_Free:     5000\n")
    assert machine.judged()["hugepages"][:2] == ("ok", "5000 reserved")


def test_the_device_belongs_to_whoever_may_open_it(machine: Captured) -> None:
    machine.write("dev/dune", "")
    assert machine.judged()["device"] == ("ok", "/dev/dune may be opened by this user", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_the_device_may_be_closed_to_this_user(machine: Captured) -> None:
    machine.write("dev/dune", "")
    (machine.root / "dev/dune").chmod(0)
    judged = machine.judged()
    assert judged.status == 1
    assert "usermod -aG dune" in judged["device"][2]


def test_arguments_are_a_usage_error() -> None:
    done = subprocess.run(["sh", str(SCRIPT), "--help"], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"usage:" in done.stderr


# --- dbos-lab doctor --host


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put an ssh into PATH that runs the command here and notes how it was called."""
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$*" >{tmp_path}/called\nfor last; do :; done\n$last\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    return tmp_path


def test_the_doctor_runs_it_over_ssh(
    elsewhere: Path, machine: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUNE_ROOT", str(machine.root))
    found = examine(Config.from_environment(), "metal")
    assert (elsewhere / "called").read_text() == "-T -o ConnectTimeout=10 -- metal sh -s\n"
    assert (found.host, found.loads, found.builds) == ("metal", True, True)
    report = to_json(found)
    assert report["schema"] == "dbos-lab/requirements"
    assert isinstance(report["findings"], list)
    assert {"id": "compiler", "level": "ok", "cause": "gcc 12", "next": ""} in report["findings"]


def test_an_unreachable_host_is_not_called_unfit(elsewhere: Path) -> None:
    (elsewhere / "bin/ssh").write_text("#!/bin/sh\necho 'ssh: no route' >&2\nexit 255\n")
    with pytest.raises(LabError) as failed:
        examine(Config.from_environment(), "metal")
    assert failed.value.status is Status.INFRA
    assert "no route" in failed.value.detail


@pytest.mark.parametrize(
    ("output", "status"),
    [("", 0), ("Welcome to metal!\nok    cpu x\n", 0), ("ok cpu x\n", 127), ("ok cpu x\n", 2)],
)
def test_half_an_answer_is_none(output: str, status: int) -> None:
    with pytest.raises(LabError):
        parse("metal", output, status)


def test_a_host_is_never_taken_for_an_option(tmp_path: Path) -> None:
    argv = ssh_argv("-oProxyCommand=x", tmp_path)
    assert argv[argv.index("-oProxyCommand=x") - 1] == "--"
    assert argv[1:3] == ["-F", str(tmp_path)]
