# SPDX-License-Identifier: BSD-2-Clause
"""What the environment says of this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.config import Config
from lab.errors import LabError, Status


@pytest.mark.parametrize(
    ("text", "processors"), [("", ()), ("3", (3,)), ("2,3", (2, 3)), (" 7, 5 6 ", (7, 5, 6))]
)
def test_processors_to_pin_to(text: str, processors: tuple[int, ...]) -> None:
    assert Config.from_environment({"DBOS_LAB_PIN": text}).pin == processors


@pytest.mark.parametrize("text", ["two", "-1", "2-3", "1.5"])
def test_processors_that_are_none(text: str) -> None:
    with pytest.raises(LabError) as caught:
        Config.from_environment({"DBOS_LAB_PIN": text})
    assert caught.value.status is Status.USAGE
    assert repr(text) in caught.value.message


def test_directories_of_ones_own() -> None:
    config = Config.from_environment({"HOME": "/h", "DBOS_LAB_RUNS": "/r"})
    assert (config.cache, config.runs) == (Path("/h/.cache/dbos-lab"), Path("/r"))
    assert config.sessions == Path("/h/.cache/dbos-lab/sessions")
