# SPDX-License-Identifier: BSD-2-Clause
"""Each processor of a machine on one of the host's, so that nothing moves it while it is timed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lab.errors import Status, die


def pin(threads: Sequence[int], processors: Sequence[int]) -> None:
    """Bind threads, by their ids, to processors in turn; more threads than those share them.

    Dies with ``MISSING`` if this process may not use one of the processors, or it is offline.
    """
    for number, thread in enumerate(threads):
        processor = processors[number % len(processors)]
        try:
            os.sched_setaffinity(thread, {processor})
        except OSError as error:
            die(
                f"Processor {processor} is not to be had for a machine: {error.strerror}.",
                "choose others in DBOS_LAB_PIN; `lscpu --extended` lists them",
                status=Status.MISSING,
            )
