# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import cast

import pytest

from lab.command import Result
from lab.crash.symbols import noted_sections
from lab.deploy import copy, load_module, module_name, tar_stream, unload_module
from lab.errors import LabError
from lab.guest import Guest


class FakeGuest:
    """Answers every command with one status; has a kernel log."""

    def __init__(self, status: int, stderr: bytes = b"", directory: Path = Path("/")) -> None:
        self.commands: list[str] = []
        self.inputs: list[bytes] = []
        self.machine = SimpleNamespace(directory=directory)
        self._status = status
        self._stderr = stderr

    def run(self, command: str, **options: object) -> Result:
        self.commands.append(command)
        self.inputs.append(cast(bytes, options.get("input", b"")))
        return Result(command, self._status, b".text:0xffffffffc0000000\n", self._stderr, 0.0)

    def kernel_log(self, lines: int | None = None) -> str:
        return "dune: no SVM here"


def test_files_arrive_flat_with_their_mode_and_owned_by_root(tmp_path: Path) -> None:
    source = tmp_path / "a" / "b"
    source.mkdir(parents=True)
    (source / "hello").write_bytes(b"\x7fELF")
    (source / "hello").chmod(0o755)
    (tmp_path / "dune.ko").write_bytes(b"module")
    (tmp_path / "dune.ko").chmod(0o644)
    stream = tar_stream([tmp_path / "dune.ko", source / "hello"])
    target = tmp_path / "target"
    target.mkdir()
    subprocess.run(["tar", "xz", "-C", str(target)], input=stream, check=True)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        "dune.ko": b"module",
        "hello": b"\x7fELF",
    }
    assert (target / "hello").stat().st_mode & 0o777 == 0o755
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        assert {(member.uid, member.gid) for member in archive} == {(0, 0)}


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_bytes(b"")
    with pytest.raises(ValueError, match="one name"):
        tar_stream([tmp_path / "a" / "x", tmp_path / "b" / "x"])


def test_a_module_that_does_not_load_shows_the_kernel_log() -> None:
    guest = FakeGuest(1, b"insmod: can't insert 'dune.ko': Operation not supported\n")
    with pytest.raises(LabError) as caught:
        load_module(cast(Guest, guest), PurePosixPath("/lab/dune.ko"))
    assert caught.value.message.startswith("The module dune.ko did not load: insmod: can't insert")
    assert caught.value.message.endswith("Operation not supported.")
    assert caught.value.detail == "dune: no SVM here"


def test_one_that_loads_is_given_its_parameters_and_tells_where_it_is(tmp_path: Path) -> None:
    guest = FakeGuest(0, directory=tmp_path)
    load_module(cast(Guest, guest), PurePosixPath("/lab/kvm-amd.ko"), "debug=1")
    assert guest.commands[0].startswith("insmod /lab/kvm-amd.ko debug=1 && ")
    assert "/sys/module/kvm_amd/sections" in guest.commands[0]
    assert noted_sections(tmp_path, "kvm_amd") == {".text": 0xFFFFFFFFC0000000}


def test_a_module_travels_without_its_debug_information_which_stays_here(tmp_path: Path) -> None:
    module = tmp_path / "m.ko"
    source = b".text\n.globl f\nf: ret\n"
    subprocess.run(["as", "-g", "-o", str(module), "-"], input=source, check=True)
    module.chmod(0o640)
    directory = tmp_path / "run"
    directory.mkdir()
    guest = FakeGuest(0, directory=directory)
    copy(cast(Guest, guest), [module])
    with tarfile.open(fileobj=io.BytesIO(guest.inputs[0])) as archive:
        arrived = archive.extractfile("m.ko")
        assert arrived is not None
        content = arrived.read()
        assert archive.getmember("m.ko").mode == 0o640
    assert b".debug_line" not in content
    assert b"\0f\0" in content  # the symbol stays: the kernel prints it
    assert (directory / "symbols" / "m.ko").read_bytes() == module.read_bytes()


def test_so_does_a_program_and_other_files_are_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "p.c"
    source.write_text("int main(void) { return 0; }\n")
    program = tmp_path / "p"
    subprocess.run(["cc", "-g", "-o", str(program), str(source)], check=True)
    whole = program.read_bytes()
    guest = FakeGuest(0, directory=tmp_path)
    copy(cast(Guest, guest), [program, source])
    with tarfile.open(fileobj=io.BytesIO(guest.inputs[0])) as archive:
        sent = {member.name: archive.extractfile(member) for member in archive}
        content = {name: file.read() for name, file in sent.items() if file is not None}
    assert b".debug_info" in whole
    assert b".debug_info" not in content["p"]
    assert content["p.c"] == source.read_bytes()
    assert program.read_bytes() == whole


def test_a_module_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.ko").write_text("no ELF file")
    with pytest.raises(LabError, match="cannot be stripped"):
        copy(cast(Guest, FakeGuest(0, directory=tmp_path)), [tmp_path / "m.ko"])


def test_one_that_does_not_unload_shows_the_kernel_log() -> None:
    with pytest.raises(LabError) as caught:
        unload_module(cast(Guest, FakeGuest(1)), PurePosixPath("/lab/dune.ko"))
    assert caught.value.message == "The module dune.ko did not unload: it gave no reason."
    assert caught.value.detail == "dune: no SVM here"


def test_the_kernels_name_for_a_module() -> None:
    assert module_name(PurePosixPath("/lab/kvm-amd.ko")) == "kvm_amd"
