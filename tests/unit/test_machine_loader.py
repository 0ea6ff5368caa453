# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.machine import loader


def test_a_bios_takes_it_for_an_option_rom(tmp_path: Path) -> None:
    rom = loader.build_loader(tmp_path).read_bytes()
    assert rom[:3] == bytes([0x55, 0xAA, len(rom) // 512])
    assert sum(rom) % 256 == 0
    assert b"dbos-lab: init failed: " in rom
    assert [path.name for path in tmp_path.iterdir()] == ["loader.rom"]


@pytest.mark.parametrize("rom", [b"", bytes(loader.BYTES + 1), b"\1" * loader.BYTES])
def test_one_that_has_grown_is_noticed(rom: bytes) -> None:
    with pytest.raises(ValueError, match="last one free"):
        loader.with_checksum(rom)


def test_without_binutils(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="'as' is missing") as caught:
        loader.build_loader(tmp_path)
    assert caught.value.status is Status.MISSING


def test_what_the_assembler_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "wrong.S"
    source.write_text("start: nonsense\n")
    monkeypatch.setattr(loader, "SOURCE", source)
    with pytest.raises(LabError, match="does not assemble") as caught:
        loader.build_loader(tmp_path)
    assert "nonsense" in caught.value.detail
