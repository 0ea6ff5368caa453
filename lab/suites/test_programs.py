# SPDX-License-Identifier: BSD-2-Clause
"""Programs of others', which know nothing of libdbos, do privileged what they do natively.

Each runs twice in the same guest, as it is and under ``dbos run``; what it says, and what its own
tests come to, has to be the same. ``make programs`` boots the image that has them. The programs'
own tests take long; CI has some of them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.session.backend import DUNE, Backend
from lab.suites.conftest import require_programs

if TYPE_CHECKING:
    from lab.guest import Guest
    from lab.lab import Lab

pytestmark = [pytest.mark.lab_requires("svm"), pytest.mark.lab_boot("seed")]

RUN = "/lab/dbos run --"
SECONDS = 1800.0
"""For one program, once: Redis's tests of strings take eight minutes, natively, on a busy host."""


@pytest.fixture
def programs(backend: Backend, lab: Lab) -> Backend:
    """Either backend, in a guest that has the programs."""
    require_programs(lab)
    return backend


@pytest.fixture
def on_dune(module_loaded: Guest, lab: Lab) -> Backend:
    """The same for what takes long: on our own module."""
    require_programs(lab)
    return Backend(DUNE, module_loaded)


def both(programs: Backend, script: str) -> str:
    """Return what a script says whose ``$RUN`` is nothing first and ``dbos run`` then: the same."""
    native, inside = (
        programs.run(f"cd /tmp; RUN='{run}'\n{script}", timeout=SECONDS, check=True).text
        for run in ("", RUN)
    )
    assert inside == native
    return native


SQLITE = """\
rm -f rows.db
$RUN sqlite3 rows.db <<END
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO t SELECT i, hex(i * 7919), i / 7.0 FROM n;
CREATE INDEX by_text ON t(b);
DELETE FROM t WHERE a % 10 = 3;
UPDATE t SET c = c * 2 WHERE b LIKE '%39';
SELECT count(*), sum(a), sum(c), min(b), max(b) FROM t;
PRAGMA integrity_check;
END
sha256sum rows.db
"""


def test_sqlite(programs: Backend) -> None:
    assert re.match(r"90000\|4500070000\|.*\nok\n", both(programs, SQLITE))


OPENSSL = """\
cat /lab/libdbos.so.0 /usr/bin/openssl >data
for digest in md5 sha1 sha256 sha512 sha3-256 blake2b512; do
	$RUN openssl dgst -$digest data || exit 1
done
for cipher in aes-128-cbc aes-256-ctr chacha20 camellia-256-cbc; do
	$RUN openssl enc -$cipher -K 00112233445566778899aabbccddeeff -iv 0123456789abcdef \
		-in data 2>/dev/null | sha256sum
done
{
	$RUN openssl genrsa -out key 2048 && $RUN openssl rsa -in key -pubout -out public &&
	$RUN openssl dgst -sha256 -sign key -out signature data
} 2>/dev/null
$RUN openssl dgst -sha256 -verify public -signature signature data
$RUN openssl speed -seconds 1 -bytes 1024 -multi 2 sha256 aes-128-cbc >speed 2>&1; echo status $?
grep -c '^sha256\\|^aes' speed
"""
"""With the vector code that libcrypto chooses for the processor; ``-multi`` forks."""


def test_openssl(programs: Backend) -> None:
    said = both(programs, OPENSSL)
    assert said.count("(data)= ") == 6
    assert said.endswith("Verified OK\nstatus 0\n2\n")


STRESS = """\
$RUN stress-ng --vm 1 --vm-bytes 16M --fork 1 --sigq 1 --signal 1 --verify --temp-path /tmp \
	--timeout {seconds} --metrics-brief >stress 2>&1
echo status $?
sed -n 's/.*metrc: [^ ]* \\(vm\\|fork\\|sigq\\|signal\\) .*/\\1/p' stress
"""


