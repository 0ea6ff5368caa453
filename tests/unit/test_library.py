# SPDX-License-Identifier: BSD-2-Clause
"""libdbos as others get it: what the shared library exports, and what is installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBDBOS = ROOT / "libdbos"
PREFIX = "/opt/dbos"
FUNCTION = re.compile(r"^(?!static|typedef)[a-z].*?\b((?:dbos|dune)_\w+)\(", re.M)
"""A declaration at the beginning of a line; an attribute may follow."""
VARIABLE = re.compile(r"^extern [\w *]*?(\w+);", re.M)


def run(*argv: str | Path, **environment: str) -> str:
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def declared() -> set[str]:
    text = "\n".join(path.read_text() for path in (LIBDBOS / "include").rglob("*.h"))
    return set(FUNCTION.findall(text)) | set(VARIABLE.findall(text))


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scratch = tmp_path_factory.mktemp("libdbos")
    run(
        *("make", "-C", LIBDBOS, f"BUILD={scratch / 'build'}", "CFLAGS=-O1"),
        *(f"PREFIX={PREFIX}", f"DESTDIR={scratch / 'root'}", "install"),
    )
    return scratch / "root"


def test_the_shared_library_exports_what_the_headers_declare_and_nothing_else(staged: Path) -> None:
    listed = run("nm", "-D", "--defined-only", staged / f"{PREFIX[1:]}/lib/libdbos.so.0")
    exported = {
        name.partition("@")[0]
        for kind, name in re.findall(r"^\w+ (\w) (\S+)$", listed, re.M)
        if kind != "A"  # the name of the version itself
    }
    assert exported == declared()


def test_the_shared_library_binds_its_own_functions_itself(staged: Path) -> None:
    library = staged / f"{PREFIX[1:]}/lib/libdbos.so.0"
    dynamic = run("readelf", "-d", library)
    assert "soname: [libdbos.so.0]" in dynamic
    assert "BIND_NOW" in dynamic
    moved = re.findall(
        r"R_X86_64_(?:JUMP_SLO\w*|GLOB_DAT)\s+\w+ (\w+)", run("readelf", "-rW", library)
    )
    assert "mmap" in moved
    assert not [name for name in moved if name.startswith(("dbos_", "dune_"))]
    # Thread-local variables are at fixed offsets: nothing is allocated when one is first used.
    assert not re.search(r"__tls_get_addr|DTPMOD", run("readelf", "-rW", library))


@pytest.mark.parametrize("way", ["shared", "archive"])
def test_a_program_needs_no_more_than_pkg_config_says(
    staged: Path, tmp_path: Path, way: str
) -> None:
    pkg_config = {
        "PKG_CONFIG_LIBDIR": str(staged / f"{PREFIX[1:]}/lib/pkgconfig"),
        "PKG_CONFIG_SYSROOT_DIR": str(staged),
    }
    static = ["--static"] if way == "archive" else []
    flags = run("pkg-config", *static, "--cflags", "--libs", "dbos", **pkg_config).split()
    if way == "archive":
        flags = [flag.replace("-ldbos", "-l:libdbos.a") for flag in flags]
    source = ROOT / "tests/guest/installed/installed.c"
    program = tmp_path / "installed"
    run("cc", "-Wall", "-Werror", "-o", program, source, *flags)
    assert ("libdbos.so.0" in run("readelf", "-d", program)) == (way == "shared")


def test_the_version_is_told(staged: Path) -> None:
    where = str(staged / f"{PREFIX[1:]}/lib/pkgconfig")
    assert re.fullmatch(
        r"\d+\.\d+\n", run("pkg-config", "--modversion", "dbos", PKG_CONFIG_PATH=where)
    )
