# SPDX-License-Identifier: BSD-2-Clause
"""virtme-ng, a peer: the same kernel, the same machine, from start to a command's result.

Installed into an environment of its own by ``make bench-lab``; the lab itself does not need it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from lab.image.build import Image

_TIMEOUT = 300.0
"""Seconds; a start takes 15 on an idle host."""
_GOES_DOWN = 20.0
"""Seconds it gets to power its guest off."""
_POLL = 0.01


class Peer:
    """virtme-ng's command ``vng`` at ``program``, for the kernel of ``image``."""

    def __init__(self, program: Path, image: Image) -> None:
        self._program = program
        self._tree = image.toolchain
        self._release = image.kernel_release

    @property
    def version(self) -> str:
        """As the program gives it."""
        done = subprocess.run(
            [self._program, "--version"], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def seconds_to_command(self, cpus: int, memory_mib: int) -> float:
        """Start a guest, run ``uname -r`` in it and return what it took until the result is there.

        The result comes through a directory that the guest shares: on a host without udev vng
        loads no driver for the port by which it would come otherwise. Raises ``RuntimeError``
        with vng's last words if it does not come, or is another kernel's.
        """
        with tempfile.TemporaryDirectory() as shared:
            result = Path(shared, "release")
            write = f"uname -r >{result}.new; mv {result}.new {result}"
            argv = [
                *(str(self._program), "--run", str(self._tree / "boot" / self._kernel)),
                *("--disable-kvm", "--cpus", str(cpus), "--memory", f"{memory_mib}M"),
                *("--rwdir", shared, "--", "sh", "-c", write),
            ]
            log = Path(shared, "log")
            begun = time.monotonic()
            with log.open("wb") as said, self._started(argv, shared, said.fileno()) as process:
                try:
                    while not result.exists() and process.poll() is None:
                        if time.monotonic() - begun > _TIMEOUT:
                            break
                        time.sleep(_POLL)
                    seconds = time.monotonic() - begun
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_GOES_DOWN)
                finally:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
            if not result.exists():
                last = log.read_text(errors="replace").splitlines()[-5:]
                raise RuntimeError("; ".join(last) or "vng ended without a result")
            if (release := result.read_text().strip()) != self._release:
                raise RuntimeError(f"vng booted another kernel, {release}")
        return seconds

    @property
    def _kernel(self) -> str:
        return f"vmlinuz-{self._release}"

    def _started(self, argv: list[str], directory: str, output: int) -> subprocess.Popen[bytes]:
        # vng wants a static busybox on the host for its initramfs; the image's packages have one.
        programs = Path(directory, "bin")
        programs.mkdir()
        (programs / "busybox").symlink_to(self._tree / "bin/busybox")
        path = f"{self._program.parent}:{os.environ['PATH']}:{programs}"
        return subprocess.Popen(
            argv,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # so that its QEMU can be ended with it
        )
