# SPDX-License-Identifier: BSD-2-Clause
"""The matrix of a session: image (kernel) x engine x profile, from the options.

Made once, before collection, without probing or building anything: what an engine is worth and
which kernel an image has is looked up where an earlier run left it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import pytest

from lab.config import Config
from lab.doctor.memory import recall
from lab.engine import ENGINES
from lab.errors import unknown_name
from lab.options import ALL, number, words
from lab.profile import available_profiles
from lab.session.catalogue import Known, catalogue, labels
from lab.session.cell import BEST, Cell
from lab.session.kernel import check_pattern, matches

DEFAULT_IMAGE = "debian-12"


def cells_of(config: pytest.Config, lab_config: Config) -> tuple[Cell, ...]:
    """Return the cells that the options ask for, in the order in which they are run.

    Dies with ``USAGE`` for a name that does not exist, and if no image has such a kernel.
    """
    known = catalogue(lab_config)
    label = labels(known)
    images = _images(config, known)
    engines = _engines(config, lab_config)
    profiles = _chosen(
        "boot profile", words(config, "profile"), available_profiles(lab_config.source)
    )
    cpus = number(config, "cpus", 1)
    return tuple(
        Cell(
            image=image,
            kernel=known[image].kernel,
            digest=known[image].digest,
            label=label[image],
            engine=engine,
            profile=profile,
            cpus=cpus,
        )
        for image, engine, profile in product(images, engines, profiles)
    )


def _images(config: pytest.Config, known: Mapping[str, Known]) -> Sequence[str]:
    """Take the images asked for by name, or all if they are asked for by kernel alone."""
    patterns = words(config, "kernel")
    for pattern in patterns:
        check_pattern(pattern)
    default = (ALL,) if patterns else (DEFAULT_IMAGE,)
    usual = tuple(name for name, image in known.items() if not image.on_request)
    images = _chosen("image", words(config, "image") or default, tuple(known), usual)
    chosen = [name for name in images if not patterns or matches(known[name].kernel, patterns)]
    if not chosen:
        have = ", ".join(f"{known[name].kernel or '(not built)'} in {name}" for name in images)
        raise pytest.UsageError(f"--lab-kernel {' '.join(patterns)} fits no image: there is {have}")
    return chosen


def _engines(config: pytest.Config, lab_config: Config) -> Sequence[str]:
    """Take the engines asked for; without any the best, by name if a probe has found it."""
    wanted = words(config, "engine")
    if wanted == (BEST,):
        return wanted
    if wanted:
        return _chosen("engine", wanted, tuple(engine.name for engine in ENGINES))
    usable = [probe.engine for probe in recall(lab_config) or () if probe.usable]
    return [next((engine.name for engine in ENGINES if engine in usable), BEST)]


def _chosen(
    kind: str, wanted: Iterable[str], known: Sequence[str], usual: Sequence[str] | None = None
) -> Sequence[str]:
    """Return the names wanted, each once; ``ALL`` means all that are known, or all usual ones."""
    every = known if usual is None else usual
    names = dict.fromkeys(name for word in wanted for name in (every if word == ALL else (word,)))
    for name in names:
        if name not in known:
            unknown_name(kind, name, known)
    return tuple(names)
