# SPDX-License-Identifier: BSD-2-Clause
"""What pyproject.toml cannot say: a wheel has the sources that the lab compiles for its guests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SOURCES = (
    *("kern", "libdbos", "apps/redis", "apps/tabby"),
    *("lab/agent", "tests/guest", "images", "debian"),
    "lab/host-packages.txt",
)
"""Everything below ``Config.source`` that a lab without a checkout reads."""
INSTALLED = "lab/sources"
"""Where ``lab.config`` looks for them, laid out as in the checkout."""


def source_files() -> list[str]:
    """Return their paths: those that git knows of, or in an unpacked archive all that is there."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *SOURCES],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        sources = [ROOT / source for source in SOURCES]
        found = [path for source in sources for path in (source, *source.rglob("*"))]
        listed = [str(path.relative_to(ROOT)) for path in found]
    return sorted(name for name in listed if name and (ROOT / name).is_file())


class BuildWithSources(build_py):
    """Adds them to the package."""

    def run(self) -> None:
        """Build as ever, then copy."""
        super().run()
        if self.editable_mode:
            return  # the checkout is there
        for name in source_files():
            target = Path(self.build_lib, INSTALLED, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)


setup(cmdclass={"build_py": BuildWithSources})
