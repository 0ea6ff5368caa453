# SPDX-License-Identifier: BSD-2-Clause
"""A suite for the plugin's tests: an empty directory with a lab whose machines are fakes."""

from pathlib import Path

import pytest

from lab.options import OPTIONS

# Before any pytester, which forgets what is imported while it lives: a worker of pytest-xdist is
# told the plan and would meet this module there first, and the next test would patch a dead copy.
from lab.session import matrix
from lab.session.catalogue import Known

IMAGES = {
    "debian-12": Known("6.1.0-56-amd64", "9466616a0da193e3"),
    "debian-13": Known("6.12.117+deb13-amd64", ""),
}


class Suite:
    """Runs tests given as text, and tells what became of them and of the machines."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def run(self, tests: str, *arguments: str) -> pytest.RunResult:
        """Run tests in one cell, ``6.1/svm-tcg/seed``, unless the arguments say otherwise."""
        self.pytester.makepyfile(test_it="import pytest\n" + tests)
        one_cell = ("--lab-engine", "svm-tcg", "--lab-profile", "seed", "--lab-seed", "5")
        # Ctrl-C in a test is for the inner pytest; the outer one would end with it.
        return self.pytester.runpytest_inprocess(
            "-rs", *one_cell, *arguments, no_reraise_ctrlc=True
        )

    @property
    def machines(self) -> list[str]:
        """What was asked of the machines, a line each."""
        return Path(self.pytester.path, "machines").read_text().splitlines()


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    for option in OPTIONS:
        monkeypatch.delenv(option.environment, raising=False)
    monkeypatch.setenv("DBOS_LAB_CACHE", str(pytester.path / "cache"))
    monkeypatch.setattr(matrix, "catalogue", lambda _config: IMAGES)
    # The workers of pytest-xdist get no sys.path from here.
    here = str(Path(__file__).parent)
    pytester.makeconftest(
        f"import sys\nsys.path.insert(0, {here!r})\nfrom fake_lab import pytest_lab_keeper\n"
    )
    return Suite(pytester)
