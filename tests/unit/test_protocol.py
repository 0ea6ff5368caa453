# SPDX-License-Identifier: BSD-2-Clause
"""The lab's side of the models of protocols: reports are read, and nothing passes for less.

The searches themselves are ``make check-protocol``'s.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.protocol.__main__ import MODELS, choose, main, names_of
from lab.protocol.model import Model
from lab.protocol.search import judge_fault, judge_size
from lab.protocol.snappy import SIZES, SNAPPY, SnappySize, Vcpu
from lab.protocol.snappy_faults import FAULTS
from lab.spin import QUICK, Report, read_report, verify

ROOT = Path(__file__).resolve().parents[2]
EACH_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def parts_of(model: Model) -> list[Path]:
    return sorted((ROOT / model.path).with_suffix("").glob("*.pml"))


VERIFIED = """
(Spin Version 6.5.2 -- 6 December 2019)
\t+ Partial Order Reduction
\t+ Compression

Full statespace search for:
\tnever claim         \t- (none specified)
\tassertion violations\t+
\tcycle checks       \t- (disabled by -DSAFETY)
\tinvalid end states\t+

State-vector 184 byte, depth reached 96, errors: 0
   109555 states, stored
   168577 states, matched
   278132 transitions (= stored+matched)
    53096 atomic steps
hash conflicts:       489 (resolved)

Stats on memory usage (in Megabytes):
   22.150\tequivalent memory usage for states (stored*(State-vector + overhead))
  128.000\tmemory used for hash table (-w24)
  139.591\ttotal actual memory usage


unreached in proctype vcpu
\t(0 of 2547 states)
unreached in init
\t(0 of 23 states)

pan: elapsed time 0.28 seconds
"""
VIOLATED = (
    """pan:1: assertion violated (isolation||(memory[f_]==truth[((view[me]*1)+p_)])) (at depth 48)
pan: wrote snappy.pml.trail

