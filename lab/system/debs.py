# SPDX-License-Identifier: BSD-2-Clause
"""``make packages``: the module and the library as Debian packages.

``debian/`` says how, and Debian's own tools do it, in a tree that has nothing but them. A copy of
the sources is built, so the checkout stays clean; the result is cached by the content of all that
went into it.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

from lab.build import Bundle, source_files
from lab.config import Config
from lab.deadline import Deadline
from lab.errors import LabError, Status, die
from lab.image.contain import (
    contained_here,
    require_containment,
    run_logged,
    tail,
    tool_environment,
)
from lab.image.store import Report, content_key, ensure_entry
from lab.image.tree import inside
from lab.progress import Progress
from lab.run import note_on
from lab.system.spec import load_system_spec
from lab.system.tree import ensure_tree

BUILDER = "systems/builder"
SOURCES = Bundle(("kern", "libdbos", "debian"), "", "")
CHANGELOG = "debian/changelog"
ENTRY = """\
{source} ({version}) unstable; urgency=medium

  * The same once more under another version, for a test of upgrades.

 -- {who}  {date}

"""
BUILD_SECONDS = 900.0
_BUILD = """
cd /src/source
dpkg-buildpackage --build=binary --no-sign
cd ..
mkdir packages
mv -- *.deb *.buildinfo *.changes packages/
rm -r source
lintian --allow-root --fail-on error,warning --suppress-tags-from-file /src/known \
	packages/*.changes
"""
KNOWN = {
    "bogus-mail-host": "nobody has a mail host for this project yet",
    "initial-upload-closes-no-bugs": "nothing is uploaded to Debian",
}
"""Tags of lintian's that are not taken for faults, and why."""


@dataclass(frozen=True)
class Packages:
    """What was built: package files by name, without those that have debug information only."""

    version: str
    files: dict[str, Path]


def build_packages(config: Config, report: Report, *, version: str = "") -> Packages:
    """Return the packages of this checkout, built first if the cache lacks them.

    ``version``: the same sources under another version than ``debian/changelog`` says.
    """
    sources = {path: (config.source / path).read_bytes() for path in _paths(config.source)}
    if version:
        sources[CHANGELOG] = another_entry(sources[CHANGELOG].decode(), version).encode()
    tree = ensure_tree(config, load_system_spec(config.source, BUILDER), report)
    parts = [tree.parent.name.encode(), Path(__file__).read_bytes()]
    for path, content in sources.items():
        parts += [path.encode(), content]
    key = content_key(parts)
    entry = config.cache / "packages-built" / key

    def fill(partial: Path) -> None:
        for path, content in sources.items():
            target = partial / "source" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            shutil.copymode(config.source / path, target)
        (partial / "known").write_text("\n".join(KNOWN) + "\n")
        report("building packages")
        _build(tree, partial, config.cache / "logs" / f"packages-{key}.log")

    ensure_entry(entry, fill, report)
    files = {
        path.name.partition("_")[0]: path
        for path in sorted((entry / "packages").glob("*.deb"))
        if not path.name.partition("_")[0].endswith("-dbgsym")
    }
    return Packages(version or version_of(sources[CHANGELOG].decode()), files)


def _paths(source: Path) -> list[str]:
    """Return the sources; the changelog and rules of ``debian`` among them, and no product."""
    return list(source_files(source, SOURCES))


def version_of(changelog: str) -> str:
    """Return the version of a changelog's first entry."""
    first = re.match(r"\S+ \((\S+)\) ", changelog)
    if first is None:
        die(f"{CHANGELOG} is malformed", f"edit {CHANGELOG}", status=Status.USAGE)
    return first[1]


def another_entry(changelog: str, version: str) -> str:
    """Put an entry with another version in front, by the same people and a day later."""
    last = re.search(r"^ -- (.*>)  (.*)$", changelog, re.M)
    source = changelog.partition(" ")[0]
    assert last is not None
    date = format_datetime(parsedate_to_datetime(last[2]) + timedelta(days=1))
    return ENTRY.format(source=source, version=version, who=last[1], date=date) + changelog


def _build(tree: Path, place: Path, log: Path) -> None:
    require_containment()
    status = run_logged(
        contained_here(inside(tree, place, ["sh", "-ec", _BUILD])),
        log,
        environment=tool_environment(),
        deadline=Deadline.after(BUILD_SECONDS, "building packages"),
    )
    if status != 0:
        die(
            "the Debian packages cannot be built, or lintian complains of them",
            f"less {log}",
            status=Status.BUILD,
            detail=tail(log, 25),
        )


def main(target: Path) -> int:
    """Build them and copy them to ``target``; return the exit status."""
    config = Config.from_environment()
    try:
        with Progress().stage("Debian packages") as stage:
            packages = build_packages(config, note_on(stage))
            stage.note = packages.version
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    target.mkdir(parents=True, exist_ok=True)
    for path in packages.files.values():
        print(shutil.copy(path, target / path.name))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
