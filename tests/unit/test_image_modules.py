# SPDX-License-Identifier: BSD-2-Clause
"""Module names, dependencies and aliases, on the files that depmod writes."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.image.modules import ModuleIndex, module_name, plain, read_module

INDEX = {
    "modules.dep": """\
kernel/arch/x86/kvm/kvm-amd.ko: kernel/arch/x86/kvm/kvm.ko kernel/virt/lib/irqbypass.ko
kernel/arch/x86/kvm/kvm.ko: kernel/virt/lib/irqbypass.ko
kernel/virt/lib/irqbypass.ko:
kernel/drivers/net/virtio_net.ko.xz: kernel/net/failover.ko.xz
kernel/net/failover.ko.xz:
kernel/drivers/unwanted.ko:
""",
    "modules.builtin": "kernel/drivers/tty/serial/8250/8250.ko\n",
    "modules.alias": """\
# Aliases extracted from modules themselves.
alias virtio:d00000001v* virtio_net
alias cpu:type:x86,*:feature:*00C2* kvm-amd
alias pci:v00001234d* unwanted
""",
}


@pytest.fixture
def index(tmp_path: Path) -> ModuleIndex:
    for name, text in INDEX.items():
        (tmp_path / name).write_text(text)
    return ModuleIndex.read(tmp_path)


def test_closure_brings_what_a_module_needs_and_nothing_else(index: ModuleIndex) -> None:
    assert index.closure(["kvm_amd"]) == (
        "kernel/arch/x86/kvm/kvm-amd.ko",
        "kernel/arch/x86/kvm/kvm.ko",
        "kernel/virt/lib/irqbypass.ko",
    )


def test_dash_and_underscore_name_the_same_module(index: ModuleIndex) -> None:
    assert index.closure(["kvm-amd"]) == index.closure(["kvm_amd"])


def test_module_built_into_the_kernel_needs_no_file(index: ModuleIndex) -> None:
    assert index.closure(["8250"]) == ()


def test_unknown_module_is_named(index: ModuleIndex) -> None:
    with pytest.raises(KeyError, match="no_such"):
        index.closure(["no-such"])


def test_subset_files_name_modules_as_they_are_after_unpacking(index: ModuleIndex) -> None:
    paths = index.closure(["virtio_net"])
    assert index.dep_file(paths) == (
        "kernel/drivers/net/virtio_net.ko: kernel/net/failover.ko\nkernel/net/failover.ko:\n"
    )
    assert index.alias_file(paths) == "alias virtio:d00000001v* virtio_net\n"


def test_compressed_module_is_unpacked(tmp_path: Path) -> None:
    content = b"\x7fELF module"
    (tmp_path / "a.ko").write_bytes(content)
    (tmp_path / "b.ko.xz").write_bytes(lzma.compress(content))
    assert read_module(tmp_path / "a.ko") == read_module(tmp_path / "b.ko.xz") == content


@given(st.text("abc-_", min_size=1), st.sampled_from([".ko", ".ko.xz", ".ko.zst"]))
def test_name_of_a_file_is_the_kernels_name(stem: str, suffix: str) -> None:
    assert module_name(f"kernel/some/where/{stem}{suffix}") == stem.replace("-", "_")
    assert module_name(plain(f"kernel/{stem}{suffix}")) == module_name(stem)
