# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.machine.monitor import MONITOR, connect, listen


@pytest.mark.parametrize("length", [0, 100, 200])
def test_a_path_of_any_length_will_do(tmp_path: Path, length: int) -> None:
    directory = tmp_path / ("d" * length)
    directory.mkdir(exist_ok=True)
    with listen(directory) as listener, connect(directory) as ours:
        theirs, _ = listener.accept()
        with theirs:
            ours.sendall(b"hello")
            assert theirs.recv(5) == b"hello"


def test_nobody_there(tmp_path: Path) -> None:
    listen(tmp_path).close()
    assert (tmp_path / MONITOR).exists()
    with pytest.raises(LabError) as caught:
        connect(tmp_path)
    assert caught.value.status is Status.LOST
    assert "no monitor that answers: Connection refused" in caught.value.message
