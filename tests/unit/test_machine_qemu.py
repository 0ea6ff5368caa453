# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.engine import SVM_ICOUNT, SVM_KVM, SVM_TCG
from lab.machine import qemu
from lab.machine.backing import Inherited
from lab.machine.spec import MachineSpec

SPEC = MachineSpec(
    engine=SVM_TCG,
    kernel=Path("/k"),
    initramfs=Path("/i"),
    arguments=("console=ttyS0", "quiet"),
)


def argv(spec: MachineSpec, console: str = "/runs/a/console", fd: int = 7) -> list[str]:
    inherited = Inherited(spec.kernel, "/proc/self/fd/8", "/proc/self/fd/9", 10)
    return qemu.qemu_argv(
        spec, inherited, name="m", console=Path(console), qmp_fd=fd, monitor_fd=fd + 1
    )


def value(command: list[str], option: str) -> str:
    """The one value of an option; fails if it is given twice."""
    [at] = [i for i, word in enumerate(command) if word == option]
    return command[at + 1]


SPECS = st.builds(
    MachineSpec,
    engine=st.sampled_from([SVM_TCG, SVM_KVM, SVM_ICOUNT]),
    kernel=st.just(Path("/k")),
    initramfs=st.just(Path("/i")),
    arguments=st.lists(st.from_regex(r"[a-z]{1,5}(=[a-z]{1,5})?", fullmatch=True)).map(tuple),
    cpus=st.integers(1, 64),
    memory_mib=st.integers(64, 1 << 20),
    cpu=st.none() | st.just("EPYC,-svm"),
    ssh_port=st.integers(0, 65535),
)


def test_a_disk_is_booted_in_place_of_a_kernel_and_may_reboot() -> None:
    command = argv(replace(SPEC, disk=Path("/disks/a,b.raw")))
    assert not {"-kernel", "-initrd", "-append"} & set(command)
    assert value(command, "-drive") == (
        "if=none,id=system,file=/disks/a,,b.raw,format=raw,snapshot=on"
    )
    assert "reboot=reset" in value(command, "-action")
    assert "reboot=shutdown" in value(argv(SPEC), "-action")


@given(SPECS)
def test_the_spec_is_on_the_command_line(spec: MachineSpec) -> None:
    command = argv(spec)
    assert value(command, "-append") == " ".join(spec.arguments)
    first = spec.engine is SVM_TCG  # kept for the kernel
    assert value(command, "-smp") == str(spec.cpus + first)
    assert value(command, "-m") == str(spec.memory_mib)
    assert value(command, "-cpu") == (spec.cpu or spec.engine.cpu)
    assert (value(command, "-kernel"), value(command, "-initrd")) == ("/k", "/i")
    assert f"hostfwd=tcp:127.0.0.1:{spec.ssh_port}-:22" in value(command, "-netdev")


@given(SPECS)
def test_nothing_listens_but_the_one_loopback_port(spec: MachineSpec) -> None:
    command = argv(spec)
    listening = [word for word in command if "server" in word or word.startswith("unix:")]
    assert listening == ["socket,id=live,fd=8,server=on,wait=off"]  # in the private directory
    assert [word.count("hostfwd=") for word in command if "hostfwd" in word] == [1]
    assert "restrict=on" in value(command, "-netdev")


def test_the_accelerator_follows_the_engine() -> None:
    assert value(argv(SPEC), "-accel") == "tcg,thread=multi"
    assert value(argv(replace(SPEC, engine=SVM_KVM)), "-accel") == "kvm"
    assert value(argv(replace(SPEC, engine=SVM_KVM)), "-cpu") == "host"


def test_only_the_engine_that_counts_instructions_has_time_by_instructions() -> None:
    counting = argv(replace(SPEC, engine=SVM_ICOUNT, cpus=1))
    assert value(counting, "-accel") == "tcg,thread=single"
    assert value(counting, "-icount") == "shift=0,sleep=on"
    assert value(counting, "-smp") == "1"
    for engine in (SVM_TCG, SVM_KVM):
        assert "-icount" not in argv(replace(SPEC, engine=engine))


def test_a_panic_is_passed_on_and_the_reset_after_it_becomes_a_pause() -> None:
    command = argv(SPEC)
    assert {"pvpanic-pci", "vmcoreinfo"} <= set(command)
    assert value(command, "-action") == "panic=none,reboot=shutdown,shutdown=pause"
    assert "-no-reboot" not in command  # the same by another name, but the last one would win


def test_no_default_devices_and_no_user_configuration() -> None:
    assert {"-nodefaults", "-no-user-config"} <= set(argv(SPEC))
    assert value(argv(SPEC), "-display") == "none"


def test_a_comma_in_the_path_of_the_console_is_doubled() -> None:
    assert "file,id=console,path=/a,,b/console" in argv(SPEC, console="/a,b/console")


def test_the_monitor_is_the_inherited_descriptor() -> None:
    assert "socket,id=qmp,fd=9" in argv(SPEC, fd=9)


# As QEMU 7.2 prints it.
USERNET = """Hub -1 (net0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
  TCP[ESTABLISHED]   15       127.0.0.1 44444       10.0.2.15    22     0     0\r
  TCP[HOST_FORWARD]  13       127.0.0.1 38929       10.0.2.15    22     0     0\r
  UDP[236 sec]       16       10.0.2.15 39421      10.0.2.3    53     0     0\r
"""


def test_the_port_is_read_from_info_usernet() -> None:
    assert qemu.forwarded_port(USERNET) == 38929


@pytest.mark.parametrize(
    "text",
    [
        "",
        USERNET.replace("HOST_FORWARD", "CLOSED"),
        USERNET.replace("   22 ", "  222 "),
        USERNET.replace("127.0.0.1 38929", "  0.0.0.0 38929"),
    ],
)
def test_no_other_line_is_taken_for_it(text: str) -> None:
    assert qemu.forwarded_port(text) is None


def test_expected_warnings_are_no_complaints() -> None:
    warning = "qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID.x"
    assert qemu.complaints(f"{warning}\nreal trouble\n{warning}") == "real trouble"


def test_a_taken_port_is_recognised() -> None:
    said = "qemu-system-x86_64: -netdev user: Could not set up host forwarding rule 'tcp:...'"
    assert qemu.port_was_taken(said)
    assert not qemu.port_was_taken("qemu-system-x86_64: no such machine")
