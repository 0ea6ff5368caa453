# SPDX-License-Identifier: BSD-2-Clause
"""What is written down of a machine of metal, what is run there, and when it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from metal_hosts import AMD_IN_A_CLOUD, CORES, INTEL, plant, plant_topology

from lab.bench import hv, lab, libdbos
from lab.bench.snapshot import __main__ as snapshot
from lab.doctor.verdict import EngineProbe, Verdict
from lab.engine import SVM_KVM, SVM_TCG, VMX_KVM
from lab.errors import LabError, Status
from lab.metal import __main__ as conduct
from lab.metal.engine import metal_engine
from lab.metal.facts import UNSETTLED, doubts, read_facts
from lab.metal.processors import choose_processors, parse_list
from lab.metal.record import MetalRecord, Step
from lab.report.directory import create_session_in
from lab.report.entry import Entry

BOOTS = EngineProbe(VMX_KVM, Verdict.BOOTS, "VMXON and VMXOFF work inside")
STUCK = EngineProbe(SVM_KVM, Verdict.STUCK, "the probe did not reach long mode in 12 s")
TCG = EngineProbe(SVM_TCG, Verdict.BOOTS, "VMRUN works")


def test_the_facts_of_a_server(tmp_path: Path) -> None:
    facts = read_facts(plant(tmp_path, INTEL))
    assert facts.processor == "Intel(R) Xeon(R) Gold 5320 CPU @ 2.20GHz"
    assert (facts.vendor, facts.microcode) == ("GenuineIntel", "0xd0003a5")
    assert facts.features == ("vmx",)
    assert not facts.under_hypervisor
    assert (facts.processors, facts.smt, facts.governor) == (2, "on", "powersave")
    assert facts.boost == "on"  # no_turbo is 0
    assert (facts.kernel, facts.nested) == ("6.1.0-49-amd64", {"kvm_intel": "Y"})
    assert facts.boot_arguments == "root=/dev/sda1 mitigations=auto"
    assert facts.memory_mib == 257591
    assert facts.huge_pages == {"2048kB": 512, "1048576kB": 0}
    assert (facts.transparent_huge_pages, facts.clock_source) == ("madvise", "tsc")
    assert facts.mitigations == {
        "l1tf": "Not affected",
        "mds": "Mitigation: Clear CPU buffers; SMT vulnerable",
    }
    assert [doubt.partition(":")[0] for doubt in doubts(facts)] == [
        "the governor is powersave",
        "processors may boost",
        "SMT is on",
    ]


def test_the_facts_of_a_virtual_machine(tmp_path: Path) -> None:
    facts = read_facts(plant(tmp_path, AMD_IN_A_CLOUD))
    assert facts.features == ("svm",)
    assert facts.under_hypervisor
    assert (facts.governor, facts.boost) == (UNSETTLED, "off")
    assert facts.nested == {"kvm_amd": "0"}
    assert (facts.memory_mib, facts.huge_pages, facts.mitigations) == (0, {}, {})
    assert [doubt.partition(":")[0] for doubt in doubts(facts)] == [
        "this is a virtual machine",
        f"the governor is {UNSETTLED}",
        "the clock is hpet, not tsc",
    ]


def test_a_machine_that_tells_nothing_has_facts_too(tmp_path: Path) -> None:
    assert doubts(read_facts(tmp_path)) == ()


@pytest.mark.parametrize(
    ("allowed", "wanted", "chosen"),
    [
        (range(8), 3, (1, 2, 3)),
        (range(8), 4, (1, 2, 3, 0)),  # the first core last
        (range(8), 9, (1, 2, 3, 0)),
        ((4, 5, 6), 3, (5, 6, 4)),  # the first core's other thread
        ((2, 6), 3, (2,)),
    ],
)
def test_a_machines_processors_share_no_core(
    tmp_path: Path, allowed: Sequence[int], wanted: int, chosen: tuple[int, ...]
) -> None:
    root = plant_topology(tmp_path, CORES)
    assert choose_processors(root, set(allowed), wanted) == chosen


def test_processors_whose_topology_is_unknown_are_cores(tmp_path: Path) -> None:
    assert choose_processors(tmp_path, {0, 1}, 3) == (1, 0)


def test_lists_of_processors_are_the_kernels() -> None:
    assert parse_list("0-3,8\n") == {0, 1, 2, 3, 8}


def test_the_engine_is_the_kvm_that_has_booted() -> None:
    assert metal_engine([BOOTS, TCG]) == VMX_KVM
    assert metal_engine([TCG, BOOTS], "vmx") == VMX_KVM


@pytest.mark.parametrize(
    ("probe", "feature", "cause", "hint"),
    [
        (STUCK, "", "no svm at full speed: .* stuck .*long mode", "doctor --require kvm --req.* s"),
        (STUCK, "vmx", "no vmx at full speed", "--require vmx"),
        (BOOTS, "svm", "has vmx, and svm was asked for", "make metal FEATURE=vmx"),
    ],
)
def test_what_is_missing_is_refused_in_a_sentence(
    probe: EngineProbe, feature: str, cause: str, hint: str
) -> None:
    with pytest.raises(LabError, match=cause) as refusal:
        metal_engine([probe, TCG], feature)
    assert refusal.value.status is Status.MISSING
    assert re.search(hint, refusal.value.hint)


def test_the_measurements_take_what_they_are_given() -> None:
    programs = {
        "lab.bench.lab": lab.main,
        "lab.bench.hv": hv.main,
        "lab.bench.libdbos": libdbos.main,
        "lab.bench.snapshot": snapshot.main,
    }
    given = {words[1]: words[2:] for words in conduct.commands(VMX_KVM, Path("/o"), ())}
    for name, program in programs.items():
        assert isinstance(program, click.Command)
        context = program.make_context(name, list(given[name]))
        engines = [value for value in context.params.values() if value == VMX_KVM.name]
        assert engines, name


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A host whose KVM boots; its steps only note that they were run."""
    host = SimpleNamespace(probes=[BOOTS, TCG], steps=[], fails="", cell="6.1/vmx-kvm/seed")

    def run_step(command: Sequence[str], _source: Path, pinned: Sequence[int]) -> Step:
        host.steps.append((command, tuple(pinned)))
        if "pytest" in command:
            session = create_session_in(tmp_path / "metal/suites", {"command": "pytest"})
            entry = Entry("t.py::a", "passed", 1.0, 1.0, verdict="passed", cell=host.cell)
            session.results.write_text(entry.to_line())
        return Step(" ".join(command), int(host.fails in command), 1.0)

    monkeypatch.setenv("DBOS_LAB_PIN", "2,3")
    monkeypatch.setattr(conduct, "run_step", run_step)
    monkeypatch.setattr(conduct, "diagnose", lambda _config: SimpleNamespace(engines=host.probes))
    yield host


