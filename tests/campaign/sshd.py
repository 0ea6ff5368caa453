# SPDX-License-Identifier: BSD-2-Clause
"""An SSH server for a host that is a namespace: everybody may in, and run one program."""

from __future__ import annotations

import asyncio
import sys

import asyncssh

PORT = 2222


class Open(asyncssh.SSHServer):
    """Asks nobody who he is: in the namespace there is only the test."""

    def begin_auth(self, username: str) -> bool:
        return False


async def serve(address: str) -> None:
    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = asyncio.subprocess.PIPE
        argv = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", f"exec {process.command}"]
        child = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
        await process.redirect(child.stdin, child.stdout, child.stderr)
        status = await child.wait()
        await process.stdout.drain()
        await process.stderr.drain()
        process.exit(status)

    server = await asyncssh.create_server(
        Open,
        address,
        PORT,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=run,
        encoding=None,
    )
    print("serving", flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
