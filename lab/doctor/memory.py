# SPDX-License-Identifier: BSD-2-Clause
"""What the last probing found, kept for as long as it must still be true.

Probing takes seconds and its answer changes seldom. The answer is kept with a fingerprint of all
it depends on, and counts for nothing once one of these has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab import engine as engine_names
from lab.config import Config
from lab.doctor.shape import probe_from_json, probe_to_json
from lab.doctor.verdict import EngineProbe, Verdict
from lab.errors import LabError, Status, die

PROGRAMS = ("qemu-system-x86_64", "bochs", "setpriv")


def fingerprint() -> str:
    """Digest all that the answer depends on.

    The boot of this host; the emulators, by path, size and time; ``/dev/kvm`` and whether this
    user may open it; the nesting switch; the doctor's own text.
    """
    facts: list[object] = [_text(Path("/proc/sys/kernel/random/boot_id"))]
    facts += [_identity(shutil.which(name)) for name in PROGRAMS]
    facts += [_identity("/dev/kvm"), os.access("/dev/kvm", os.R_OK | os.W_OK)]
    facts += [
        _text(Path("/sys/module", module, "parameters/nested"))
        for module in ("kvm_intel", "kvm_amd")
    ]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for source in _own_text():
        digest.update(source.read_bytes())
    return digest.hexdigest()


def remember(config: Config, probes: Sequence[EngineProbe]) -> None:
    """Keep the answer, and beside it each engine's evidence as ``ENGINE.log``.

    An answer without a single engine is not kept: whoever mends that wants a fresh look.
    """
    place = _place(config)
    answer = {"fingerprint": fingerprint(), "engines": [probe_to_json(p) for p in probes]}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for probe in probes:
            if probe.evidence:
                _replace(place.with_name(f"{probe.engine.name}.log"), probe.evidence)
        if any(probe.verdict is Verdict.BOOTS for probe in probes):
            _replace(place, json.dumps(answer))
    except OSError as error:
        die(
            f"The doctor cannot write to {place.parent}: {error.strerror}.",
            "DBOS_LAB_CACHE=DIRECTORY dbos-lab doctor  # one with room, that you may write to",
            status=Status.USAGE,
        )


def recall(config: Config) -> tuple[EngineProbe, ...] | None:
    """Return what is still true, else ``None``. A damaged file is as good as none."""
    try:
        answer = json.loads(_place(config).read_bytes())
        if answer["fingerprint"] != fingerprint():
            return None
        return tuple(probe_from_json(entry) for entry in answer["engines"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, LabError):
        return None


def _place(config: Config) -> Path:
    return config.cache / "doctor" / "engines.json"


def _replace(path: Path, text: str) -> None:
    """Write beside and rename: a reader sees the old text or the new one."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_text(text)
        scratch.rename(path)
    finally:
        scratch.unlink(missing_ok=True)


def _identity(path: str | None) -> list[int | str]:
    """Tell a file from another without reading it; a device by its number and permissions."""
    if path is None:
        return []
    try:
        stat = Path(path).stat()
    except OSError:
        return [path]
    size_and_time = [] if stat.st_rdev else [stat.st_size, stat.st_mtime_ns]
    return [path, stat.st_ino, stat.st_rdev, stat.st_mode, stat.st_uid, stat.st_gid, *size_and_time]


def _own_text() -> Iterable[Path]:
    here = Path(__file__).parent
    return [*sorted([*here.glob("*.py"), *here.glob("*.S")]), Path(engine_names.__file__)]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
