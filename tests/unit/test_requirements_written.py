# SPDX-License-Identifier: BSD-2-Clause
"""What machines need is written once, and everybody who is told of it was told the same."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lab import lab as lab_module
from lab.cli import cli
from lab.config import Config
from lab.engine import SVM_TCG
from lab.errors import LabError, Status
from lab.lab import Lab
from lab.machine import qemu
from lab.machine.backing import Inherited
from lab.machine.spec import MachineSpec
from lab.requirements.spec import FILE, host_packages, load_requirements
from lab.requirements.written import generated, role_defaults, with_table

ROOT = Path(__file__).resolve().parents[2]
NEEDS = load_requirements(ROOT)
ROLES = ("lab_host", "privileged_guest")


@pytest.mark.parametrize("path", sorted(generated(ROOT)), ids=str)
def test_what_is_written_from_it_is_up_to_date(path: Path) -> None:
    assert (ROOT / path).read_text() == generated(ROOT)[path], "make docs"


def test_qemu_gets_the_memory_the_processors_and_the_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    @contextlib.contextmanager
    def boot(_config: Any, _image: Any, engine: Any, profile: Any, **how: Any) -> Iterator[Any]:
        asked.update(how, engine=engine, profile=profile)
        raise LabError("it is not booted", "", status=Status.LOST)
        yield

    monkeypatch.setattr(lab_module, "boot", boot)
    lab = Lab(Config(ROOT, tmp_path, tmp_path), image_name="debian-12")
    lab.__dict__.update(image=None, engine=SVM_TCG)  # what is cached is not made
    with (
        pytest.raises(LabError, match="not booted"),
        lab.booted(lab.profile(NEEDS.guest.profile.name)),
    ):
        pass
    spec = MachineSpec(
        engine=asked["engine"],
        kernel=Path("/k"),
        initramfs=Path("/i"),
        arguments=asked["profile"].arguments,
        cpus=asked["cpus"] or SVM_TCG.default_cpus,
        memory_mib=asked["memory_mib"],
    )
    command = qemu.qemu_argv(
        spec,
        Inherited(spec.kernel, "/r", "/d", 3),
        name="m",
        console=tmp_path,
        qmp_fd=4,
        monitor_fd=5,
    )
    said = dict(itertools.pairwise(command))
    assert said["-m"] == str(NEEDS.guest.memory_mib)
    assert said["-smp"] == str(NEEDS.guest.cpus + 1)  # one is the kernel's own
    assert set(NEEDS.guest.profile.required) <= set(said["-append"].split())


@pytest.mark.parametrize("role", ROLES)
def test_a_role_says_what_each_of_its_variables_means(role: str) -> None:
    specs = yaml.safe_load((ROOT / "ansible/roles" / role / "meta/argument_specs.yml").read_text())
    options = specs["argument_specs"]["main"]["options"]
    assert list(options) == list(role_defaults(NEEDS)[role])
    kinds = {"str": str, "path": str, "list": list, "dict": dict, "int": int, "bool": bool}
    for name, value in role_defaults(NEEDS)[role].items():
        assert isinstance(value, kinds[options[name]["type"]]), name
        assert value in options[name].get("choices", [value])
        assert options[name]["description"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_uses_each_of_its_variables_and_no_other(role: str) -> None:
    texts = [
        path.read_text()
        for folder in ("tasks", "handlers", "templates")
        for path in (ROOT / "ansible/roles" / role / folder).iterdir()
    ]
    used = set(re.findall(rf"\b{role}_\w+", "\n".join(texts)))
    own = set(re.findall(r"register: (\w+)|^ +(\w+): >-$", "\n".join(texts), re.M))
    assert used - {name for pair in own for name in pair} == set(role_defaults(NEEDS)[role])


def test_the_command_prints_all_of_it_for_other_programs() -> None:
    done = CliRunner().invoke(cli, ["spec"])
    assert done.exit_code == 0
    told = json.loads(done.output)
    assert told["guest"]["boot_arguments"] == list(NEEDS.guest.profile.arguments)
    assert told["guest"]["system_memory_mib"] == NEEDS.guest.system_memory_mib
    assert told["guest"]["headers"] == dict(NEEDS.guest.headers)
    assert told["device"] == asdict(NEEDS.device)
    assert told["host"]["packages"] == list(NEEDS.host.packages)


def test_the_devices_rule_is_the_same_for_all() -> None:
    rule = (ROOT / "kern/60-dune.rules").read_text()
    device = NEEDS.device
    assert f'GROUP="{device.group}", MODE="{device.mode}"' in rule
    assert f'KERNEL=="{Path(device.path).name}"' in rule
    assert f"g {device.group} " in (ROOT / "debian/dune-dkms.sysusers").read_text()


def test_the_packages_are_those_that_are_built() -> None:
    built = re.findall(r"^Package: (.*)$", (ROOT / "debian/control").read_text(), re.M)
    assert list(NEEDS.guest.packages) == built


def test_the_kernels_are_the_same_for_all() -> None:
    script = (ROOT / "kern/dune_req.sh").read_text()
    assert f'tested="{" ".join(NEEDS.versions.tested)}"' in script
    dkms = (ROOT / "debian/dune-dkms.dkms").read_text()
    [pattern] = re.findall(r'^BUILD_EXCLUSIVE_KERNEL="(.*)"$', dkms, re.M)
    major, minor = map(int, NEEDS.versions.kernel.split("."))
    for release in (f"{major}.{minor}.0-1-amd64", *(f"{one}.9" for one in NEEDS.versions.tested)):
        assert re.match(pattern, release), release
    assert re.match(pattern, f"{major + 1}.0.1") and re.match(pattern, f"{major}.{minor + 11}.0")
    assert not re.match(pattern, f"{major}.{minor - 1}.9")
    assert not re.match(pattern, f"{major - 1}.19.0")


def test_the_list_of_packages_is_read_as_the_shell_reads_it() -> None:
    assert host_packages("# a\nb c # d\n\n e\n") == ("b", "c", "e")
    assert "qemu-system-x86" in NEEDS.host.packages


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("memory_mib: 1024", "memory_mib: much", "'memory_mib' is 'much' where a number"),
        ('mode: "0660"', "mode: 660", "'mode' is 660 where a file's mode must be"),
        ("profile: seed", "profile: sead", "sead"),
        ("nested: 1", "nestet: 1", "did you mean 'nested'"),
    ],
)
def test_a_mistake_in_it_is_named(tmp_path: Path, right: str, wrong: str, complaint: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "lab").mkdir()
    for name in (FILE, "images/profiles.yaml", "lab/host-packages.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    text = (tmp_path / FILE).read_text()
    assert right in text
    (tmp_path / FILE).write_text(text.replace(right, wrong))
    with pytest.raises(LabError) as error:
        load_requirements(tmp_path)
    assert error.value.status is Status.USAGE
    assert complaint in f"{error.value.message} {error.value.detail}"


def test_a_readme_without_a_place_for_the_table_is_told() -> None:
    with pytest.raises(LabError, match="no place for the requirements"):
        with_table("# A lab\n", NEEDS)
