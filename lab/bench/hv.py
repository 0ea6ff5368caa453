# SPDX-License-Identifier: BSD-2-Clause
"""``make bench-hv``: what it costs to leave the guest and come back, in dune.ko and in KVM.

One program in one guest drives both through their raw interfaces, in turns (``tests/guest/bench``).
On the engine that counts instructions the processor's time-stamp counter is that count, and a loop
of known length shows that it is. Then some of the exits are looked at instruction by instruction.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lab.bench.executed import COSTLY, Instruction, Recorder, Symbols, costly, median_round
from lab.bench.hypervisors import both_loaded, facts, unit_of
from lab.bench.record import Check, Record, interval
from lab.cli import main as run_command
from lab.config import Config
from lab.engine import SVM_ICOUNT
from lab.errors import Status, die
from lab.guest import Guest
from lab.lab import Booted, Lab

PROGRAM = "/lab/exits"
"""Whose kernel the lab unpacks on the host; that takes a machine with ``-icount`` a minute."""
OURS, PEER = "dune", "kvm"
TARGET = 1.0
"""KVM's instructions for each of ours: at least as many."""
SECONDS = 600.0
"""For all repetitions; five need 10 on an idle host."""

KINDS = {
    "unentered": "RUN, not entered",
    "out": "OUT to process",
    "hlt": "HLT to process",
    "cpuid": "CPUID",
    "rdmsr": "RDMSR, #GP",
    "interrupt": "interrupt",
    "fault_new": "fault, new",
    "fault_discarded": "fault, discarded",
    "fault_present": "fault, present",
}
LOOKED_AT = ("out", "cpuid", "rdmsr", "fault_present")
"""Kinds in which one exit is what lies between two VMRUNs."""
MOST_FUNCTIONS = 25

FOOTNOTE = """\
Faults are of the second level, by a write to 4 KiB of memory that nobody has touched yet, that
MADV_DONTNEED has taken away, or that the process has and the guest has not. An interrupt is
raised by the process, taken by the guest's handler, and ended by IRET.
VMRUN and the exit it ends in are one instruction here, and so is WRMSR, whatever they cost in
hardware: see the second table. QEMU's processor has no NRIP-save, so KVM decodes CPUID and HLT to
step over them, which newer processors spare it; dune knows their lengths. On one processor the
kernel takes its LOCK prefixes out, in both; of the locked instructions only XCHG shows."""

_WAIT = """
{program} --endless {kind} {who} >/tmp/endless 2>&1 & pid=$!
until grep -q runs /tmp/endless; do
	kill -0 $pid || {{ cat /tmp/endless >&2; exit 1; }}
	sleep 0.05
done
echo $pid
"""
_END = "kill -KILL {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.01; done"


@dataclass(frozen=True)
class Loop:
    """A loop of known length, as timed by the program: outside of any guest, or in one."""

    where: str
    instructions: int
    counted: int


@dataclass(frozen=True)
class Measured:
    """What the program said."""

    loops: tuple[Loop, ...]
    samples: Mapping[str, Sequence[float]]
    """Ticks of the time-stamp counter for one exit, under ``sample_name``."""


def sample_name(kind: str, who: str) -> str:
    """Name a series of samples."""
    return f"{kind}, {who}"


def parse_output(output: str) -> Measured:
    """Read what the program printed; dies with ``FAILED`` if that is not all there should be."""
    loops = tuple(
        Loop(where, int(instructions), int(counted))
        for where, instructions, counted in re.findall(r"^loop (\S+) (\d+) (\d+)$", output, re.M)
    )
    samples: dict[str, list[float]] = {}
    for kind, who, ticks, events in re.findall(r"^exit (\S+) (\S+) (\d+) (\d+)$", output, re.M):
        samples.setdefault(sample_name(kind, who), []).append(int(ticks) / int(events))
    wanted = {sample_name(kind, who) for kind in KINDS for who in (OURS, PEER)}
    lengths = {len(values) for values in samples.values()}
    if samples.keys() != wanted or len(lengths) != 1 or not loops:
        die(
            f"{PROGRAM} did not measure all that it should.",
            "compare KINDS in lab/bench/hv.py with tests/guest/bench/exits.c",
            status=Status.FAILED,
            detail=output,
        )
    return Measured(loops, samples)


def checks_of(measured: Measured, unit: str) -> tuple[Check, ...]:
    """Compare each kind of exit with KVM's; where instructions are counted, the loops too."""
    exits = [
        Check(
            title,
            statistics.median(measured.samples[sample_name(kind, OURS)]),
            TARGET,
            unit=unit,
            against=PEER,
            baseline=statistics.median(measured.samples[sample_name(kind, PEER)]),
        )
        for kind, title in KINDS.items()
    ]
    return (*exits, *(_loop_check(loop) for loop in measured.loops if unit == "instructions"))


def _loop_check(loop: Loop) -> Check:
    name = f"error of a count of {loop.instructions}, {loop.where}"
    return Check(name, abs(loop.counted - loop.instructions), 0, unit="instructions")


