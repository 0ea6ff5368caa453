# SPDX-License-Identifier: BSD-2-Clause
"""What is compiled, how the compiler is entered, and what its failures say."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import build
from lab.build import DBOS, MARK, Artefacts, build_argv, build_guest_programs, source_files
from lab.config import Config
from lab.errors import LabError, Status
from lab.image.build import Image

RELEASE = "6.1.0-1-amd64"
SOURCES = (
    "kern/Makefile",
    "kern/core.c",
    "kern/svm/enter.S",
    "kern/uapi/dune.h",
    "libdbos/Makefile",
    "libdbos/src/init.c",
    "lab/agent/Makefile",
    "lab/agent/agent.c",
    "tests/guest/Makefile",
    "tests/guest/hello.c",
)
PRODUCTS = (
    "kern/core.o",
    "kern/dune.ko",
    "kern/dune.mod",
    "kern/dune.mod.c",
    "kern/.core.o.cmd",
    "kern/.tmp_versions/x.c",
    "kern/Module.symvers",
    "kern/modules.order",
    "libdbos/libdbos.a",
    "libdbos/libdbos.so.0",
    "libdbos/build/init.c",
    "tests/guest/bin/hello",
    "README.md",
)
Compiler = Callable[[list[str], Path], int]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    source = tmp_path / "checkout"
    for name in (*SOURCES, *PRODUCTS):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Config(source=source, cache=tmp_path / "cache", runs=tmp_path / "runs")


@pytest.fixture
def image(tmp_path: Path) -> Image:
    toolchain = tmp_path / "packages" / "tree"
    none = tmp_path / "none"
    return Image("tiny", "bookworm", none, none, RELEASE, "digest", toolchain, none, True)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Replace compiler and modinfo: ``compiler(status=..., log=..., vermagic=...)``."""

    def install(
        status: int = 0, log: str = "", vermagic: str = f"{RELEASE} SMP", programs: bool = True
    ) -> list[list[str]]:
        calls: list[list[str]] = []

        def run_logged(argv: list[str], path: Path, **options: Any) -> int:
            calls.append(argv)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(log)
            for line in log.splitlines():
                options["on_line"](line)
            source = Path(argv[argv.index("enter-tree") + 2])
            (source / "kern/dune.ko").touch()
            (source / "tests/guest/bin").mkdir()
            if programs:
                (source / "tests/guest/bin/hello").touch(mode=0o755)
            (source / "tests/guest/bin/hello.txt").touch(mode=0o644)
            return status

        def modinfo(argv: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess(argv, 0, stdout=f"{vermagic}\n", stderr="")

        monkeypatch.setattr(build, "run_logged", run_logged)
        monkeypatch.setattr(build, "require_containment", lambda: None)
        monkeypatch.setattr(build, "require_programs", lambda *_names: None)
        monkeypatch.setattr(subprocess, "run", modinfo)
        return calls

    return install


def silent(_note: str) -> None:
    pass


def failure(config: Config, image: Image) -> LabError:
    with pytest.raises(LabError) as caught:
        build_guest_programs(config, image, silent)
    artefacts = config.cache / "artefacts"
    assert not any(path.is_dir() for path in artefacts.glob("*"))
    return caught.value


def test_sources_without_products_in_a_fixed_order(config: Config) -> None:
    assert tuple(source_files(config.source)) == SOURCES


def test_artefacts_are_built_once(
    config: Config, image: Image, compiler: Callable[..., list[list[str]]]
) -> None:
    calls = compiler()
    first = build_guest_programs(config, image, silent)
    assert build_guest_programs(config, image, silent) == first
    assert len(calls) == 1
    assert first == Artefacts(
        first.directory,
        first.directory / "kern/dune.ko",
        (first.directory / "tests/guest/bin/hello",),
    )
    assert first.module.is_file()
    assert not (config.source / "tests/guest/bin/hello.txt").exists()


@pytest.mark.parametrize("changed", ["kern/uapi/dune.h", "tests/guest/new.c"])
def test_changed_or_new_source_builds_anew(
    config: Config, image: Image, compiler: Callable[..., list[list[str]]], changed: str
) -> None:
    calls = compiler()
    first = build_guest_programs(config, image, silent)
    (config.source / changed).write_text("changed")
    assert build_guest_programs(config, image, silent).directory != first.directory
    (config.source / "kern/core.o").write_text("a product, not a source")
    build_guest_programs(config, image, silent)
    assert len(calls) == 2


def test_command_enters_the_tree_and_uses_its_headers(image: Image) -> None:
    argv = build_argv(image, DBOS, Path("/copy"), 3)
    assert argv[argv.index("enter-tree") + 1 :][:2] == [str(image.toolchain), "/copy"]
    script = argv[-1]
    headers = f"KDIR=/lib/modules/{RELEASE}/build"
    order = [f"make --no-print-directory -j3 -C /src/{name} {headers}" for name in DBOS.components]
    positions = [script.index(command) for command in order]
    assert positions == sorted(positions)


def test_compiler_error_is_shown_with_the_component(
    config: Config, image: Image, compiler: Callable[..., list[list[str]]]
) -> None:
    compiler(status=2, log=f"{MARK}kern\n{MARK}libdbos\nsrc/init.c:3: error: expected ';'\n")
    error = failure(config, image)
    assert error.status is Status.BUILD
    assert error.message == f"libdbos does not compile for kernel {RELEASE}"
    assert "init.c:3: error" in error.detail
    assert "full log: " in error.detail
    log = Path(error.detail.rsplit("full log: ", 1)[1])
    assert "expected ';'" in log.read_text()


def test_toolchain_that_cannot_be_entered_is_no_compiler_error(
    config: Config, image: Image, compiler: Callable[..., list[list[str]]]
) -> None:
    compiler(status=127, log="chroot: failed to run command\n")
    error = failure(config, image)
    assert error.status is Status.IMAGE
    assert str(image.toolchain.parent) in error.hint


def test_full_disk_is_no_compiler_error(
    config: Config, image: Image, compiler: Callable[..., list[list[str]]]
) -> None:
    compiler(status=2, log=f"{MARK}kern\nas: core.o: No space left on device\n")
    error = failure(config, image)
    assert error.status is Status.IMAGE
    assert "full" in error.message


def test_module_for_another_kernel_is_refused(
    config: Config, image: Image, compiler: Callable[..., list[list[str]]]
) -> None:
    compiler(vermagic="6.1.0-2-amd64 SMP preempt mod_unload")
    error = failure(config, image)
    assert error.status is Status.BUILD
    assert "6.1.0-2-amd64" in error.message and RELEASE in error.message


def test_build_without_programs_is_refused(
    config: Config, image: Image, compiler: Callable[..., list[list[str]]]
) -> None:
    compiler(programs=False)
    assert "no program" in failure(config, image).message


def test_missing_makefile_is_named(config: Config, image: Image) -> None:
    (config.source / "libdbos/Makefile").unlink()
    error = failure(config, image)
    assert error.status is Status.BUILD
    assert "libdbos has no Makefile" in error.message
