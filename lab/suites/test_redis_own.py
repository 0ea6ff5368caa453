# SPDX-License-Identifier: BSD-2-Clause
"""Redis's own tests, with ``dbos yes`` and without: of each the same comes.

``make redis-own`` runs all of these files. A test that comes to something else stands in
``DEVIATIONS``, with its reason.
"""

from __future__ import annotations

import re

import pytest

from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")

SECONDS = 1800.0
"""For one file, once."""

SCRIPT = """\
rm -rf /tmp/own && mkdir -p /tmp/own/src && cd /tmp/own && cp -r /usr/src/redis/tests . &&
	ln -s /usr/bin/redis-cli /usr/bin/redis-benchmark src &&
	ln -s /lab/redis-server src/redis-check-aof && ln -s /lab/redis-server src/redis-check-rdb
printf '#!/bin/sh\\nexec /lab/redis-server "$@" --dbos {dbos}\\n' >src/redis-server
chmod +x src/redis-server
tclsh8.6 tests/test_helper.tcl --single {name} --clients 1 --timeout 1200 >log 2>&1
sed -n 's/^\\[\\(ok\\|err\\|exception\\|ignore\\|skip\\)\\]: \\(.*\\)/\\1 \\2/p' log |
	sed 's/ ([0-9]* ms)//'
cat log >&2
"""
FILES = [
    *(f"unit/{name}" for name in ("aofrw", "dump", "expire", "info", "keyspace", "lazyfree")),
    *(f"unit/{name}" for name in ("maxmemory", "memefficiency", "multi", "other", "scan")),
    *(f"unit/{name}" for name in ("scripting", "shutdown", "sort", "wait")),
    *(f"unit/type/{name}" for name in ("incr", "hash", "list", "stream-cgroups")),
    *(f"integration/{name}" for name in ("rdb", "aof", "aof-multi-part", "aof-race")),
    *(f"integration/{name}" for name in ("replication", "replication-2", "replication-4")),
    *(f"integration/{name}" for name in ("replication-buffer", "dismiss-mem", "shutdown")),
]
DEVIATIONS: dict[str, tuple[str | None, str | None]] = {}
"""Of a test: what stock comes to, and what ``dbos yes`` does; None: there is nothing of it."""


def outcomes(redis: Backend, name: str, dbos: str) -> dict[str, str]:
    """Return what comes of each test."""
    ran = redis.run(SCRIPT.format(name=name, dbos=dbos), timeout=SECONDS)
    print(ran.stderr.decode())
    return {test: outcome for outcome, test in re.findall(r"^(\w+) (.*)$", ran.text, re.M)}


@pytest.mark.parametrize("name", FILES)
def test_own_tests(redis: Backend, name: str) -> None:
    stock, ours = (outcomes(redis, name, dbos) for dbos in ("no", "yes"))
    assert any(outcome == "ok" for outcome in stock.values())
    differing = {
        test: (stock.get(test), ours.get(test))
        for test in stock | ours
        if stock.get(test) != ours.get(test)
    }
    assert differing == {test: DEVIATIONS[test] for test in DEVIATIONS if test in stock | ours}
