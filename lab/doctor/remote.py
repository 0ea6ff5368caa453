# SPDX-License-Identifier: BSD-2-Clause
"""Judge whether another machine is fit for the module: ``dbos-lab doctor --host``.

The judge is ``kern/dune_req.sh``, which needs a shell there and nothing else. It travels over the
user's own ``ssh``, with the user's configuration and keys, as the input of a shell: nothing is
copied to the machine and nothing stays there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.text import Text

from lab.config import Config
from lab.doctor.findings import Finding, Level
from lab.doctor.report import STYLE, trouble_table
from lab.errors import Status, die

SCRIPT = Path("kern/dune_req.sh")
CONNECT_SECONDS = 10
SECONDS = 60.0
"""The whole examination; it takes a fraction of a second, and a login with a password longer."""

SCHEMA = "dbos-lab/requirements"
VERSION = 1

_LINE = re.compile(r"(ok|warn|fail)\s+(\S+)\s+(.*?)(?:; next: (.*))?")


@dataclass(frozen=True)
class Requirements:
    """What the script said, and its verdicts."""

    host: str
    findings: tuple[Finding, ...]
    loads: bool
    """A module that was built elsewhere can be loaded and used."""
    builds: bool
    """It can be built there."""


def ssh_argv(host: str, ssh_config: Path | None) -> list[str]:
    """Return the command that feeds its input to a shell on ``host``."""
    chosen = ["-F", str(ssh_config)] if ssh_config else []
    return ["ssh", *chosen, "-T", "-o", f"ConnectTimeout={CONNECT_SECONDS}", "--", host, "sh -s"]


def examine(config: Config, host: str, ssh_config: Path | None = None) -> Requirements:
    """Run the script on ``host``. Dies with ``INFRA`` if nothing is known of the machine then."""
    try:
        done = subprocess.run(
            ssh_argv(host, ssh_config),
            input=(config.source / SCRIPT).read_text(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        die("ssh is not installed.", "make setup  # installs it", status=Status.MISSING)
    except subprocess.TimeoutExpired:
        die(
            f"{host} did not answer within {SECONDS:g} s.",
            f"ssh {host} true  # see whether it ends when typed",
            status=Status.INFRA,
        )
    return parse(host, done.stdout, done.returncode, done.stderr)


def parse(host: str, output: str, status: int, stderr: str = "") -> Requirements:
    """Read the script's lines. Dies unless they and the status can be those of a whole run."""
    lines = [_LINE.fullmatch(line.rstrip()) for line in output.splitlines()]
    if status not in {0, 1, 4} or not lines or None in lines:
        die(
            f"The requirements could not be checked on {host}.",
            f"ssh {host} true  # the script needs a login and a POSIX shell",
            status=Status.INFRA,
            detail=f"{output}{stderr}".strip() or f"ssh ended with status {status}",
        )
    findings = tuple(
        Finding(line[2], Level(line[1]), line[3], line[4] or "") for line in lines if line
    )
    return Requirements(host, findings, loads=status != 1, builds=_builds(findings))


def _builds(findings: Sequence[Finding]) -> bool:
    needed = {"headers", "compiler"}
    return not any(f.level is Level.FAIL and f.id in needed for f in findings)


def main_remote(config: Config, host: str, ssh_config: Path | None, *, as_json: bool) -> int:
    """Print what was found; 0 if the module can be built and loaded there, else 3."""
    found = examine(config, host, ssh_config)
    if as_json:
        json.dump(to_json(found), sys.stdout, indent=2)
        print()
    else:
        Console(highlight=False).print(screen(found))
    return Status.OK if found.loads and found.builds else Status.MISSING


def to_json(found: Requirements) -> dict[str, object]:
    """Put it into the shape that programs read; findings as in the doctor's own report."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "host": found.host,
        "loads": found.loads,
        "builds": found.builds,
        "findings": [
            {"id": f.id, "level": f.level.value, "cause": f.cause, "next": f.next}
            for f in found.findings
        ],
    }


def screen(found: Requirements) -> Group:
    """Lay the verdicts out, then each finding with what to do."""
    verdicts = Text.assemble(
        *(found.host, ": dune.ko can be loaded: ", _yes(found.loads)),
        *(", can be built: ", _yes(found.builds)),
    )
    return Group(verdicts, trouble_table(found.findings))


def _yes(good: bool) -> tuple[str, str]:
    return ("yes", STYLE[Level.OK]) if good else ("no", STYLE[Level.FAIL])
