# SPDX-License-Identifier: BSD-2-Clause
"""States of machines that only some suites want."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.build import REDIS, TABBY, build_guest_programs
from lab.deploy import copy
from lab.image.spec import load_image_spec
from lab.session.backend import Backend

if TYPE_CHECKING:
    from lab.guest import Guest
    from lab.lab import Lab

PROGRAMS_IMAGE = "debian-12-programs"


def require_programs(lab: Lab) -> None:
    """Skip where the guest has no programs of others'."""
    if not load_image_spec(lab.config.source, lab.image.name).extra.programs:
        pytest.skip(f"{lab.image.name} has no programs: --lab-image {PROGRAMS_IMAGE}")


@pytest.fixture
def redis(backend: Backend, lab: Lab) -> Backend:
    """Either backend, in a guest with the Redis of ``apps/redis``; its tools are Debian's."""
    require_programs(lab)
    artefacts = build_guest_programs(lab.config, lab.image, lab.report, REDIS)
    copy(backend.guest, artefacts.programs)
    return backend


@pytest.fixture
def tabby_guest(module_loaded: Guest, lab: Lab) -> Guest:
    """A guest with the programs of ``apps/tabby``."""
    artefacts = build_guest_programs(lab.config, lab.image, lab.report, TABBY)
    copy(module_loaded, artefacts.programs)
    return module_loaded


@pytest.fixture
def tabby(backend_name: str, tabby_guest: Guest) -> Backend:
    """Either backend, in a guest with the programs of ``apps/tabby``."""
    return Backend(backend_name, tabby_guest)