@pytest.mark.parametrize("seconds", [10, 60])
def test_stress(on_dune: Backend, seconds: int) -> None:
    said = both(on_dune, STRESS.format(seconds=seconds))
    assert said == "status 0\nvm\nfork\nsigq\nsignal\n"


ASYNCIO = [f"test.test_asyncio.test_{part}.*" for part in ("subprocess", "unix_events", "streams")]
PYTHON = {
    "mmap": "test_mmap",
    "threading": "test_threading",
    "signal": "test_signal",
    "socket": "test_socket",
    "subprocess": "test_subprocess",
    "asyncio": f"test_asyncio {' '.join(f'-m {part!r}' for part in ASYNCIO)}",
}
DEVIATIONS = {
    # It looks at all numbers below 1024 for open descriptors; its child has libdbos's as well.
    "test.test_subprocess.POSIXProcessTestCase.test_pass_fds_redirected": ("passed", "failed"),
}
"""What is not the same: natively, inside."""


def results_in(path: Path) -> dict[str, str]:
    """Read what became of each of Python's tests, by name."""
    kinds = {"failure": "failed", "error": "failed", "skipped": "skipped"}
    return {
        case.get("name", ""): next(
            (kinds[part.tag] for part in case if part.tag in kinds), "passed"
        )
        for case in ET.parse(path).getroot().iter("testcase")
    }


def python_results(on_dune: Backend, run: str, name: str, here: Path) -> dict[str, str]:
    """Run one of Python's suites, and read what it has written."""
    there = f"/tmp/{name}.xml"
    command = f"{run} python3.11 -m test --junit-xml {there} {PYTHON[name]}"
    ran = on_dune.run(f"cd /tmp; rm -f {there}; {command} 2>&1", timeout=SECONDS)
    assert ran.status in (0, 2), ran.text  # 2: some of its tests failed
    on_dune.guest.get(there, here / f"{name}.xml")
    return results_in(here / f"{name}.xml")


@pytest.mark.parametrize("name", PYTHON)
def test_own_tests_of_python(on_dune: Backend, name: str, tmp_path: Path) -> None:
    native = python_results(on_dune, "", name, tmp_path)
    inside = python_results(on_dune, RUN, name, tmp_path)
    assert list(native.values()).count("passed") > 20
    differing = {
        test: (native.get(test), inside.get(test))
        for test in native | inside
        if native.get(test) != inside.get(test)
    }
    assert differing == {test: DEVIATIONS[test] for test in DEVIATIONS if test in native}


REDIS = """\
rm -rf redis && mkdir -p redis/src && cd redis && cp -r /usr/src/redis/tests . &&
	ln -s /usr/bin/redis-cli /usr/bin/redis-benchmark src
printf '#!/bin/sh\\nexec %s /usr/bin/redis-server "$@"\\n' "$RUN" >src/redis-server
chmod +x src/redis-server
tclsh8.6 tests/test_helper.tcl --single unit/type/{name} --clients 1 --timeout 1200 \
	--config save '""' >log 2>&1
status=$?
sed -n 's/^\\[\\(ok\\|err\\|ignore\\)\\]: \\(.*\\)/\\1 \\2/p' log | sed 's/ ([0-9]* ms)//'
[ $status -eq 0 ] || cat log >&2
exit $status
"""
"""A file may take the 900 s after which the server saves by itself: ``set`` can't have that."""
REDIS_TYPES = [
    *("incr", "hash", "list", "list-2", "list-3", "set", "stream", "stream-cgroups", "string"),
    "zset",
]
FEW = {"list-2": 2}
"""Files with fewer tests than six."""


@pytest.mark.parametrize("name", REDIS_TYPES)
def test_own_tests_of_redis(on_dune: Backend, name: str) -> None:
    said = both(on_dune, REDIS.format(name=name))
    assert len(re.findall(r"^ok ", said, re.M)) >= FEW.get(name, 6)
