# SPDX-License-Identifier: BSD-2-Clause
"""What ``/dev/kvm`` says of itself. Necessary for a working KVM, and far from sufficient."""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import dataclass, replace
from pathlib import Path

KVM_GET_API_VERSION = 0xAE00
KVM_CREATE_VM = 0xAE01
KVM_CHECK_EXTENSION = 0xAE03
KVM_CREATE_VCPU = 0xAE41
KVM_CAP_NESTED_STATE = 157

KVM_API_VERSION = 12
"""The only one since Linux 2.6.22; the manual tells users to refuse any other."""


@dataclass(frozen=True)
class KvmNode:
    """The device as this user finds it. Each step is ``False`` if one before it failed."""

    path: str = "/dev/kvm"
    exists: bool = False
    opens: bool = False
    api_version: int = 0
    creates_vcpu: bool = False
    """A virtual machine and a CPU in it."""
    nested_state: bool = False
    """It can save a nested guest, so it can have one."""
    error: str = ""
    """What the first step that failed said."""
    group: str = ""
    """The group whose members may open the node; empty if there is no such group."""


def look_at_kvm(path: Path = Path("/dev/kvm")) -> KvmNode:
    """Open the node and create one virtual CPU; nothing is executed."""
    if not path.exists():
        return KvmNode(str(path), error=os.strerror(errno.ENOENT))
    found = KvmNode(str(path), exists=True, group=_group(path))
    try:
        node = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return replace(found, error=error.strerror or str(error))
    found = replace(found, opens=True)
    handles = [node]
    try:
        found = replace(found, api_version=fcntl.ioctl(node, KVM_GET_API_VERSION, 0))
        nested = fcntl.ioctl(node, KVM_CHECK_EXTENSION, KVM_CAP_NESTED_STATE) > 0
        handles.append(fcntl.ioctl(node, KVM_CREATE_VM, 0))
        handles.append(fcntl.ioctl(handles[-1], KVM_CREATE_VCPU, 0))
        return replace(found, nested_state=nested, creates_vcpu=True)
    except OSError as error:
        return replace(found, error=error.strerror or str(error))
    finally:
        for handle in reversed(handles):
            os.close(handle)


def _group(path: Path) -> str:
    """Name the group that joining would help: not root, and allowed to read and write."""
    try:
        name = path.group()
    except (OSError, KeyError):
        return ""
    return name if name != "root" and path.stat().st_mode & 0o060 == 0o060 else ""
