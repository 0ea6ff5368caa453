# SPDX-License-Identifier: BSD-2-Clause
"""Redis whose children are threads on snapshots: what they save is what a forked child saves.

Each runs with ``dbos yes`` and, the same binary, with ``dbos no``. The oracle is Redis's own digest
of all that it has (``DEBUG DIGEST``), taken just before the cut; what is written behind that, while
the child is at work, must not be in what it saves.
"""

from __future__ import annotations

import re

import pytest

from lab.engine import Accelerator
from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")

SECONDS = 300.0

FUNCTIONS = """\
rm -rf /tmp/redis; mkdir /tmp/redis; cd /tmp/redis
start() { # PORT [OPTION VALUE]...
	mkdir -p $1
	(cd $1; exec /lab/redis-server --port $* --save '' --enable-debug-command yes \\
		--enable-protected-configs yes --repl-diskless-sync-delay 0 >log 2>&1) &
	for i in $(seq 100); do
		[ "$(redis-cli -p $1 ping 2>&1)" = PONG ] && return
		sleep 0.1
	done
	cat $1/log >&2; exit 1
}
ask() { port=$1; shift; redis-cli -p $port "$@" | tr -d '\\r'; }
digest() { ask $1 debug digest; }
field() { ask $1 info | sed -n "s/^$2://p"; }
until_is() { # PORT FIELD VALUE
	for i in $(seq 600); do
		[ "$(field $1 $2)" = "$3" ] && return
		sleep 0.1
	done
	echo "$2 is not $3 but $(field $1 $2)" >&2; cat $1/log >&2; exit 1
}
fill() { # PORT: all kinds of values
	ask $1 debug populate $((100 * SCALE)) key 300 >many
	seq $((15 * SCALE)) |
		sed 's/.*/rpush list &\\nsadd set m&\\nhset hash f& v&\\nzadd zset & z&/' |
		redis-cli -p $1 >many
	ask $1 set large "$(head -c 60000 /lab/redis-server | tr -cd a-z)" >many
	ask $1 expire key:1 10000 >many
}
changes() { # of much of it
	seq 0 4 $((100 * SCALE - 5)) | sed 's/.*/set key:& changed/'
	seq $((3 * SCALE)) | sed 's/.*/lpop list\\nsrem set m&\\nhset hash f& w\\nzadd zset 7 z&/'
	echo unlink large
}
change() { changes | redis-cli -p $1 >many; }
said() { grep -c "$2" $1/log; }
"""

SAVE = """\
start 7001 --dbos $DBOS --rdb-key-save-delay $((30000 / SCALE))
fill 7001
digest 7001 >before
# By one connection, and made before: a busy host must not be slower than the child.
{ echo bgsave; changes; echo info persistence; } >commands
redis-cli -p 7001 <commands | tr -d '\\r' >said
head -n 1 said
grep -q '^rdb_bgsave_in_progress:1$' said || echo "the child was through too early"
[ "$(digest 7001)" != "$(cat before)" ] || echo "nothing has changed"
ask 7001 config set rdb-key-save-delay 0 >many
until_is 7001 rdb_bgsave_in_progress 0
field 7001 rdb_last_bgsave_status
[ "$(field 7001 rdb_last_cow_size)" -gt 0 ] && echo copied
mkdir 7002; cp 7001/dump.rdb 7002
start 7002 --dbos no
[ "$(digest 7002)" = "$(cat before)" ] && echo same
ask 7001 shutdown nosave; ask 7002 shutdown nosave
wait
"""

REWRITE = """\
start 7001 --dbos $DBOS --appendonly yes --aof-use-rdb-preamble $PREAMBLE
fill 7001
for round in 1 2 3; do
	ask 7001 bgrewriteaof >many
	change 7001
	until_is 7001 aof_rewrite_in_progress 0
done
field 7001 aof_last_bgrewrite_status
digest 7001 >before
ask 7001 debug loadaof
[ "$(digest 7001)" = "$(cat before)" ] && echo same
ask 7001 shutdown nosave
wait
"""

REPLICATE = """\
start 7001 --dbos $DBOS --repl-diskless-sync $DISKLESS
fill 7001
start 7002 --dbos $DBOS --replicaof 127.0.0.1 7001
until_is 7002 master_link_status up
change 7001
ask 7001 wait 1 10000
[ "$(digest 7001)" = "$(digest 7002)" ] && echo same
ask 7002 shutdown nosave; ask 7001 shutdown nosave
wait
"""

KILLED = """\
start 7001 --dbos $DBOS --rdb-key-save-delay 10000
fill 7001
for round in 1 2 3; do
	ask 7001 bgsave
	ask 7001 flushall
	until_is 7001 rdb_bgsave_in_progress 0
	field 7001 rdb_last_bgsave_status
	fill 7001
done
said 7001 'terminated by signal 10'
ls 7001
ask 7001 bgsave >many
ask 7001 shutdown nosave
wait
ls 7001
"""

FULL = """\
mount -t tmpfs -o size=8k none /mnt
start 7001 --dbos $DBOS
ask 7001 config set save '3600 1000000' >many	# or failures do not stop writes
ask 7001 config set dir /mnt >many
fill 7001
ask 7001 bgsave
until_is 7001 rdb_bgsave_in_progress 0
field 7001 rdb_last_bgsave_status
ls /mnt
ask 7001 set key value
ask 7001 config set dir /tmp/redis/7001 >many
ask 7001 bgsave >many
until_is 7001 rdb_last_bgsave_status ok
ask 7001 shutdown nosave
wait
umount /mnt
"""


def runs(redis: Backend, dbos: str, script: str, **variables: str) -> list[str]:
    """Return the lines that the script says."""
    slow = redis.guest.machine.spec.engine.accelerator is Accelerator.BOCHS
    given = {"DBOS": dbos, "SCALE": "1" if slow else "10", **variables}
    settings = "".join(f"{name}={value}\n" for name, value in given.items())
    ran = redis.run(f"{settings}{FUNCTIONS}{script}", timeout=SECONDS)
    assert ran.status == 0, ran.text + ran.stderr.decode()
    return ran.text.splitlines()


both_ways = pytest.mark.parametrize("dbos", ["yes", "no"], ids=["snapshot", "fork"])


@both_ways
def test_background_save_is_of_its_moment(redis: Backend, dbos: str) -> None:
    assert runs(redis, dbos, SAVE) == ["Background saving started", "ok", "copied", "same"]


@both_ways
@pytest.mark.parametrize("preamble", ["yes", "no"], ids=["image", "commands"])
def test_append_only_file_is_rewritten(redis: Backend, dbos: str, preamble: str) -> None:
    assert runs(redis, dbos, REWRITE, PREAMBLE=preamble) == ["ok", "OK", "same"]


@both_ways
@pytest.mark.parametrize("diskless", ["yes", "no"], ids=["socket", "disk"])
def test_replica_is_alike(redis: Backend, dbos: str, diskless: str) -> None:
    assert runs(redis, dbos, REPLICATE, DISKLESS=diskless) == ["1", "same"]


@both_ways
def test_killed_child_leaves_nothing(redis: Backend, dbos: str) -> None:
    said = runs(redis, dbos, KILLED)
    assert said == [*["Background saving started", "OK", "ok"] * 3, "3", "log", "log"]


@both_ways
def test_full_disk_is_reported(redis: Backend, dbos: str) -> None:
    said = runs(redis, dbos, FULL)
    assert said[:2] == ["Background saving started", "err"]
    assert re.fullmatch(r"MISCONF .*", said[2]), said
