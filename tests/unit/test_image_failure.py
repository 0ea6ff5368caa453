# SPDX-License-Identifier: BSD-2-Clause
"""Causes found in logs that mmdebstrap really wrote, shortened."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image.failure import explain
from lab.image.spec import load_image_spec

SPEC = load_image_spec(Path(__file__).parents[2], "debian-12")
UPDATE_FAILED = "E: apt-get update --error-on=any failed\nE: mmdebstrap failed to run\n"
LOGS = {
    "no name service": (
        "E: Failed to fetch http://one.example/debian/dists/bookworm/InRelease  Temporary failure"
        " resolving 'one.example'\n",
        "cannot be reached: http://one.example/debian/dists/bookworm/InRelease",
    ),
    "refused": (
        "E: Failed to fetch http://127.0.0.1:1/debian/dists/bookworm/InRelease  Could not connect"
        " to 127.0.0.1:1 (127.0.0.1). - connect (111: Connection refused)\n",
        "cannot be reached: http://127.0.0.1:1/debian/dists/bookworm/InRelease",
    ),
    "no such release": (
        "Err:4 http://one.example/debian bookworm Release\n  404  Not Found [IP: 127.0.0.1 80]\n"
        "E: The repository 'http://one.example/debian bookworm Release' does not have a Release"
        " file.\n",
        "mirror http://one.example/debian does not carry bookworm",
    ),
    "no such package": (
        "E: Unable to locate package mayyke\n",
        "bookworm has no package mayyke",
    ),
    "package gone": (
        "E: Failed to fetch http://one.example/pool/m/make.deb  404  Not Found\n",
        "does not serve http://one.example/pool/m/make.deb",
    ),
    "unknown": ("E: something else\n", "could not resolve the packages of debian-12"),
}


def explained(tmp_path: Path, text: str) -> LabError:
    log = tmp_path / "mmdebstrap.log"
    log.write_text(f"I: running apt-get update...\n{text}{UPDATE_FAILED}")
    with pytest.raises(LabError) as caught:
        explain(SPEC, log, tmp_path / "tree")
    return caught.value


@pytest.mark.parametrize(("text", "sentence"), LOGS.values(), ids=LOGS.keys())
def test_cause_is_one_sentence_and_the_log_is_kept(
    tmp_path: Path, text: str, sentence: str
) -> None:
    error = explained(tmp_path, text)
    assert error.status is Status.IMAGE
    assert sentence in error.message
    assert "\n" not in error.message + error.hint
    assert str(tmp_path / "mmdebstrap.log") in error.detail
    assert text.splitlines()[-1] in error.detail


def test_full_disk_looks_as_if_this_process_had_met_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("tar: ./usr/bin/gcc: Cannot write: No space left on device\n")
    with pytest.raises(OSError, match="No space left"):
        explain(SPEC, log, tmp_path / "tree")
