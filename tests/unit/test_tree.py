# SPDX-License-Identifier: BSD-2-Clause
"""The house rules that a machine can check, over every file git knows."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = {".py", ".c", ".h", ".S", ".def", ".sh", ".yaml", ".yml", ".toml", ".pml"}
NAMES = {"Makefile", "Kbuild", "init", "run"}

LARGE_FOR_A_REASON = {
    "libdbos/src/sys/syscalls.def": "a table with a line for each system call",
    "tests/golden/index.yaml": "an index of captures, written by a program",
    "tests/unit/test_doctor_findings.py": "a table of hosts and what is to be said of each",
    "tests/unit/test_doctor_transcript.py": "real outputs of three engines",
}

# Below each folder of libdbos/src: the folders it may include from. Arrows point down.
LAYERS = {
    "hv": {"hv", "uapi"},
    "cpu": {"cpu", "hv", "dbos_internal.h"},
    "mm": {"mm", "cpu", "hv", "dbos_internal.h"},
    "sys": {"sys", "mm", "cpu", "hv", "dbos_internal.h"},
    "snappy": {"snappy", "sys", "mm", "cpu", "hv", "dbos_internal.h"},
    "compat": {"compat", "mm", "cpu", "hv", "dbos_internal.h", "user.h"},
}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def code() -> list[Path]:
    return [path for path in tracked() if path.suffix in CODE or path.name in NAMES]


def test_the_lists_see_the_tree() -> None:
    assert len(code()) > 50


def test_every_file_names_its_licence() -> None:
    missing = [path for path in code() if "SPDX-License-Identifier" not in path.read_text()[:200]]
    assert missing == []


MODULES = ("kern", "tests/zoo/module", "tests/guest/modules")


def test_modules_are_gpl_and_the_library_links_with_anything() -> None:
    for path in code():
        first = path.read_text()[:200]
        if any(path.is_relative_to(ROOT / module) for module in MODULES):
            assert "GPL-2.0" in first, path
        else:
            assert "SPDX-License-Identifier: BSD-2-Clause" in first, path


def test_no_stray_white_space_and_no_long_lines() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in code()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line != line.rstrip()
        or (len(line.expandtabs(8)) > 100 and not re.search(r"pr_(err|warn|info)\w*\(", line))
    ]
    assert wrong == []


def test_files_stay_small() -> None:
    large = {
        str(path.relative_to(ROOT)) for path in code() if len(path.read_text().splitlines()) > 400
    }
    assert large <= LARGE_FOR_A_REASON.keys()


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_libdbos_includes_point_one_way(layer: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "libdbos/src" / layer).rglob("*.[chS]")
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M)
        if name not in LAYERS[layer] and name.partition("/")[0] not in LAYERS[layer]
    ]
    assert wrong == []


def test_the_library_knows_of_the_kernel_only_the_uapi() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in code()
        if path.is_relative_to(ROOT / "libdbos")
        and re.search(r'#include [<"](hypervisor|svm/|vmx/|linux/k(?!vm\.h))', path.read_text())
    ]
    assert wrong == []
