# SPDX-License-Identifier: BSD-2-Clause
"""The lab's list of engines is the guest programs' own."""

import re
from pathlib import Path

from lab.snappy import ENGINES

HEADER = Path(__file__).resolve().parents[2] / "tests/guest/engines.h"


def test_engines_are_those_that_guest_programs_know() -> None:
    assert tuple(re.findall(r'^\t\{ "(\w+)", ', HEADER.read_text(), re.M)) == ENGINES
