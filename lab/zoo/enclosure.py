# SPDX-License-Identifier: BSD-2-Clause
"""A guest with the zoo in it. Nothing here loads the module anywhere but in a guest."""

from __future__ import annotations

from dataclasses import replace

from lab.build import Artefacts, Bundle, build_guest_programs
from lab.deploy import DIRECTORY, deploy, load_module
from lab.guest import Guest
from lab.lab import Lab
from lab.profile import Profile
from lab.state import Preparation

ZOO = Bundle(
    ("tests/zoo/module", "tests/zoo/programs"),
    "tests/zoo/module/zoo.ko",
    "tests/zoo/programs/bin",
)
MODULE = DIRECTORY / "zoo.ko"


def zoo_artefacts(lab: Lab) -> Artefacts:
    """Return the module and the programs for the lab's image, compiled if the cache lacks them."""
    return build_guest_programs(lab.config, lab.image, lab.report, ZOO)


def bring(lab: Lab, guest: Guest) -> None:
    """Copy the zoo to the guest's ``/lab`` and load its module."""
    deploy(guest, zoo_artefacts(lab))
    load_module(guest, MODULE)


def brought(lab: Lab) -> Preparation:
    """Return the state of a guest with the zoo."""
    return Preparation("zoo", lambda guest: bring(lab, guest))


def with_arguments(profile: Profile, arguments: tuple[str, ...]) -> Profile:
    """Return the profile with more required boot arguments, for what a fault needs to show."""
    return replace(profile, required=profile.required + arguments)
