# SPDX-License-Identifier: BSD-2-Clause
"""Which package brings a program, and the command that installs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

PACKAGE_OF: Mapping[str, str] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "bochs": "bochs bochs-term bochsbios vgabios",
    "mmdebstrap": "mmdebstrap",
    "cpio": "cpio",
    "as": "binutils",
    "ld": "binutils",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "kmod": "kmod",
}
"""The same names on Debian and Ubuntu."""


def install_command(*packages: str) -> str:
    """Say what to type to install the packages: apt where it is, with sudo where needed."""
    wanted = " ".join(dict.fromkeys(" ".join(packages).split()))
    if shutil.which("apt-get") is None:
        return f"install these packages: {wanted}"
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install {wanted}"
