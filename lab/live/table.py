# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab ps`` as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from lab.live.machines import LiveMachine

COLUMNS = ("id", "pid", "age", "state", "engine", "profile", "ssh port", "memory", "used by")


def table_of(machines: Sequence[LiveMachine]) -> Table:
    """Lay the machines out, oldest first."""
    table = Table(*COLUMNS, box=None, pad_edge=False, header_style="bold")
    for machine in machines:
        record = machine.record
        table.add_row(
            machine.id,
            str(machine.pid),
            age(machine.seconds),
            machine.state,
            str(record.get("engine", "")),
            str(record.get("profile", "")),
            str(record.get("ssh_port") or ""),
            f"{machine.resident_mib} of {record.get('memory_mib', '?')} MiB",
            machine.user,
        )
    return table


def age(seconds: float) -> str:
    """Write a duration short: ``42 s``, ``7 min``, ``3 h``, ``2 d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
