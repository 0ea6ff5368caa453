# SPDX-License-Identifier: BSD-2-Clause
"""GitHub's workflows name only what there is, and may do no more than they must.

Their language is checked by ``make lint-workflows``; this is about what that cannot know.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lab.cli import cli

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def load(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text())
    return document


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(path)["jobs"]
    return found


def commands(job: dict[str, Any]) -> Iterator[list[str]]:
    """Each command of a job, once for each element of its matrix that stands in the file."""
    matrix = job.get("strategy", {}).get("matrix", {})
    for step in job["steps"]:
        texts = [step.get("run", "")]
        for name, values in matrix.items():
            if isinstance(values, list):
                placeholder = f"${{{{ matrix.{name} }}}}"
                texts = [text.replace(placeholder, value) for text in texts for value in values]
        for text in texts:
            for line in re.split(r"\n|&&", text):
                if words := shlex.split(line):
                    yield words


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))


def test_there_are_some() -> None:
    assert [path.name for path in WORKFLOWS] == ["lab.yml", "metal.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_they_make_only_what_can_be_made(path: Path) -> None:
    made = {
        word
        for job in jobs(path).values()
        for words in commands(job)
        if words[0] == "make"
        for word in words[1:]
        if "=" not in word
    }
    assert len(made) >= 3
    assert made - makefile_targets() == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_they_give_the_labs_command_only_what_it_takes(path: Path) -> None:
    context = click.Context(cli)
    for job in jobs(path).values():
        for words in commands(job):
            if Path(words[0]).name == "dbos-lab":
                command = cli.get_command(context, words[1])
                assert command is not None, words
                taken = {name for parameter in command.params for name in parameter.opts}
                assert {word for word in words if word.startswith("--")} <= taken, words


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_they_may_only_read(path: Path) -> None:
    assert load(path)["permissions"] == {"contents": "read"}
    for job in jobs(path).values():
        assert "permissions" not in job
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_ends_and_every_action_is_pinned(path: Path) -> None:
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 360  # more is not to be had
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@(v\d+|[0-9a-f]{40})", step["uses"])


def test_nobody_elses_code_comes_to_a_machine_of_ones_own() -> None:
    metal = load(ROOT / ".github/workflows/metal.yml")
    assert metal[True].keys() == {"workflow_dispatch", "schedule"}  # YAML reads `on` as a boolean
    [job] = metal["jobs"].values()
    assert job["if"] == "github.ref_name == github.event.repository.default_branch"
    assert job["environment"] == "metal"
    assert job["runs-on"][:3] == ["self-hosted", "linux", "x64"]
    assert job["concurrency"]["cancel-in-progress"] is False
    assert "matrix.feature" in job["concurrency"]["group"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_failure_leaves_is_taken_along(path: Path) -> None:
    for name, job in jobs(path).items():
        if name == "lint":
            continue
        [upload] = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
        assert "build/kept.tar.gz" in upload["with"]["path"]
        [packing] = [step for step in job["steps"] if step.get("run") == "make kept"]
        assert packing["if"] == "failure()"
        assert any("GITHUB_STEP_SUMMARY" in step.get("run", "") for step in job["steps"])
