# SPDX-License-Identifier: BSD-2-Clause
import pytest

from lab.errors import LabError, Status
from lab.session.kernel import check_pattern, matches, series

RELEASES = ["5.10.0-33-amd64", "6.1.0-56-amd64", "6.6.9", "6.12.117+deb13-amd64"]


@pytest.mark.parametrize(
    ("patterns", "fit"),
    [
        ([], [0, 1, 2, 3]),
        (["6.*"], [1, 2, 3]),
        (["6.1"], [1]),
        (["6.1.*"], [1]),
        (["5.10", "6.12"], [0, 3]),
        ([">=6.6"], [2, 3]),
        ([">6.6"], [3]),
        (["<=6.1"], [0, 1]),
        (["==6.6"], [2]),
        (["!=6.6"], [0, 1, 3]),
        (["6.*", ">=6.6"], [2, 3]),
        ([">=6.1", "<6.12"], [1, 2]),
        (["*deb13*"], [3]),
    ],
)
def test_patterns_choose_kernels(patterns: list[str], fit: list[int]) -> None:
    assert [n for n, release in enumerate(RELEASES) if matches(release, patterns)] == fit


def test_an_unknown_kernel_fits_no_condition() -> None:
    assert not matches("", [">=1"])
    assert not matches("", ["6.*"])
    assert matches("", [])


def test_series() -> None:
    assert [series(release) for release in RELEASES] == ["5.10", "6.1", "6.6", "6.12"]


@pytest.mark.parametrize("pattern", [">=", ">=six", "<6.", "=="])
def test_a_comparison_needs_a_version(pattern: str) -> None:
    with pytest.raises(LabError, match="no version") as raised:
        check_pattern(pattern)
    assert raised.value.status is Status.USAGE


@pytest.mark.parametrize("pattern", ["6.*", ">=6.6", "6.1", "!=6"])
def test_good_patterns_pass(pattern: str) -> None:
    check_pattern(pattern)
