# SPDX-License-Identifier: BSD-2-Clause
"""``make lint-kern``: checkpatch, sparse and all the compiler's warnings on the module.

Against the headers of a guest, in the tree they are in. The two checkers come from the packages of
the image whose kernel is compiled from source: they are in its lock, and one of them in the source.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.build import Bundle, source_files
from lab.config import DEFAULT_IMAGE, Config
from lab.deadline import Deadline
from lab.errors import LabError, Status, die
from lab.image.build import Image, ensure_image
from lab.image.contain import (
    contained_here,
    require_containment,
    require_programs,
    run_logged,
    tail,
    tool_environment,
)
from lab.image.lock import Lock, LockedPackage
from lab.image.selection import chosen_lock, obtain, pool_of
from lab.image.spec import load_image_spec
from lab.image.store import Report, content_key, ensure_entry
from lab.image.tree import inside
from lab.progress import Progress
from lab.run import note_on

CHECKERS_IMAGE = "debian-12-debug"
"""Its lock has sparse, and the kernel's source with checkpatch in it."""
MODULE = Bundle(("kern",), "kern/dune.ko", "kern")
CHECKPATCH = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")
COMPILE_SECONDS = 600.0
_SPARSE = "./usr/bin/sparse"
_COMPLAINT = re.compile(r"(\S+:\d+): (?:ERROR|WARNING|CHECK):(\w+): (.*)")
_HEADERS = "/usr/src/"
"""The kernel's own: sparse does not like it when a constant of 64 bits is split for WRMSR there."""
_FROM_COMPILER = re.compile(
    rf"(?:\./|/src/)?(?:kern/)?((?!{_HEADERS})\S+:\d+(?::\d+)?: (?:warning|error): .*)"
)


@dataclass(frozen=True)
class Ignored:
    """A kind of complaint that is wrong about these files (patterns below ``kern/``)."""

    kind: str
    files: str
    why: str


IGNORED = (
    Ignored("BIT_MACRO", "uapi/dune.h", "programs include it, and they have no BIT()"),
    Ignored("CAMELCASE", "uapi/dune.h", "_Static_assert is the language's"),
    Ignored("OPEN_ENDED_LINE", "trace.h", "TRACE_EVENT() is written like this in all the kernel"),
    Ignored("PARENTHESIS_ALIGNMENT", "trace.h", "likewise"),
    Ignored("EMBEDDED_FILENAME", "trace.h", "<trace/define_trace.h> includes it by that name"),
    Ignored("NEW_TYPEDEFS", "compat.h", "stands for one of two types, as the kernel has it"),
    Ignored("*", "barriers.h", "assembler, and checkpatch takes every header for C"),
    Ignored("SPACING", "vmx/cpu.c", "%l[label] in asm goto is an operand, no division"),
    Ignored("EMBEDDED_FUNCTION_NAME", "vmx/cpu.c", "the instruction is called that, too"),
    Ignored("EMBEDDED_FUNCTION_NAME", "vmx/ept.c", "likewise"),
    Ignored("MACRO_ARG_REUSE", "vmx/capabilities.c", "the argument is the name of an array"),
)


def main() -> int:
    """Check the module; the number of complaints decides."""
    config = Config.from_environment()
    with Progress().stage("Check the module's source") as stage:
        complaints = check(config, note_on(stage))
        stage.note = f"{len(complaints)} complaints"
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def check(config: Config, report: Report) -> list[str]:
    """Return the complaints of all three, one a line."""
    require_programs("perl", "dpkg-deb", "unshare", "chroot")
    require_containment()
    checkers = _checkers(config, report)
    image = ensure_image(config, load_image_spec(config.source, DEFAULT_IMAGE), report)
    with tempfile.TemporaryDirectory(prefix="dbos-lab-lint-") as scratch:
        copy = Path(scratch)
        for path in source_files(config.source, MODULE):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(config.source / path, copy / path)
        report("checkpatch")
        complaints = list(judged(_checkpatch(checkers, copy / "kern"), IGNORED))
        report("sparse, and the compiler with W=1")
        return [*complaints, *_compile(config, image, checkers, copy)]


def judged(lines: Iterable[str], ignored: Iterable[Ignored]) -> Iterator[str]:
    """Yield what checkpatch says that is not ignored, then what is ignored and not said."""
    unused = set(ignored)
    for line in lines:
        complaint = _COMPLAINT.fullmatch(line)
        if complaint is None:
            yield f"checkpatch: {line}"
            continue
        place, kind, text = complaint.groups()
        path = place.rpartition(":")[0]
        fits = {
            rule
            for rule in ignored
            if fnmatch.fnmatch(kind, rule.kind) and fnmatch.fnmatch(path, rule.files)
        }
        unused -= fits
        if not fits:
            yield f"kern/{place}: {text} (checkpatch, {kind})"
    for rule in sorted(unused, key=lambda rule: (rule.files, rule.kind)):
        yield f"kern/{rule.files}: {rule.kind} is ignored in {Path(__file__).name}, for nothing"


