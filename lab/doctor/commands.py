# SPDX-License-Identifier: BSD-2-Clause
"""The command lines that boot the probe: pure functions, so that tests can read them."""

from __future__ import annotations

from pathlib import Path

from lab.engine import Accelerator


def qemu_argv(
    qemu: str, *, image: Path, accelerator: Accelerator, cpu: str, serial: str
) -> list[str]:
    """QEMU with nothing but a processor, 32 MiB, a disk and a serial line.

    A virtio disk, because the firmware polls it. A floppy drive needs an interrupt in time, and
    under a KVM that interprets the firmware it does not come on a busy host; then the probe would
    never begin, and the reason would stay unknown.
    """
    return [
        *(qemu, "-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none", "-vga", "none"),
        *("-machine", "pc", "-accel", accelerator.value, "-cpu", cpu, "-smp", "1", "-m", "32"),
        *("-drive", f"format=raw,if=none,id=probe,readonly=on,file={_escaped(image)}"),
        *("-device", "virtio-blk-pci,drive=probe"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
        *("-serial", f"file:{serial}"),
    ]


def _escaped(path: Path) -> str:
    """Write a path into an option of QEMU, where a comma ends the value and two are one."""
    return str(path).replace(",", ",,")


def bochs_argv(bochs: str, *, config: str, commands: str) -> list[str]:
    """Bochs; ``commands`` is a debugger script, for packaged builds start in their debugger."""
    return [bochs, "-q", "-f", config, "-rc", commands]


BOCHS_COMMANDS = "c\n"
"""Continue: without it the debugger waits for a human."""


def bochs_config(*, image: Path, cpu: str, serial: str, log: str) -> str:
    """Describe the machine to Bochs.

    ``ips`` (instructions to a virtual second) is low on purpose: the BIOS waits in virtual time.
    ``$BXSHARE`` is Bochs's own name for where its BIOS was installed.
    """
    return "\n".join(
        [
            "plugin_ctrl: unmapped=1, biosdev=1, extfpuirq=1, serial=1, speaker=0, e1000=0",
            "config_interface: textconfig",
            "display_library: term",
            "romimage: file=$BXSHARE/BIOS-bochs-latest",
            "memory: guest=32, host=32",
            f"cpu: model={cpu}, count=1, ips=4000000, reset_on_triple_fault=0",
            "clock: sync=none, time0=1700000000",
            "boot: floppy",
            f'floppya: 1_44="{image}", status=inserted, write_protected=1',
            f"com1: enabled=1, mode=file, dev={serial}",
            f"log: {log}",
            "panic: action=fatal",
            "error: action=report",
            "info: action=ignore",
            "",
        ]
    )
