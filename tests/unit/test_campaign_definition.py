# SPDX-License-Identifier: BSD-2-Clause
"""A campaign's file is unfolded into cells, and a cell is what its definition says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab.campaign.cluster import load_cluster, parse_cluster
from lab.campaign.definition import (
    AXES,
    CampaignCell,
    load_campaign,
    parse_campaign,
)
from lab.errors import LabError, Status

SOURCE = Path(__file__).parents[2]

WORDS = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3).map(tuple)
OPTIONS = st.lists(st.tuples(st.sampled_from(AXES), st.text(max_size=3)), max_size=3).map(tuple)
CELLS = st.builds(CampaignCell, WORDS, OPTIONS, st.floats(1, 9))


def parse(text: str) -> tuple[CampaignCell, ...]:
    return parse_campaign(yaml.safe_load(text)).cells


def test_every_list_is_an_axis() -> None:
    cells = parse("""
        name: all
        cells:
          - tests: [a.py, b.py -k 'x or y']
            image: [debian-12, debian-13]
            seed: 1-3
          - tests: c.py
            cpus: 4
    """)
    assert len(cells) == 2 * 2 * 3 + 1
    assert cells[0].arguments == ("a.py", "--lab-image", "debian-12", "--lab-seed", "1")
    assert cells[-2].tests == ("b.py", "-k", "x or y")
    assert cells[-2].options == (("image", "debian-13"), ("seed", "3"))
    assert cells[-1].arguments == ("c.py", "--lab-cpus", "4")
    assert cells[-2].title == "b.py -k 'x or y' image=debian-13 seed=3"


def test_the_identity_is_the_same_on_every_host_and_in_every_release() -> None:
    (cell,) = parse("{name: a, cells: [{tests: t.py, profile: seed, seed: 7}]}")
    assert cell.id == "e4d0257d2049113b"


@given(CELLS, CELLS)
def test_cells_have_one_identity_if_they_say_the_same(one: CampaignCell, two: CampaignCell) -> None:
    same = (one.tests, one.options) == (two.tests, two.options)
    assert (one == two) is same
    assert (one.id == two.id) is same


def test_what_is_said_twice_is_run_once() -> None:
    text = "{name: a, cells: [{tests: [t.py, t.py], seed: [1-3, 2]}, {tests: t.py, seed: 3}]}"
    assert [dict(cell.options)["seed"] for cell in parse(text)] == ["1", "2", "3"]


def test_the_nearest_limit_holds() -> None:
    cells = parse("{name: a, limit: 5, cells: [{tests: a.py}, {tests: b.py, limit: 0.5}]}")
    assert [cell.limit for cell in cells] == [5.0, 0.5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "a campaign is not a table"),
        ("{name: a}", "a campaign has no cells"),
        ("{name: a/b, cells: [{tests: t}]}", "name is 'a/b'"),
        ("{name: a, cells: []}", "cells is not a list of groups"),
        ("{name: a, cells: [t]}", "a group of cells is not a table"),
        ("{name: a, cells: [{image: i}]}", "a group of cells has no tests"),
        ("{name: a, cells: [{tests: t, imgae: i}]}", "a group of cells has imgae"),
        ("{name: a, cells: [{tests: []}]}", "tests has no value"),
        ("{name: a, cells: [{tests: t, seed: 9-1}]}", "seed has no value"),
        ("{name: a, cells: [{tests: t, seed: x}]}", "seed has 'x'"),
        ("{name: a, cells: [{tests: t, cpus: -1}]}", "cpus has -1"),
        ("{name: a, cells: [{tests: t, image: [true]}]}", "image has True"),
        ("{name: a, limit: 0, cells: [{tests: t}]}", "limit is 0"),
        ("{name: a, cells: [{tests: t, limit: soon}]}", "limit is 'soon'"),
    ],
)
def test_another_shape_is_told(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(text)
    with pytest.raises(LabError) as caught:
        load_campaign(file, SOURCE)
    assert says in caught.value.message
    assert caught.value.status is Status.USAGE


@pytest.mark.parametrize(
    ("axis", "says"),
    [
        ("image: debain-12", "did you mean debian-12?"),
        ("image: all", "no image named 'all'"),
        ("profile: [seed, stok]", "did you mean stock?"),
        ("engine: svm-tgc", "did you mean svm-tcg?"),
    ],
)
def test_a_name_that_no_host_knows_is_told(tmp_path: Path, axis: str, says: str) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(f"{{name: a, cells: [{{tests: t.py, {axis}}}]}}")
    with pytest.raises(LabError) as caught:
        load_campaign(file, SOURCE)
    assert says in caught.value.message


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\xfa", None])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "campaign.yaml"
    if content is not None:
        file.write_bytes(content)
    for load in (lambda: load_campaign(file, SOURCE), lambda: load_cluster(file)):
        with pytest.raises(LabError) as caught:
            load()
        assert caught.value.status is Status.USAGE


def test_without_a_file_the_cluster_is_this_host() -> None:
    cluster = load_cluster(None)
    assert (cluster.module, cluster.constructor) == ("distributed", "LocalCluster")
    assert cluster.arguments["host"] == "127.0.0.1"
    assert cluster.arguments["threads_per_worker"] == 1


def test_a_cluster_over_ssh() -> None:
    cluster = parse_cluster(
        {
            "kind": "ssh",
            "hosts": ["head", "a", "b"],
            "python": "/opt/lab/bin/python",
            "options": {"connect_options": {"username": "lab"}},
        }
    )
    assert (cluster.module, cluster.constructor) == ("distributed", "SSHCluster")
    assert cluster.arguments["hosts"] == ["head", "a", "b"]
    assert cluster.arguments["remote_python"] == "/opt/lab/bin/python"
    assert cluster.arguments["connect_options"] == {"username": "lab"}


def test_a_cluster_of_slurm_jobs() -> None:
    options = {"cores": 4, "queue": "metal", "scheduler_options": {"port": 8786}}
    cluster = parse_cluster({"kind": "slurm", "jobs": 20, "patience": 7200, "options": options})
    assert (cluster.module, cluster.constructor) == ("dask_jobqueue", "SLURMCluster")
    assert cluster.arguments["n_workers"] == 20
    assert cluster.arguments["scheduler_options"] == {"port": 8786}, "what the user says wins"
    assert cluster.patience == 7200


def test_a_scheduler_that_runs() -> None:
    cluster = parse_cluster({"kind": "scheduler", "address": "tcp://head:8786"})
    assert (cluster.constructor, cluster.address) == ("", "tcp://head:8786")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "kind is not one of local, ssh, slurm, scheduler"),
        ({"kind": "pbs"}, "kind is not one of"),
        ({"kind": "local", "hosts": ["a"]}, "has no hosts"),
        ({"kind": "local", "workers": 0}, "workers is 0"),
        ({"kind": "ssh"}, "needs hosts"),
        ({"kind": "ssh", "hosts": ["a"]}, "hosts is no list"),
        ({"kind": "slurm", "jobs": "many"}, "jobs is 'many'"),
        ({"kind": "slurm", "jobs": 1, "options": []}, "options is not a table"),
        ({"kind": "scheduler", "address": "a", "patience": -1}, "patience is -1"),
    ],
)
def test_another_cluster_is_told(document: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_cluster(document)
