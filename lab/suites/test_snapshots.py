# SPDX-License-Identifier: BSD-2-Clause
"""Snapshots on real vCPUs: what the model proves (S1 to S20), each engine after the other."""

import re

import pytest

from lab.engine import Accelerator
from lab.lab import Lab
from lab.session.backend import Backend

CALLS = ["host", "calls", "pieces", "large"]
SHARING = ["tree", "difference", "writers", "parts"]
STEPS = ["kept", "moment", *CALLS, *SHARING, "flat", "settled", "stays"]


def test_snapshots(lab: Lab, backend: Backend) -> None:
    rounds = 10 if lab.engine.accelerator is Accelerator.BOCHS else 100
    ran = backend.run(f"/lab/snapshots {rounds}", timeout=120)
    said = re.findall(r"^(\w+): ok$", ran.text, re.M)
    steps = [*STEPS, *STEPS, "ready", *STEPS]
    assert said == ["errors", "outside", *steps, "snapshots"], ran.stderr.decode()
    assert ran.status == 0


@pytest.mark.parametrize("engine", ["lazy", "epoch"])
@pytest.mark.parametrize("heap", ["lazy", "kept"])
def test_whole_process(backend: Backend, heap: str, engine: str) -> None:
    ran = backend.run(f"/lab/whole {heap} {engine}", timeout=120)
    said = re.findall(r"^(\w+): ok$", ran.text, re.M)
    said_by_all = ran.text + ran.stderr.decode()
    assert said == ["beside", "child", "refused", "late", "left", "whole"], said_by_all
    assert ran.status == 0
