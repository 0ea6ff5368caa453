# SPDX-License-Identifier: BSD-2-Clause
"""Runs the probe once under one engine: its command, its time limit, its end."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from lab.doctor.commands import (
    BOCHS_COMMANDS,
    bochs_argv,
    bochs_config,
    qemu_argv,
)
from lab.doctor.plumbing import Plumbing
from lab.doctor.transcript import Line, Stage, Transcript, parse_transcript
from lab.engine import Accelerator
from lab.machine.process import guarded

EMULATED_BELOW_MIPS = 20.0
"""A processor does thousands, QEMU's TCG hundreds, an instruction emulator about one."""

EMULATED_AFTER_SECONDS = 0.75
"""How much of the loop to watch before calling it emulated: a busy host may stall briefly."""

POLL_SECONDS = 0.1
"""How soon a run notices that it shall stop."""

EXIT_SECONDS = 2.0
"""How long a process may take to end after its serial line has."""

SERIAL_LIMIT = 256 * 1024
"""More than a hundred times what the probe says; a machine that prints more has run wild."""


class End(StrEnum):
    """Why a run was over."""

    SPOKE = "spoke"
    """The probe said its last word: done, or the exception or disk error that stopped it."""
    EMULATED = "emulated"
    """It was cut short: ring 0 is emulated instruction by instruction."""
    EXITED = "exited"
    """The engine's own process ended first."""
    LIMIT = "limit"
    """The time limit came first, or a flood of output."""
    STOPPED = "stopped"
    """The doctor was interrupted."""
    NOT_STARTED = "not-started"
    """The command could not be executed."""


@dataclass(frozen=True)
class Outcome:
    """One run of the probe."""

    end: End
    lines: tuple[Line, ...] = ()
    status: int | None = None
    """The process's own exit status; ``None`` if it was we who ended it."""
    errors: str = ""
    """What the engine itself said: stderr, Bochs's log and screen."""
    seconds: float = 0.0

    @property
    def transcript(self) -> Transcript:
        """What the probe said, taken apart."""
        return parse_transcript(self.lines)


@dataclass(frozen=True)
class Bounds:
    """What ends a run before the probe does."""

    seconds: float
    stop: threading.Event
    """Set by the doctor when it is interrupted."""
    expect_hardware: bool = False
    """Whether ring 0 at the speed of an interpreter is a failure (KVM) or the deal (Bochs)."""


def run_qemu(
    qemu: str, *, image: Path, accelerator: Accelerator, cpu: str, bounds: Bounds
) -> Outcome:
    """Boot the probe under QEMU."""
    with Plumbing() as pipes:
        argv = qemu_argv(
            qemu, image=image, accelerator=accelerator, cpu=cpu, serial=pipes.serial_path
        )
        return _run(argv, pipes, bounds)


def run_bochs(bochs: str, *, image: Path, cpu: str, bounds: Bounds) -> Outcome:
    """Boot the probe under Bochs."""
    with Plumbing() as pipes:
        config = bochs_config(image=image, cpu=cpu, serial=pipes.serial_path, log=pipes.log_path)
        argv = bochs_argv(bochs, config=pipes.file(config), commands=pipes.file(BOCHS_COMMANDS))
        return _run(argv, pipes, bounds)


def _run(argv: Sequence[str], pipes: Plumbing, bounds: Bounds) -> Outcome:
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            guarded(argv, os.getpid()),
            stdin=pipes.terminal,
            stdout=pipes.terminal,
            stderr=pipes.terminal,
            pass_fds=pipes.handed_over,
            cwd="/",
            env={**os.environ, "TERM": "vt100"},
            start_new_session=True,  # Ctrl-C reaches us alone, and we end the machine in order
        )
    except OSError as error:
        return Outcome(End.NOT_STARTED, errors=str(error))
    try:
        pipes.close_far_ends()
        outcome = _watch(pipes, started, bounds)
        if outcome.end is End.EXITED:
            outcome = replace(outcome, status=process.wait(timeout=EXIT_SECONDS))
    except subprocess.TimeoutExpired:
        pass  # closed its serial line and lives on: _watch said so already, without a status
    finally:
        process.kill()
        process.wait()
    return replace(outcome, errors=pipes.errors(), seconds=time.monotonic() - started)


def _watch(pipes: Plumbing, started: float, bounds: Bounds) -> Outcome:
    """Collect serial lines until the probe has said what we wait for, or cannot."""
    lines: list[Line] = []
    unfinished = b""
    received = 0
    poller = select.poll()
    for handle in (pipes.serial, pipes.screen):
        poller.register(handle, select.POLLIN)
    while True:
        if bounds.stop.is_set():
            return Outcome(End.STOPPED, tuple(lines))
        left = started + bounds.seconds - time.monotonic()
        if left <= 0 or received > SERIAL_LIMIT:
            slow = bounds.expect_hardware and _is_slow(parse_transcript(lines))
            return Outcome(End.EMULATED if slow else End.LIMIT, tuple(lines))
        ready = {handle for handle, _ in poller.poll(1000 * min(left, POLL_SECONDS))}
        if pipes.screen in ready and not pipes.drain_screen():
            poller.unregister(pipes.screen)
        if pipes.serial not in ready:
            continue
        data = os.read(pipes.serial, 65536)
        if not data:
            return Outcome(End.EXITED, tuple(lines))
        now = time.monotonic() - started
        received += len(data)
        *whole, unfinished = (unfinished + data).split(b"\n")
        lines += (Line(now, text.decode("ascii", "replace").rstrip("\r")) for text in whole)
        if end := _verdict_reached(parse_transcript(lines), bounds):
            return Outcome(end, tuple(lines))


def _verdict_reached(transcript: Transcript, bounds: Bounds) -> End | None:
    if transcript.stage is Stage.DONE or transcript.fault or transcript.disk_error:
        return End.SPOKE
    long_enough = transcript.loop_seconds >= EMULATED_AFTER_SECONDS
    if bounds.expect_hardware and long_enough and _is_slow(transcript):
        return End.EMULATED
    return None


def _is_slow(transcript: Transcript) -> bool:
    return transcript.mips is not None and transcript.mips < EMULATED_BELOW_MIPS