def run(tmp_path: Path, *arguments: str) -> object:
    """Return the status, or the refusal."""
    output = ["--output", str(tmp_path / "metal"), *arguments]
    done = CliRunner().invoke(conduct.metal, output, standalone_mode=False)
    return done.exception or done.return_value


def written(tmp_path: Path) -> tuple[dict[str, object], str]:
    folder = tmp_path / "metal"
    return json.loads((folder / "host.json").read_text()), (folder / "summary.md").read_text()


def test_all_is_run_on_the_engine_and_pinned(tmp_path: Path, machine: SimpleNamespace) -> None:
    assert run(tmp_path, "--", "lab") == 0
    words = [" ".join(command) for command, _ in machine.steps]
    assert [word for word in words if "pytest lab --lab-engine vmx-kvm" in word]
    assert "--lab-require vmx,kvm" in words[1]
    assert all(pinned == (2, 3) for _, pinned in machine.steps)
    record, summary = written(tmp_path)
    assert (record["engine"], record["pinned"], record["refused"]) == ("vmx-kvm", [2, 3], "")
    assert record["host"] == json.loads(json.dumps(read_facts().__dict__))
    assert "pinned to processors 2, 3" in summary
    assert "| 6.1/vmx-kvm | 1 passed |" in summary


def test_a_refusal_is_written_down_and_nothing_is_run(
    tmp_path: Path, machine: SimpleNamespace
) -> None:
    machine.probes = [STUCK, TCG]
    refusal = run(tmp_path, "--feature", "svm")
    assert isinstance(refusal, LabError) and refusal.status is Status.MISSING
    assert machine.steps == []
    record, summary = written(tmp_path)
    assert record["refused"] == refusal.message
    assert f"Nothing was run. {refusal.message}" in summary


def test_a_step_that_fails_is_no_reason_to_stop_nor_to_be_green(
    tmp_path: Path, machine: SimpleNamespace
) -> None:
    machine.fails = "lab.bench.hv"
    failure = run(tmp_path)
    assert isinstance(failure, LabError) and failure.status is Status.FAILED
    assert "1 of 6 steps" in failure.message and "lab.bench.hv" in failure.message
    assert len(machine.steps) == 6


def test_tests_on_another_engine_are_no_proof(tmp_path: Path, machine: SimpleNamespace) -> None:
    machine.cell = "6.1/svm-tcg/seed"
    failure = run(tmp_path)
    assert isinstance(failure, LabError) and failure.status is Status.FAILED
    assert "No test has passed on vmx-kvm" in failure.message


def test_a_step_is_told_the_processors(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = ("-c", "import os; print(os.environ['DBOS_LAB_PIN'])")
    assert conduct.run_step(told, tmp_path, (4, 6)).status == 0
    assert "4,6" in capfd.readouterr().out
    assert conduct.run_step(("-c", "raise SystemExit(7)"), tmp_path, ()).status == 7


def test_the_record_is_kept_up_with(tmp_path: Path) -> None:
    record = MetalRecord(tmp_path / "metal", replace(read_facts(), processor="X"), tmp_path)
    record.engine = "svm-kvm"
    record.steps.append(Step("pytest lab", 1, 61.0))
    record.write()
    _, summary = written(tmp_path)
    assert "**X**" in summary and "| `pytest lab` | 1 | 61 |" in summary