def _checkpatch(checkers: Path, kern: Path) -> list[str]:
    files = sorted(
        str(path.relative_to(kern)) for path in kern.rglob("*") if path.suffix in (".c", ".h", ".S")
    )
    options = ("--no-tree", "--strict", "--terse", "--show-types", "--max-line-length=100")
    # In a directory that is no checkout, it leaves no file behind.
    done = subprocess.run(
        ["perl", checkers / "checkpatch.pl", *options, "--file", *files],
        cwd=kern,
        env=tool_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stdout.splitlines() if line and not line.startswith("total:")]
    if done.returncode not in (0, 1) or (done.returncode and not said):
        die("checkpatch did not run", "read what it said", detail=done.stderr)
    return said


def _compile(config: Config, image: Image, checkers: Path, copy: Path) -> list[str]:
    """Compile the module with every warning, and have sparse read each file."""
    shutil.copy(checkers / "sparse", copy / "sparse")
    log = config.cache / "logs" / "lint-kern.log"
    make = [
        *("make", "--keep-going", "--no-print-directory", f"-j{len(os.sched_getaffinity(0))}"),
        *("-C", "/src/kern", f"KDIR=/lib/modules/{image.kernel_release}/build"),
        *("W=1", "C=2", "CHECK=/src/sparse"),
        # W=1 also runs kernel-doc, in Perl, which the tree has not; nothing here is kernel-doc.
        "cmd_checkdoc=:",
    ]
    status = run_logged(
        contained_here(inside(image.toolchain, copy, make)),
        log,
        environment=tool_environment(),
        deadline=Deadline.after(COMPILE_SECONDS, "checking the module"),
    )
    lines = log.read_text(errors="replace").splitlines()
    checked = sum(line.lstrip().startswith("CHECK ") for line in lines)
    sources = sum(Path(path).suffix == ".c" for path in source_files(config.source, MODULE))
    if checked < sources:
        die("sparse did not read every file", f"less {log}", detail=tail(log))
    complaints = [
        f"kern/{match[1]} (sparse or W=1)"
        for match in map(_FROM_COMPILER.fullmatch, lines)
        if match is not None
    ]
    if status != 0 and not complaints:
        die("kern does not compile", f"less {log}", status=Status.BUILD, detail=tail(log))
    return list(dict.fromkeys(complaints))


def _checkers(config: Config, report: Report) -> Path:
    """Return a directory with sparse and checkpatch, taken from their packages at first."""
    spec = load_image_spec(config.source, CHECKERS_IMAGE)

    def place(lock: Lock) -> tuple[Path, LockedPackage, LockedPackage]:
        by_name = {package.name: package for package in lock.packages}
        sparse, source = by_name["sparse"], by_name[spec.kernel.source]
        key = content_key([sparse.sha256.encode(), source.sha256.encode()])
        return config.cache / "checkers" / key, sparse, source

    lock = chosen_lock(config, spec, locked=False)
    if lock is None or not place(lock)[0].is_dir():
        lock = obtain(config, spec, report, locked=False)
    entry, sparse, source = place(lock)

    def fill(partial: Path) -> None:
        report("taking checkpatch out of the kernel's source")
        with _files(config, sparse) as files:
            _extract(files, _SPARSE, partial / "sparse")
        (partial / "sparse").chmod(0o755)
        with _files(config, source) as files:
            _extract(files, f"./usr/src/{spec.kernel.source}.tar.xz", partial / "source.tar.xz")
        wanted = {f"{spec.kernel.source}/scripts/{name}": name for name in CHECKPATCH}
        with tarfile.open(partial / "source.tar.xz", "r|xz") as files:
            for member in files:
                if member.name in wanted:
                    _write(files, member, partial / wanted.pop(member.name))
                if not wanted:
                    break
        (partial / "source.tar.xz").unlink()
        if wanted:
            die(
                f"{spec.kernel.source} has no {', '.join(sorted(wanted))}",
                f"check `kernel` in images/{CHECKERS_IMAGE}.yaml",
                status=Status.IMAGE,
            )

    ensure_entry(entry, fill, report)
    return entry


def _files(config: Config, package: LockedPackage) -> tarfile.TarFile:
    """Open the files of a package in the pool."""
    handle = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the archive that reads it)
    subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", pool_of(config).path(package)], stdout=handle, check=True
    )
    handle.seek(0)
    return tarfile.open(fileobj=handle)


def _extract(files: tarfile.TarFile, name: str, target: Path) -> None:
    _write(files, files.getmember(name), target)


def _write(files: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = files.extractfile(member)
    assert content is not None
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.status)
