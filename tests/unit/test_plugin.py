# SPDX-License-Identifier: BSD-2-Clause
"""The plugin's own rules, without a machine: a stand-in takes the place of the lab."""

import pytest

pytest_plugins = ["pytester"]

STAND_IN = """
import pytest

class Engine:
    name = "svm-tcg"
    class vendor:
        value = "svm"

class Lab:
    engine = Engine

@pytest.fixture(scope="session")
def lab():
    return Lab()

@pytest.fixture
def guest(lab, lab_profile, request):
    from lab.machines import skip_unless
    skip_unless(request, lab)
    return lab_profile
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("ENGINE", "IMAGE", "PROFILE", "REQUIRE"):
        monkeypatch.delenv(f"DBOS_LAB_{name}", raising=False)
    monkeypatch.setenv("DBOS_LAB_CACHE", str(pytester.path / "cache"))
    pytester.makeconftest(STAND_IN)
    return pytester


def test_each_test_runs_under_each_profile(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_it(guest): assert guest in ('seed', 'stock')")
    result = suite.runpytest("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_it?seed? PASSED*", "*test_it?stock? PASSED*"])


@pytest.mark.parametrize("how", ["option", "environment", "ini"])
def test_profiles_are_chosen_three_ways(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    suite.makepyfile("def test_it(guest): assert guest == 'stock'")
    arguments = ["--lab-profile", "stock"] if how == "option" else []
    if how == "environment":
        monkeypatch.setenv("DBOS_LAB_PROFILE", "stock")
    if how == "ini":
        suite.makeini("[pytest]\nlab_profile = stock\n")
    suite.runpytest(*arguments).assert_outcomes(passed=1)


def test_the_command_line_wins(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBOS_LAB_PROFILE", "stock")
    suite.makepyfile("def test_it(guest): assert guest == 'seed'")
    suite.runpytest("--lab-profile", "seed").assert_outcomes(passed=1)


def test_a_profile_marker_narrows(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.lab_profile("seed")
        def test_it(guest): assert guest == "seed"
        """
    )
    suite.runpytest().assert_outcomes(passed=1)


NEEDS_VMX = """
    import pytest

    @pytest.mark.lab_requires("vmx")
    def test_it(guest): pass
"""


def test_a_missing_capability_is_a_skip_that_says_why(suite: pytest.Pytester) -> None:
    suite.makepyfile(NEEDS_VMX)
    result = suite.runpytest("-rs", "--lab-profile", "seed")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*needs vmx; the engine svm-tcg has svm*"])


def test_lab_require_makes_it_a_failure(suite: pytest.Pytester) -> None:
    suite.makepyfile(NEEDS_VMX)
    result = suite.runpytest("--lab-profile", "seed", "--lab-require", "svm,vmx")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*--lab-require forbids to skip that*"])


def test_markers_are_registered_and_the_header_speaks(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_it(): pass")
    result = suite.runpytest("--strict-markers", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.lab_requires*", "@pytest.mark.lab_profile*"])
    suite.runpytest().stdout.fnmatch_lines(
        ["lab: engine not chosen yet; image debian-12 not built yet"]
    )


def test_a_stranger_called_guest_does_no_harm(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest

        @pytest.fixture
        def guest(): return "somebody else's"

        def test_it(guest): assert False
        """
    )
    suite.runpytest().assert_outcomes(failed=1)
