# SPDX-License-Identifier: BSD-2-Clause
"""What the doctor remembers of its last visit, and for how long."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_doctor_findings import ALL_GOOD, NO_KVM, probe

from lab.config import Config
from lab.doctor import diagnosis as diagnosis_module
from lab.doctor import memory
from lab.doctor.diagnosis import diagnose, usable_engines
from lab.doctor.engines import Ground
from lab.doctor.findings import Finding, Level
from lab.doctor.memory import recall, remember
from lab.doctor.verdict import EngineProbe, Verdict
from lab.engine import SVM_TCG
from lab.errors import LabError, Status


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path, tmp_path / "cache", tmp_path / "runs")


@pytest.fixture
def probings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replaces the probing; its length is how often that was asked for."""
    asked: list[int] = []

    def pretend(image: Path, ground: Ground) -> tuple[EngineProbe, ...]:
        asked.append(1)
        return NO_KVM

    monkeypatch.setattr(diagnosis_module, "probe_engines", pretend)
    return asked


def test_probing_is_done_once(config: Config, probings: list[int]) -> None:
    assert [p.engine.name for p in usable_engines(config)] == ["svm-tcg", "vmx-bochs"]
    started = time.monotonic()
    assert [p.engine.name for p in usable_engines(config)] == ["svm-tcg", "vmx-bochs"]
    assert time.monotonic() - started < 0.05
    assert len(probings) == 1


def test_the_evidence_is_kept(config: Config) -> None:
    remember(config, NO_KVM)
    assert (config.cache / "doctor" / "svm-kvm.log").read_text() == "evidence\n"
    names = {path.name for path in (config.cache / "doctor").iterdir()}
    assert names == {"engines.json", "svm-kvm.log", "svm-tcg.log", "vmx-bochs.log"}


def test_a_reader_sees_the_old_answer_or_the_new_one(config: Config) -> None:
    place = config.cache / "doctor" / "engines.json"
    remember(config, NO_KVM)
    with place.open() as reader:
        old = place.read_text()
        remember(config, ALL_GOOD)
        assert reader.read() == old
    assert place.read_text() != old


def test_a_memory_that_cannot_be_written(config: Config) -> None:
    (config.cache / "doctor" / "engines.json").mkdir(parents=True)
    with pytest.raises(LabError, match="cannot write") as caught:
        remember(config, NO_KVM)
    assert "DBOS_LAB_CACHE" in caught.value.hint
    assert not list((config.cache / "doctor").glob(".*"))


def test_a_doctor_without_a_probe_says_so(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: Config) -> Path:
        raise LabError("No assembler.", "install one", status=Status.MISSING)

    monkeypatch.setattr(diagnosis_module, "build_probe", fail)
    diagnosis = diagnose(config)
    assert {p.verdict for p in diagnosis.engines} == {Verdict.NOT_PROBED}
    assert diagnosis.default is None
    assert diagnosis.findings[0] == Finding("probe", Level.FAIL, "No assembler.", "install one")
    unknown = {"kvm-boots", "nested-guest-svm", "nested-guest-vmx"}
    assert not unknown & {f.id for f in diagnosis.findings}
    assert not any("No assembler" in f.cause for f in diagnosis.findings[1:])


def test_nothing_good_is_not_remembered(config: Config) -> None:
    remember(config, (probe(SVM_TCG, Verdict.STUCK),))
    assert recall(config) is None


def only(word: str) -> Callable[[Path], str]:
    """A file system in which the files of this name have changed."""
    true = memory._text
    return lambda path: "changed" if word in str(path) else true(path)


CHANGES: dict[str, Callable[[pytest.MonkeyPatch, Path], None]] = {
    "another PATH": lambda patch, _: patch.setenv("PATH", "/nowhere"),
    "another program": lambda patch, tmp: patch.setattr(memory, "PROGRAMS", ("sh",)),
    "another probe": lambda patch, tmp: patch.setattr(memory, "_own_text", lambda: [tmp / "x"]),
    "no access": lambda patch, _: patch.setattr(os, "access", lambda *_: "other"),
    "another boot": lambda patch, _: patch.setattr(memory, "_text", only("boot_id")),
    "nesting switched": lambda patch, _: patch.setattr(memory, "_text", only("kvm_amd")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_host_is_probed_again(
    change: Callable[[pytest.MonkeyPatch, Path], None],
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "x").write_text("another text")
    remember(config, NO_KVM)
    assert recall(config) is not None
    change(monkeypatch, tmp_path)
    assert recall(config) is None


def test_a_rebuilt_emulator_is_probed_again(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    remember(config, NO_KVM)
    assert recall(config) is not None
    qemu.write_text("new")
    assert recall(config) is None


@given(st.binary(max_size=64))
def test_a_damaged_memory_is_no_memory(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    config = Config(Path("/"), tmp_path_factory.mktemp("cache"), Path("/"))
    (config.cache / "doctor").mkdir()
    (config.cache / "doctor" / "engines.json").write_bytes(noise)
    assert recall(config) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda answer: answer["engines"][0].pop("verdict"),
        lambda answer: answer["engines"][0].update(verdict="splendid"),
        lambda answer: answer["engines"][0].update(name="abacus"),
        lambda answer: answer["engines"][1].update(features=7),
        lambda answer: answer["engines"][1]["features"].update(flags=[]),
        lambda answer: answer.update(engines=None),
    ],
)
def test_a_memory_of_another_shape_is_no_memory(
    config: Config, damage: Callable[[dict[str, object]], None]
) -> None:
    remember(config, NO_KVM)
    place = config.cache / "doctor" / "engines.json"
    answer = json.loads(place.read_text())
    damage(answer)
    place.write_text(json.dumps(answer))
    assert recall(config) is None
