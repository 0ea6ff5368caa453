# SPDX-License-Identifier: BSD-2-Clause
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lab(*arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DBOS_LAB_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", "from lab.cli import main; main()", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--image", "debian-21"), "debian-12"),
        (("image", "--image", "debain-12"), "debian-12"),
        (("image", "--image", "debain-12", "build"), "debian-12"),
        (("image", "lock", "--image", "debain-12"), "debian-12"),
        (("run", "--engine", "svm-tgc"), "svm-tcg"),
        (("doctor", "--require", "svn"), "'svm'"),
        (("rnu",), "rnu"),
    ],
)
def test_bad_names_get_one_sentence_and_status_2(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = lab(*arguments, cache=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_quick(tmp_path: Path) -> None:
    started = time.monotonic()
    done = lab("--help", cache=tmp_path)
    assert done.returncode == 0
    assert "doctor" in done.stdout
    assert time.monotonic() - started < 2.0  # a fifth of that on an idle machine
