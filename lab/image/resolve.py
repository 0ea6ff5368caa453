# SPDX-License-Identifier: BSD-2-Clause
"""Which packages an image needs, and where they are today: apt's answer, as a lock.

mmdebstrap makes an empty system with an apt of its own, which asks the mirror and resolves the
dependencies against nothing installed. No package is downloaded here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lab.deadline import Deadline
from lab.errors import Status, die
from lab.image.contain import (
    contained_here,
    require_containment,
    require_programs,
    run_logged,
    tool_environment,
)
from lab.image.failure import explain
from lab.image.lock import SOURCE, Lock, LockedPackage, Wanted
from lab.image.mirror import Mirror, host_mirror
from lab.image.store import FILL_SECONDS, Report, remove_tree

ANSWER = "answer"
"""Directory in the empty system that the hook leaves apt's answers in."""
ASK_APT = f"""
set -e
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
answer=$1/{ANSWER}
mkdir "$answer"
apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' >"$answer/archives"
grep -hE '^(Codename|Date):' "$1"/var/lib/apt/lists/*Release >"$answer/releases"
apt-get --yes --print-uris -o Acquire::ForceHash=SHA256 install PACKAGES >"$answer/packages"
"""
APT_OPTIONS = (
    'APT::Sandbox::User "root";',  # a namespace with one identity has no other user to be
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
)
ASK_FOR_SOURCES = r"""
sed -n 's/^deb /deb-src /p' "$1"/etc/apt/sources.list >"$1"/etc/apt/sources.list.d/sources.list
apt-get update >&2
apt-get --print-uris -o Acquire::ForceHash=SHA256 source --download-only SOURCES \
	>>"$answer/packages"
"""
"""Their lists are long, and most images need none of them."""
PACKAGE = re.compile(
    r"'(?P<uri>\S+)' (?P<name>[^\s_]+)_(?P<version>[^\s_]+)_(?P<architecture>[^\s_]+)\.deb "
    r"(?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})"
)
ORIGINAL = re.compile(
    r"'(?P<uri>\S+)' (?P<name>[^\s_]+)_(?P<version>[^\s_]+)\.orig\.tar\.\w+ "
    r"(?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})"
)
"""The tarball as its authors published it; Debian's changes to it are another file."""


@dataclass(frozen=True)
class Resolution:
    """What the mirror offers for an image today."""

    lock: Lock
    roots: Mapping[str, str]
    """URI of each archive's root by the archive's label, without a slash at the end."""


def resolve(spec: Wanted, place: Path, log: Path, report: Report) -> Resolution:
    """Ask apt; what it says is in ``log``.

    ``place`` becomes a directory and vanishes again. The caller sees to it that nobody else uses
    it; what a killed process left there is cleared away.
    """
    require_programs("mmdebstrap", "apt-get", "setpriv", "unshare")
    require_containment()
    mirror = host_mirror(spec.release)
    report("reading the package lists")
    remove_tree(place)
    tree, temporary = place / "tree", place / "tmp"
    temporary.mkdir(parents=True)
    try:
        status = run_logged(
            contained_here(mmdebstrap_argv(spec, mirror, tree)),
            log,
            environment=tool_environment({"TMPDIR": str(temporary)}),
            deadline=Deadline.after(FILL_SECONDS, "asking apt"),
            standard_input="".join(f"{line}\n" for line in mirror.sources).encode(),
        )
        if status != 0:
            explain(spec, log, tree)
        texts = {
            name: (tree / ANSWER / name).read_text()
            for name in ("archives", "releases", "packages")
        }
    finally:
        remove_tree(place)
    return parse(spec, **texts)


def mmdebstrap_argv(spec: Wanted, mirror: Mirror, tree: Path) -> list[str]:
    """Build the command line. Sources come on standard input: they may carry a password."""
    options = [f"--aptopt={option}" for option in (*APT_OPTIONS, *mirror.options)]
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=extract",
        "--format=directory",
        *options,
        f"--extract-hook={_questions(spec)}",
        spec.release,
        str(tree),
        *(["-"] if mirror.sources else []),
    ]


def _questions(spec: Wanted) -> str:
    script = ASK_APT.replace("PACKAGES", " ".join(spec.packages))
    if spec.sources:
        script += ASK_FOR_SOURCES.replace("SOURCES", " ".join(spec.sources))
    return script


def parse(spec: Wanted, archives: str, releases: str, packages: str) -> Resolution:
    """Read the three answers; ``archives`` are those of the lists that apt has read."""
    roots: dict[str, str] = {}
    for line in archives.splitlines():
        label, _, uri = line.partition("|")
        roots.setdefault(label, uri.rstrip("/"))
    found = [
        _package(match, roots, spec)
        for line in packages.splitlines()
        if (match := PACKAGE.fullmatch(line) or ORIGINAL.fullmatch(line)) is not None
    ]
    lock = Lock(
        release=spec.release,
        requested=spec.requested,
        resolved=tuple(sorted(_dates(releases.splitlines()))),
        packages=tuple(sorted(found, key=lambda package: (package.name, package.architecture))),
    )
    return Resolution(lock, roots)


def _dates(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pair the fields of the Release files; in each, the codename precedes the date."""
    suite = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "Codename":
            suite = value
        else:
            yield suite, value


def _package(match: re.Match[str], roots: Mapping[str, str], spec: Wanted) -> LockedPackage:
    uri = match["uri"]
    archive = next((label for label, root in roots.items() if uri.startswith(f"{root}/")), None)
    if archive is None:
        die(
            f"apt offers {match['name']} from no archive that it has listed",
            f"check the host's apt sources for {spec.release}",
            status=Status.IMAGE,
        )
    return LockedPackage(
        name=match["name"],
        version=unquote(match["version"]),
        architecture=match.groupdict().get("architecture", SOURCE),
        archive=archive,
        path=unquote(uri.removeprefix(f"{roots[archive]}/")),
        size=int(match["size"]),
        sha256=match["sha256"],
    )
