# SPDX-License-Identifier: BSD-2-Clause
"""A process that enters, makes threads and children for long has in the end what it began with.

``--lab-creations 10000`` (``make soak-libdbos``) is the long form: 10,000 times in and out, 1,000
threads, 500 children.
"""

import pytest

from lab.options import number
from lab.session.backend import Backend

SECONDS_A_CREATION = 0.1
"""At most, for each time in and out and what goes with it."""


def test_nothing_accumulates(backend: Backend, pytestconfig: pytest.Config) -> None:
    enters = number(pytestconfig, "creations", 20)
    threads, forks = enters // 10, enters // 20
    seconds = 60 + enters * SECONDS_A_CREATION
    ran = backend.run(f"/lab/flat {enters} {threads} {forks}", timeout=seconds, check=True)
    assert ran.text == f"enter: ok, {enters}\nthread: ok, {threads}\nfork: ok, {forks}\n"
