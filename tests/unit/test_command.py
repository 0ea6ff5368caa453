# SPDX-License-Identifier: BSD-2-Clause
"""How a command is named in a sentence."""

from __future__ import annotations

import pytest

from lab.command import brief


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("true", "'true'"),
        ("  true\n", "'true'"),
        ("one\ntwo", "'one'..."),
        ("x" * 99, "'" + "x" * 60 + "'..."),
    ],
)
def test_a_command_fits_into_a_sentence(command: str, said: str) -> None:
    assert brief(command) == said
