# SPDX-License-Identifier: BSD-2-Clause
"""What every proof stands on: a namespace of its own, and a journal that marks its processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def own_namespace() -> None:
    devices = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    if [device.split(":")[0].strip() for device in devices] != ["lo"]:
        pytest.fail("these tests make networks, and want a namespace: make check-campaign")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@pytest.fixture
def journal(own_namespace: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where counted cells write: a path that is in the environment of all processes of a test."""
    journal = tmp_path / "journal"
    journal.touch()
    monkeypatch.setenv("CAMPAIGN_JOURNAL", str(journal))
    return journal