(Spin Version 6.5.2 -- 6 December 2019)
Warning: Search not completed
"""
    + VERIFIED.split("\n", 2)[2]
).replace("errors: 0", "errors: 1")


def changed(text: str, old: str, new: str) -> Report:
    assert old in text
    return read_report(text.replace(old, new))


def test_a_whole_search() -> None:
    report = read_report(VERIFIED)
    assert (report.states, report.depth, report.megabytes) == (109555, 96, 139.591)
    assert (report.violated, report.incomplete, report.unreached) == ("", "", frozenset())
    assert judge_size(SNAPPY.size_named("main"), report) == ""


def test_many_states_have_an_exponent() -> None:
    assert changed(VERIFIED, "   109555 states", "1.234e+08 states").states == 123_400_000


def test_an_assertion_is_told_by_its_name() -> None:
    report = read_report(VIOLATED)
    assert (report.violated, report.trail, report.incomplete) == ("isolation", 48, "")
    assert judge_size(SNAPPY.size_named("main"), report) == "violates isolation after 48 steps"


@pytest.mark.parametrize(
    ("said", "violated"),
    [
        ("pan:1: invalid end state (at depth 17)", "deadlock"),
        ("pan:1: non-progress cycle (at depth 20)", "cycle"),
        ("pan:1: acceptance cycle (at depth 87)", "cycle"),
        ("pan:1: assertion violated  ((reuse|| !(reach_))) (at depth 3)", "reuse"),
    ],
)
def test_what_else_goes_wrong(said: str, violated: str) -> None:
    line = VIOLATED.partition("\n")[0]
    report = changed(VIOLATED, line, said)
    assert report.violated == violated
    assert report.trail > 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Full statespace search", "Bit statespace search"),
        ("\t+ Compression", "\t+ Hash-Compact 4"),
        ("State-vector", "error: max search depth too small\nState-vector"),
        ("State-vector", "pan: out of memory\nState-vector"),
        ("State-vector", "Warning: Search not completed\nState-vector"),
    ],
)
def test_a_search_that_proves_nothing(old: str, new: str) -> None:
    report = changed(VERIFIED, old, new)
    assert report.incomplete != ""
    assert judge_size(SNAPPY.size_named("main"), report) == report.incomplete
    assert judge_fault(FAULTS[0], report) == report.incomplete


def test_what_is_no_report() -> None:
    with pytest.raises(LabError, match="did not come to a report"):
        read_report("Segmentation fault")


def test_a_statement_that_no_run_comes_to() -> None:
    line = '\tdocs/models/snappy.pml:67, state 1386, "(pending[me])"\n\t(1 of 2547 states)'
    report = changed(VERIFIED, "\t(0 of 2547 states)", line)
    assert report.unreached == {"67: (pending[me])"}
    assert "line 67: (pending[me])" in judge_size(SNAPPY.size_named("main"), report)
    assert judge_size(SNAPPY.size_named("kept"), report) == ""


def test_a_fault_must_be_found_by_what_it_violates() -> None:
    found = read_report(VIOLATED)
    by_isolation = next(fault for fault in FAULTS if fault.violates == "isolation")
    by_reclaim = next(fault for fault in FAULTS if fault.violates == "reclaim")
    assert judge_fault(by_isolation, found) == ""
    assert judge_fault(by_reclaim, found) == "violates isolation, not reclaim"
    assert judge_fault(by_isolation, read_report(VERIFIED)) == "NOT FOUND"


@EACH_MODEL
def test_each_switch_of_the_model_is_looked_for(model: Model) -> None:
    table = (ROOT / model.path).with_suffix("") / "faults.pml"
    declared = re.findall(r"#define ([A-Z_]+) [1-9]\d*", table.read_text())
    used = {
        name
        for path in parts_of(model)
        for name in re.findall(r"FAULT [!=]= ([A-Z_]+)", path.read_text())
    }
    assert sorted(declared) == sorted({fault.switch for fault in model.faults})
    assert used == set(declared)
    assert len(set(declared)) == len(declared) == len(model.faults)


def test_no_model_has_lost_its_faults() -> None:
    assert {model.name: len(model.faults) >= 22 for model in MODELS} == {
        "snappy": True,
        "tabby": True,
    }


@EACH_MODEL
def test_what_a_fault_violates_is_an_assertion(model: Model) -> None:
    assert {f.size for f in model.faults} <= {s.name for s in model.sizes if not s.large}
    oracle = next(path for path in parts_of(model) if path.stem == "oracle").read_text()
    for fault in model.faults:
        assert fault.violates in {"deadlock", "cycle"} or f"assert({fault.violates} ||" in oracle


def test_names_are_told_apart() -> None:
    names = [name for model in MODELS for name in names_of(model)]
    assert len(set(names)) == len(names)
    assert all(len(names_of(m)) == 1 + len(m.sizes) + len(m.faults) for m in MODELS)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_a_size_fits_its_words(size: SnappySize) -> None:
    assert 2 <= len(size.vcpus) <= 3
    assert size.pages * size.frames * 2 < 32
    assert 3 <= size.tables <= 6
    assert 3 <= size.frames <= 7
    assert size.places <= 2
    assert sum(vcpu.stores for vcpu in size.vcpus) + size.host_stores < 16


def test_macros_say_what_vcpus_do() -> None:
    macros = SnappySize("x", "", (Vcpu(stores=2), Vcpu(calls=1, cuts=3))).definitions()
    assert (macros["VCPUS"], macros["VCPU0"], macros["VCPU1"]) == ("2", "2,0,0,0", "0,1,3,0")
    assert (macros["CUTS"], macros["WITH_CALLS"], macros["WITH_VISITS"]) == ("3", "1", "0")


def asked_for(*names: str, large: bool = False) -> tuple[set[str], set[str]]:
    chosen = choose(names, large=large)
    sizes = {size.name for searches in chosen for size in searches.sizes}
    return sizes, {fault.switch for searches in chosen for fault in searches.faults}


def test_names_choose() -> None:
    sizes, faults = asked_for()
    assert sizes == {size.name for model in MODELS for size in model.sizes if not size.large}
    assert faults == {fault.switch for model in MODELS for fault in model.faults}
    every_size, _ = asked_for(large=True)
    assert every_size == {size.name for model in MODELS for size in model.sizes}
    assert asked_for("main-large", "NO_STOP") == ({"main-large"}, {"NO_STOP"})


@EACH_MODEL
def test_a_model_is_chosen_by_its_name(model: Model) -> None:
    sizes, faults = asked_for(model.name)
    assert sizes == {size.name for size in model.sizes if not size.large}
    assert faults == {fault.switch for fault in model.faults}


def test_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mian"]) == Status.USAGE
    assert "did you mean main?" in capsys.readouterr().err


def test_a_host_without_spin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["main"]) == Status.MISSING
    assert "apt-get install spin" in capsys.readouterr().err


def stand_in(directory: Path, name: str, script: str) -> None:
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_model_that_spin_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path, "spin", "echo 'spin: x.pml:3, Error: syntax error'")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="did not take the model") as error:
        verify(Path("x.pml"), {}, QUICK)
    assert error.value.status == Status.BUILD
    assert "syntax error" in error.value.detail


def test_a_verifier_that_does_not_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path, "spin", "exit 0")
    stand_in(tmp_path, "gcc", "printf '#!/bin/sh\\nexec /bin/sleep 60\\n' >pan; /bin/chmod +x pan")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="did not end within") as error:
        verify(Path("x.pml"), {}, QUICK, timeout=0.2)
    assert error.value.status == Status.HUNG
