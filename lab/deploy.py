# SPDX-License-Identifier: BSD-2-Clause
"""Bring what was built into the guest, and the module into its kernel.

Files travel as one tar stream into the guest's ``tar``: one round trip for all of them, where SFTP
takes several for each.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lab.build import Artefacts
from lab.errors import Status, die
from lab.guest import Guest

DIRECTORY = PurePosixPath("/lab")
"""Where everything the lab brings lies in the guest, in one flat directory."""
MODULE = DIRECTORY / "dune.ko"

_LOG_LINES = 30


def deploy(guest: Guest, artefacts: Artefacts) -> None:
    """Copy the module and the programs to ``/lab``."""
    copy(guest, (artefacts.module, *artefacts.programs))


def copy(guest: Guest, files: Sequence[Path]) -> None:
    """Copy files to ``/lab``, each under its own name, and there the mode it has here."""
    command = f"mkdir -p {DIRECTORY} && exec tar x -C {DIRECTORY}"
    guest.run(command, input=tar_stream(files), timeout=120, check=True)


def tar_stream(files: Sequence[Path]) -> bytes:
    """Pack files flat, owned by root. Two of the same name raise ``ValueError``."""
    names = [path.name for path in files]
    if len(set(names)) != len(names):
        raise ValueError(f"two files would have one name in the guest: {sorted(names)}")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in files:
            member = archive.gettarinfo(path, arcname=path.name)
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            with path.open("rb") as file:
                archive.addfile(member, file)
    return stream.getvalue()


def load_module(guest: Guest, module: PurePosixPath, *parameters: str) -> None:
    """Load a module; if the kernel refuses it, die with what the kernel logged."""
    loaded = guest.run(" ".join(("insmod", str(module), *parameters)), timeout=60)
    if loaded.status != 0:
        die(
            f"The module {module.name} did not load: {_reason(loaded.stderr)}.",
            "see the guest's kernel log below",
            status=Status.FAILED,
            detail=guest.kernel_log(_LOG_LINES),
        )


def unload_module(guest: Guest, module: PurePosixPath) -> None:
    """Unload a module; one that is in use, or that hangs in its exit, dies with the log."""
    unloaded = guest.run(f"rmmod {module_name(module)}", timeout=60)
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
