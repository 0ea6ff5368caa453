# SPDX-License-Identifier: BSD-2-Clause
"""World switches on one CPU are not disturbed by FPU state restored on another."""

from lab.session.backend import Backend


def test_world_switches_beside_an_fpu_at_work(backend: Backend) -> None:
    said = backend.run("/lab/fpu 20000", timeout=120, check=True).text
    assert said == "fpu: ok, 20000 system calls beside an FPU at work\n"
