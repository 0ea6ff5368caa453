# SPDX-License-Identifier: BSD-2-Clause
"""A cell of the proof that can be counted: it writes down that it was begun, and takes a while.

Not a test of this folder: campaigns name the file.
"""

import os
import time

import pytest

from lab.options import option


def test_begun(request: pytest.FixtureRequest) -> None:
    with open(os.environ["CAMPAIGN_JOURNAL"], "a") as journal:  # noqa: PTH123 (one write, appended)
        journal.write(f"{option(request.config, 'seed')}\n")
    time.sleep(4)
