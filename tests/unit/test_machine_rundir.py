# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.machine.rundir import RunDir, sweep

OWNER = """
import sys, time
from pathlib import Path
from lab.machine.rundir import RunDir
directory = RunDir.create(Path(sys.argv[1]))
print(directory.path, flush=True)
time.sleep(60)
"""


def failed(runs: Path, number: int) -> Path:
    """Leave the directory of a failed run whose name sorts by ``number``."""
    directory = RunDir.create(runs)
    directory.release("it failed")
    return directory.path.rename(runs / f"2026-{number:04}")


def survivor(directory: Path) -> subprocess.Popen[bytes]:
    """Start a process that names ``directory`` on its command line, as QEMU does."""
    process = subprocess.Popen(["tail", "-f", "/dev/null", "--", str(directory / "console")])
    # For a moment after it has begun, a program has no command line to be seen.
    while str(directory) not in Path(f"/proc/{process.pid}/cmdline").read_text():
        time.sleep(0.01)
    return process


def test_private_and_unique(tmp_path: Path) -> None:
    one, two = RunDir.create(tmp_path / "runs"), RunDir.create(tmp_path / "runs")
    assert one.path != two.path
    assert one.path.stat().st_mode & 0o777 == 0o700
    one.remove()
    two.remove()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".lock"]


def test_the_start_is_noted_so_that_it_can_be_run_again(tmp_path: Path) -> None:
    directory = RunDir.create(tmp_path)
    directory.write_start(42, ["qemu", "a b", "$x"], {"engine": "svm-tcg"})
    assert (directory.path / "argv").read_text() == "qemu 'a b' '$x'\n"
    assert json.loads((directory.path / "record.json").read_text()) == {"engine": "svm-tcg"}
    assert (directory.path / "pid").read_text() == "42\n"
    directory.remove()


def test_a_sweep_spares_the_living(tmp_path: Path) -> None:
    directory = RunDir.create(tmp_path)
    assert sweep(tmp_path) == []
    assert directory.path.is_dir()
    directory.remove()


def test_a_sweep_takes_what_a_killed_owner_left_and_its_process(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    path = Path(owner.stdout.readline().strip())
    assert sweep(tmp_path) == []  # its owner lives

    machine = survivor(path)
    (path / "pid").write_text(f"{machine.pid}\n")
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert sweep(tmp_path) == [path]
    assert not path.exists()
    assert machine.wait(5) == -9


@pytest.mark.parametrize("pid", ["", "no number", "-1", "0", "999999999"])
def test_a_pid_file_that_makes_no_sense_does_no_harm(tmp_path: Path, pid: str) -> None:
    directory = failed(tmp_path, 1)
    (directory / "pid").write_text(pid)
    assert sweep(tmp_path, keep=0) == [directory]


def test_a_process_that_does_not_name_the_directory_is_not_killed(tmp_path: Path) -> None:
    directory = failed(tmp_path, 1)
    stranger = survivor(tmp_path / "other")
    try:
        (directory / "pid").write_text(str(stranger.pid))
        sweep(tmp_path, keep=0)
        time.sleep(0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_of_failed_runs_the_newest_are_kept(tmp_path: Path) -> None:
    directories = [failed(tmp_path, number) for number in range(25)]
    assert set(sweep(tmp_path)) == set(directories[:5])
    assert [path for path in directories if path.exists()] == directories[5:]
    assert (directories[-1] / "failed").read_text() == "it failed\n"


def test_of_memory_dumps_fewer_are_kept(tmp_path: Path) -> None:
    directories = [failed(tmp_path, number) for number in range(9)]
    for directory in directories[1:]:
        (directory / "vmcore").write_text("")
    assert sweep(tmp_path) == []
    assert [path for path in directories if (path / "vmcore").exists()] == directories[-5:]


def test_a_directory_without_a_lock_file_belongs_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "half-made").mkdir()
    assert sweep(tmp_path) == [tmp_path / "half-made"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "link").symlink_to(precious)
    assert sweep(runs) == []
    assert precious.is_dir()


def test_nothing_to_sweep(tmp_path: Path) -> None:
    assert sweep(tmp_path / "never-made") == []
