# SPDX-License-Identifier: BSD-2-Clause
"""A kernel from its source: the configuration it gets, and its release before it is compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image import kernel
from lab.image.kernel import compile_kernel, compiled_release, config_of, settings
from lab.image.spec import KernelSpec, load_image_spec

SOURCE = Path(__file__).parents[2]
SPEC = load_image_spec(SOURCE, "debian-12-debug")
CONFIG = b'# a comment\nCONFIG_LOCALVERSION="-debug"\nCONFIG_KASAN=y\nCONFIG_ZRAM=m\n'


def compiled(monkeypatch: pytest.MonkeyPatch, tree: Path, got: str, status: int = 0) -> None:
    """Let ``compile_kernel`` get the configuration ``got``, and no kernel."""

    def run_logged(_argv: list[str], log: Path, **_options: object) -> int:
        log.write_text("cc1: out of memory\n" if status else "")
        return status

    monkeypatch.setattr(kernel, "run_logged", run_logged)
    (tree / "boot").mkdir(parents=True)
    (tree / "boot/config-6.1.192-debug").write_text(got)
    compile_kernel(SPEC, tree, CONFIG, tree.parent / "log", lambda _note: None)


def test_configuration_as_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(monkeypatch, tmp_path / "tree", f"{CONFIG.decode()}CONFIG_X86=y\n")
    assert not (tmp_path / "kernel").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("CONFIG_KASAN=y", "# CONFIG_KASAN is not set", "CONFIG_KASAN=y, and got n"),
        ("CONFIG_ZRAM=m", "CONFIG_ZRAM=y", "CONFIG_ZRAM=m, and got y"),
    ],
)
def test_setting_that_kconfig_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, says: str
) -> None:
    with pytest.raises(LabError, match="did not follow 1 lines") as caught:
        compiled(monkeypatch, tmp_path / "tree", CONFIG.decode().replace(old, new))
    assert caught.value.detail == says
    assert caught.value.status is Status.IMAGE


def test_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match="the kernel of debian-12-debug does not compile") as caught:
        compiled(monkeypatch, tmp_path / "tree", "", status=2)
    assert "out of memory" in caught.value.detail


def test_missing_configuration_is_one_sentence() -> None:
    with pytest.raises(LabError, match=r"images/kernels/none\.config: No such file") as caught:
        config_of(SOURCE, replace(SPEC.kernel, config="none"))
    assert caught.value.status is Status.USAGE
    assert config_of(SOURCE, KernelSpec(("linux-image-amd64",))) == b""


def test_release_is_known_from_the_source_package() -> None:
    assert compiled_release("6.1.192-3", CONFIG) == "6.1.192-debug"
    assert compiled_release("6.12.9-1", b"") == "6.12.9"


def test_settings() -> None:
    assert settings("# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_C=-1\n") == {
        "CONFIG_B": "y",
        "CONFIG_C": "-1",
    }
