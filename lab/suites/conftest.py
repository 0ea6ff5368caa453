# SPDX-License-Identifier: BSD-2-Clause
"""States of machines that only some suites want."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.build import REDIS, build_guest_programs
from lab.deploy import copy
from lab.image.spec import load_image_spec
from lab.session.backend import Backend

if TYPE_CHECKING:
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
