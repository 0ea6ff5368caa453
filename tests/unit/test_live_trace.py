# SPDX-License-Identifier: BSD-2-Clause
"""The script that traces, run by this host's shell on directories that play tracefs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.live import trace as tracing
from lab.live.trace import EVENTS, chosen_events, ready_script, script, ssh_argv, trace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tracefs(tmp_path: Path) -> Path:
    """Make a directory; an instance in it does not get files by itself, as the kernel's does."""
    (tmp_path / "events/dune").mkdir(parents=True)
    (tmp_path / "instances").mkdir()
    (tmp_path / "options").mkdir()
    (tmp_path / "options/record-cmd").write_text("1\n")
    return tmp_path


def run(text: str, tracefs: Path) -> subprocess.CompletedProcess[str]:
    """Run a script; its ``mkdir`` makes what the kernel would."""
    mkdir = (
        'mkdir() { command mkdir -p "$1/per_cpu/cpu0" "$1/per_cpu/cpu1"; '
        f"for e in {' '.join(EVENTS)}; do command mkdir -p $1/events/dune/dune_$e; done; "
        'printf "entries: 3\\noverrun: 2\\n" >"$1/per_cpu/cpu0/stats"; '
        'printf "overrun: 40\\n" >"$1/per_cpu/cpu1/stats"; '
        'printf "# a header\\nx: dune_exit: y\\n" >"$1/trace"; }\n'
        "rmdir() { (cd $1 && grep -r . events buffer_size_kb tracing_on) >$tracing/left; "
        "rm -r $1; }\n"
    )
    text = mkdir + text.replace("/sys/kernel/tracing", str(tracefs))
    return subprocess.run(
        ["sh", "-s"], input=text, capture_output=True, text=True, timeout=20, check=False
    )


def test_events_are_those_of_the_module() -> None:
    header = (ROOT / "kern/trace.h").read_text()
    assert re.findall(r"^TRACE_EVENT\(dune_(\w+),", header, re.M) == list(EVENTS)


def test_the_trace_comes_after_the_command_with_its_status(tracefs: Path) -> None:
    # Joined words, as with ssh: the quotes are for the guest's shell.
    done = run(script(("exit", "fault"), ["echo", "'it  is said';", "exit", "7"], 1), tracefs)
    assert (done.returncode, done.stdout) == (7, "x: dune_exit: y\n")
    assert done.stderr == (
        "it  is said\ndbos-lab: the first 42 events were lost, the buffer is too small\n"
    )
    assert list((tracefs / "instances").iterdir()) == []
    assert (tracefs / "options/record-cmd").read_text() == "1\n"
    assert sorted((tracefs / "left").read_text().splitlines()) == [
        f"buffer_size_kb:{tracing.BUFFER_KIB}",
        "events/dune/dune_exit/enable:1",
        "events/dune/dune_fault/enable:1",
        "tracing_on:0",
    ]


def test_the_module_may_be_missing(tracefs: Path) -> None:
    assert run(ready_script(), tracefs).returncode == 0
    (tracefs / "events/dune").rmdir()
    assert run(ready_script(), tracefs).returncode == 90


@pytest.mark.parametrize(
    ("status", "raised", "words"),
    [
        (90, Status.FAILED, "is the module loaded"),
        (91, Status.MISSING, "no tracefs"),
        (255, Status.LOST, "status 255"),
    ],
)
def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, raised: Status, words: str
) -> None:
    monkeypatch.setattr(tracing, "ssh_argv", lambda _: ["sh", "-c", f"exit {status}"])
    with pytest.raises(LabError, match=words) as failed:
        trace(tmp_path, EVENTS, (), 1)
    assert failed.value.status is raised


def test_ssh_is_that_of_the_machine(tmp_path: Path) -> None:
    assert ssh_argv(tmp_path)[:3] == ["ssh", "-F", str(tmp_path / "ssh_config")]


def test_events_are_chosen_by_name() -> None:
    assert chosen_events(None) == EVENTS
    assert chosen_events("exit, fault") == ("exit", "fault")
    with pytest.raises(LabError, match="did you mean exit"):
        chosen_events("entry,exot")
