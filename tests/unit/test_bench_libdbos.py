# SPDX-License-Identifier: BSD-2-Clause
"""How the costs of a privileged process are read and judged."""

from __future__ import annotations

import pytest

from lab.bench.libdbos import BACKENDS, COUNTED, NATIVE, PLACES, checks_of, parse_output
from lab.errors import LabError


def output(each: int, repetitions: int = 5) -> str:
    lines = [
        f"cost {name} {each * 10 + noise} 10" for noise in range(repetitions) for name in COUNTED
    ]
    return "\n".join(lines) + "\ncost call -\n"


def samples(native: int, inside: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for place in PLACES:
        found |= parse_output(output(native if place == NATIVE else inside), place, COUNTED)
    return found


def test_samples_are_for_one_event() -> None:
    read = parse_output(output(100), "dune", COUNTED)
    assert read["getpid, dune"] == [100.0, 100.1, 100.2, 100.3, 100.4]
    assert len(read) == len(COUNTED)


def test_targets_are_judged_on_each_backend_by_the_ratio() -> None:
    checks = checks_of(samples(2000, 100), COUNTED, "instructions")
    assert len(checks) == len(COUNTED) * len(BACKENDS)
    met = {check.name: check.met for check in checks}
    # 2000.2 / 100.2 is less than 20.
    assert met["write fault, handled, dune"]
    assert not met["rights of a page changed, dune"]
    assert met["getpid, kvm"]  # nothing was promised


@pytest.mark.parametrize(
    "said",
    [
        "",
        "\n".join(line for line in output(1).splitlines() if "fault" not in line),
        output(1) + "cost fault 10 10\n",
    ],
)
def test_an_incomplete_output_is_refused(said: str) -> None:
    with pytest.raises(LabError, match="did not measure all that it should, kvm"):
        parse_output(said, "kvm", COUNTED)
