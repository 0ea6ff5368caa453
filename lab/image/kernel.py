# SPDX-License-Identifier: BSD-2-Clause
"""Compile a kernel from its source package, in the tree whose compiler and headers it will have.

What it leaves in the tree is what the packages of a kernel would have brought: ``boot/vmlinuz-*``,
``lib/modules``, and below ``usr/src`` the headers that modules are compiled against. The source
itself, 1.5 GB, is gone then.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from lab.deadline import Deadline
from lab.errors import Status, die
from lab.image.contain import contained_here, run_logged, tail, tool_environment
from lab.image.failure import disk_is_full
from lab.image.spec import ImageSpec, KernelSpec
from lab.image.store import FILL_SECONDS, Report, full_disk, remove_tree
from lab.image.tree import inside

CONFIG = "images/kernels/{}.config"
_SETTING = re.compile(r"(CONFIG_\w+)=(.*)")
_LOCALVERSION = "CONFIG_LOCALVERSION"
_STEP = "lab: "
_COMPILED = re.compile(r"  (CC|AS)\s")
_NOTE_EVERY = 50
"""Compiled files between two notes on the screen."""
_COMPILE = r"""
source=$1 jobs=$2
export KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
cd /src
echo 'lab: unpacking its source'
tar --extract --no-same-owner --file "/usr/src/$source.tar.xz" --strip-components=1 \
	--exclude='*/Documentation/*.rst' --exclude='*/tools/testing/*' --exclude='*/sound/*.[ch]' \
	--exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/media/*.[ch]' \
	--exclude='*/drivers/net/wireless/*.[ch]'
echo 'lab: configuring'
make -s KCONFIG_ALLCONFIG=/src/lab.config allnoconfig
echo 'lab: compiling'
make --no-print-directory "-j$jobs" bzImage modules
echo 'lab: installing'
release=$(make -s kernelrelease)
headers=/usr/src/linux-headers-$release
make -s INSTALL_MOD_PATH=/ DEPMOD=true modules_install
cp "$(make -s image_name)" "/boot/vmlinuz-$release"
cp .config "/boot/config-$release"
cp System.map "/boot/System.map-$release"
# What modules are compiled with: headers, makefiles, the programs kbuild runs, the symbols.
find . -type f ! -path './scripts/*' ! -path './tools/objtool/objtool' ! -path ./.config \
	! -name '*.h' ! -name '*.lds' ! -name 'Makefile*' ! -name 'Kbuild*' ! -name 'Kconfig*' \
	! -path './include/*' ! -name Module.symvers -delete
find . \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' \) -delete
find . -type d -empty -delete
mkdir "$headers"
cp -a . "$headers"
rm -f "/lib/modules/$release/source"
ln -sfn "$headers" "/lib/modules/$release/build"
rm "/usr/src/$source.tar.xz"
"""


def config_of(root: Path, kernel: KernelSpec) -> bytes:
    """Read the configuration that a kernel is compiled with; empty if it comes as a package."""
    if not kernel.config:
        return b""
    path = root / CONFIG.format(kernel.config)
    try:
        return path.read_bytes()
    except OSError as error:
        die(
            f"the kernel's configuration cannot be read: {path}: {error.strerror}",
            "check that the checkout is complete: git status",
            status=Status.USAGE,
        )


def compile_kernel(spec: ImageSpec, tree: Path, config: bytes, log: Path, report: Report) -> None:
    """Compile the kernel of ``spec`` and put it into ``tree``, which has all that takes."""
    scratch = tree.with_name("kernel")
    scratch.mkdir()
    (scratch / "lab.config").write_bytes(config)
    compiled = 0

    def note(line: str) -> None:
        nonlocal compiled
        if line.startswith(_STEP):
            report(f"the kernel: {line.removeprefix(_STEP)}")
        elif _COMPILED.match(line):
            compiled += 1
            if compiled % _NOTE_EVERY == 0:
                report(f"the kernel: compiling, {compiled} files so far")

    script = ["sh", "-ec", _COMPILE, "compile-kernel", spec.kernel.source]
    status = run_logged(
        contained_here(inside(tree, scratch, [*script, str(len(os.sched_getaffinity(0)))])),
        log,
        environment=tool_environment(),
        deadline=Deadline.after(FILL_SECONDS, "compiling the kernel"),
        on_line=note,
    )
    if status != 0 and disk_is_full(log):
        raise full_disk(tree)
    if status != 0:
        die(
            f"the kernel of {spec.name} does not compile",
            f"less {log}",
            status=Status.IMAGE,
            detail=tail(log, 25),
        )
    _check_config(spec, tree, config)
    remove_tree(scratch)


def _check_config(spec: ImageSpec, tree: Path, config: bytes) -> None:
    """Die unless each setting is what was asked for: Kconfig drops silently what it cannot have."""
    (path,) = (tree / "boot").glob("config-*")
    got = settings(path.read_text())
    wrong = [
        f"{name}={value}, and got {got.get(name, 'n')}"
        for name, value in settings(config.decode()).items()
        if got.get(name, "n") != value
    ]
    if wrong:
        die(
            f"Kconfig did not follow {len(wrong)} lines of {CONFIG.format(spec.kernel.config)}",
            "add what they depend on, or remove them",
            status=Status.IMAGE,
            detail="\n".join(wrong),
        )


def settings(config: str) -> Mapping[str, str]:
    """Return the settings of a kernel configuration by name."""
    found = (_SETTING.fullmatch(line) for line in config.splitlines())
    return {match[1]: match[2] for match in found if match}


def compiled_release(version: str, config: bytes) -> str:
    """Return the release of a kernel from its package's version: 6.1.192-3 gives 6.1.192-debug."""
    suffix = settings(config.decode()).get(_LOCALVERSION, '""')
    return f"{version.partition('-')[0]}{suffix[1:-1]}"