def look_at(guest: Guest, recorder: Recorder, kind: str, who: str) -> Sequence[Instruction]:
    """Return the instructions of one exit and the way back."""
    pid = guest.run(_WAIT.format(program=PROGRAM, kind=kind, who=who), check=True).text.strip()
    try:
        executed = recorder.record()
    except ValueError as error:
        die(
            f"{kind} under {who} cannot be looked at: {error}.",
            "run it again on a host that is less busy",
            status=Status.FAILED,
        )
    guest.run(_END.format(pid=pid), check=True)
    return median_round(executed)


@click.command()
@click.option("--repetitions", default=11, show_default=True, type=click.IntRange(5))
@click.option("--engine", default=SVM_ICOUNT.name, show_default=True)
@click.option("--image", default="debian-12", show_default=True)
@click.option("--functions", type=click.Choice(LOOKED_AT), help="Show where this one spends them.")
@click.option("--output", default=Path("build/bench"), type=click.Path(path_type=Path))
def main(repetitions: int, engine: str, image: str, functions: str | None, output: Path) -> None:
    """Measure exits of dune.ko and of KVM in one guest; print tables and write ``hv.json``."""
    console = Console(highlight=False)
    lab = Lab(Config.from_environment(), image_name=image, engine_name=engine)
    unit = unit_of(lab)
    with both_loaded(lab, f"python -m lab.bench.hv --engine {SVM_ICOUNT.name}") as booted:
        said = booted.guest.run(f"{PROGRAM} {repetitions}", timeout=SECONDS, check=True).text
        measured = parse_output(said)
        rounds = looks(booted) if lab.engine.counts_instructions else {}
        symbols = Symbols(booted.guest.run("cat /proc/kallsyms", check=True).text)
        guest = facts(lab, booted)
    details = {"costly": {name: costly(one) for name, one in rounds.items()}}
    checks = checks_of(measured, unit)
    result = Record("hv", lab.engine.name, guest, measured.samples, checks, details)
    path = result.write(output)
    console.print(exits_table(result, unit))
    if rounds:
        console.print(costly_table(rounds))
    if functions and rounds:
        console.print(functions_table(rounds, symbols, functions))
    click.echo(FOOTNOTE)
    click.echo(f"raw samples: {path}")
    require_exact(checks, lab.engine.name)


def looks(booted: Booted) -> dict[str, Sequence[Instruction]]:
    """Look at one exit of each kind that can be, under both."""
    recorder = Recorder(booted.machine.qmp, booted.machine.directory / "executed.log")
    return {
        sample_name(kind, who): look_at(booted.guest, recorder, kind, who)
        for kind in LOOKED_AT
        for who in (OURS, PEER)
    }


def require_exact(checks: Iterable[Check], engine: str) -> None:
    """Die unless loops of known length were counted as they are: else nothing is worth a thing."""
    wrong = [check for check in checks if not check.against and not check.met]
    if wrong:
        die(
            f"The engine {engine} does not count instructions: {wrong[0].name}: {wrong[0].value}.",
            "look at -icount in lab/machine/qemu.py",
            status=Status.FAILED,
        )


def exits_table(record_: Record, unit: str) -> Table:
    """Lay out what was measured, and whether it is what was aimed at."""
    table = Table(title=f"{unit} for an exit, {record_.engine}", title_justify="left")
    for heading in ("", "dune", "95 %", "KVM", "95 %", "ratio", "met"):
        table.add_column(heading, justify="right" if heading else "left")
    for kind, check in zip(KINDS, record_.checks, strict=False):
        spans = []
        for who in (OURS, PEER):
            low, high = interval(record_.samples[sample_name(kind, who)])
            spans.append(f"{low:.0f}-{high:.0f}")
        table.add_row(
            check.name,
            f"{check.value:.0f}",
            spans[0],
            f"{check.baseline:.0f}",
            spans[1],
            f"{check.ratio:.2f}",
            "yes" if check.met else "NO",
        )
    return table


def costly_table(rounds: Mapping[str, Sequence[Instruction]]) -> Table:
    """Lay out how many expensive instructions are among those of one exit, ours against KVM's."""
    table = Table(title="Expensive instructions in one exit, dune : KVM", title_justify="left")
    table.add_column("")
    for kind in LOOKED_AT:
        table.add_column(KINDS[kind], justify="right")
    for name in COSTLY:
        counts = [
            tuple(costly(rounds[sample_name(kind, who)]).get(name, 0) for who in (OURS, PEER))
            for kind in LOOKED_AT
        ]
        if any(map(any, counts)):
            table.add_row(name, *(f"{ours} : {theirs}" for ours, theirs in counts))
    return table


def functions_table(
    rounds: Mapping[str, Sequence[Instruction]], symbols: Symbols, kind: str
) -> Table:
    """Lay out in which functions one exit spends its instructions."""
    table = Table(title=f"Instructions by function: {KINDS[kind]}", title_justify="left")
    for who in (OURS, PEER):
        table.add_column(who, justify="right")
        table.add_column("")
    columns = [
        symbols.functions(rounds[sample_name(kind, who)]).most_common() for who in (OURS, PEER)
    ]
    for index in range(min(MOST_FUNCTIONS, max(map(len, columns)))):
        row = [column[index] if index < len(column) else ("", "") for column in columns]
        table.add_row(*(str(cell) for name, count in row for cell in (count, name)))
    return table


if __name__ == "__main__":
    run_command(main)
