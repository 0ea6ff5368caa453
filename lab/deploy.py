# SPDX-License-Identifier: BSD-2-Clause
"""Bring what was built into the guest, and the module into its kernel.

Files travel as one compressed tar stream into the guest's ``tar``: one round trip for all of them,
where SFTP takes several for each. Under Bochs a guest decrypts some 60 KiB a second, so what it
does not need stays here.
"""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lab.build import Artefacts
from lab.crash.symbols import note_modules, note_sections, sections_command
from lab.errors import Status, die
from lab.guest import Guest
from lab.tool import run_tool

DIRECTORY = PurePosixPath("/lab")
"""Where everything the lab brings lies in the guest, in one flat directory."""
MODULE = DIRECTORY / "dune.ko"

_LOG_LINES = 30


def deploy(guest: Guest, artefacts: Artefacts) -> None:
    """Copy the module and the programs to ``/lab``."""
    copy(guest, (artefacts.module, *artefacts.programs))


def copy(guest: Guest, files: Sequence[Path]) -> None:
    """Copy files to ``/lab``, each under its own name, and there the mode it has here.

    Modules and programs travel without their DWARF, which is most of them and useless there; the
    whole of a module is noted in the machine's directory, where a crash is decoded with it.
    """
    note_modules(guest.machine.directory, files)
    command = f"mkdir -p {DIRECTORY} && exec tar xz -C {DIRECTORY}"
    with tempfile.TemporaryDirectory(prefix="dbos-lab-") as scratch:
        lean = stripped(files, Path(scratch))
        guest.run(command, input=tar_stream(lean), check=True)


def stripped(files: Sequence[Path], directory: Path) -> list[Path]:
    """Write copies without debug information to ``directory``; return other files as they are."""
    elf = {f: directory / f.name for f in files if f.suffix == ".ko" or _is_elf(f)}
    for file, copy_ in elf.items():
        shutil.copy(file, copy_)  # with its mode
    done = run_tool(["strip", "--strip-debug", *elf.values()]) if elf else None
    if done is not None and done.returncode != 0:
        names = ", ".join(file.name for file in elf)
        die(
            f"Debug information cannot be stripped from {names}.",
            "make setup  # installs binutils",
            status=Status.BUILD,
            detail=done.stderr,
        )
    return [elf.get(file, file) for file in files]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def tar_stream(files: Sequence[Path]) -> bytes:
    """Pack files flat, owned by root, compressed. Two of the same name raise ``ValueError``."""
    names = [path.name for path in files]
    if len(set(names)) != len(names):
        raise ValueError(f"two files would have one name in the guest: {sorted(names)}")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for path in files:
            member = archive.gettarinfo(path, arcname=path.name)
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            with path.open("rb") as file:
                archive.addfile(member, file)
    return stream.getvalue()


def load_module(guest: Guest, module: PurePosixPath, *parameters: str) -> None:
    """Load a module; if the kernel refuses it, die with what the kernel logged."""
    name = module_name(module)
    insmod = " ".join(("insmod", str(module), *parameters))
    # In the same round trip, where it now is: a guest that has died cannot be asked.
    loaded = guest.run(f"{insmod} && {{ {sections_command(name)}; true; }}")
    if loaded.status != 0:
        die(
            f"The module {module.name} did not load: {_reason(loaded.stderr)}.",
            "see the guest's kernel log below",
            status=Status.FAILED,
            detail=guest.kernel_log(_LOG_LINES),
        )
    note_sections(guest.machine.directory, name, loaded.text)


def unload_module(guest: Guest, module: PurePosixPath) -> None:
    """Unload a module; one that is in use, or that hangs in its exit, dies with the log."""
    unloaded = guest.run(f"rmmod {module_name(module)}")
    if unloaded.status != 0:
        die(
            f"The module {module.name} did not unload: {_reason(unloaded.stderr)}.",
            "see the guest's kernel log below",
            status=Status.FAILED,
            detail=guest.kernel_log(_LOG_LINES),
        )


def module_name(module: PurePosixPath) -> str:
    """Return the kernel's name for a module file: no suffix, ``_`` for ``-``."""
    return module.name.removesuffix(".ko").replace("-", "_")


def _reason(stderr: bytes) -> str:
    """Take insmod's last line, without the punctuation that would double ours."""
    lines = stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
    return lines[-1].rstrip(". ")
