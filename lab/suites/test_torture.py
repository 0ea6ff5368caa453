# SPDX-License-Identifier: BSD-2-Clause
"""Guests read and write known patterns while the host does all it can to their memory.

``tests/guest/torture`` checks every word it reads, and watches every page that was taken away. Here
we only make sure that all of it has really happened.
"""

import pytest

from lab.guest import Guest
from lab.session.stress import Stressed

pytestmark = pytest.mark.lab_boot("seed")

CGROUP = "/sys/fs/cgroup/torture"
PREPARE = """
echo +memory >/sys/fs/cgroup/cgroup.subtree_control && mkdir /sys/fs/cgroup/torture &&
modprobe zram && echo 128M > /sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0 &&
echo 4 > /proc/sys/vm/nr_hugepages && grep -q 'HugePages_Free: *4' /proc/meminfo
"""

OPERATIONS = [
    *("read-only", "no-access", "munmap", "replace", "mremap", "dontneed", "free", "punch"),
    *("pageout", "collapse", "split", "fork", "uffd-missing", "uffd-wp", "migrate"),
    *("reclaim", "shrink"),
]
CONSEQUENCES = [
    *("merged", "swapped-out", "migrated", "reads", "writes", "found-dropped", "invalidations"),
    *("zapped", "dirtied", "reclaimed"),
]


def torture(guest: Guest, seed: int, seconds: float) -> None:
    """Let it run, and look that each operation was done and had its effect."""
    guest.run(PREPARE, check=True)
    # The seconds are the guest's, and those of Bochs are long.
    within = 2 * seconds + guest.machine.limits.command / 2
    ran = guest.run(f"/lab/torture {seed} {seconds:g} {CGROUP}", timeout=within)
    assert ran.status == 0, ran.stderr.decode()
    assert ran.text.endswith("torture: ok\n")
    counts = dict(line.split(": ") for line in ran.text.splitlines()[:-1])
    assert [name for name in [*OPERATIONS, *CONSEQUENCES] if int(counts[name]) == 0] == []


@pytest.mark.lab_stress(seconds=20)
def test_no_access_is_ever_stale(module_loaded: Guest, seed: int, stress: Stressed) -> None:
    assert stress.length.seconds
    torture(module_loaded, seed, stress.length.seconds)
