# SPDX-License-Identifier: BSD-2-Clause
"""The lab's two SSH keys: the client's, and the one every guest answers with.

Both are made once per lab and kept under the cache directory. The guest gets its host key from
the lab at every boot, so the client can check it strictly: a connection to the wrong machine (a
stale port, another user's guest) is refused, not quietly accepted.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from paramiko import Ed25519Key, SSHException

from lab.config import Config
from lab.deadline import Deadline
from lab.errors import Status, die
from lab.lock import BRIEF_SECONDS, hold
from lab.machine import cpio

CLIENT_KEY = "client_ed25519"
HOST_KEY = "guest_host_ed25519"
SSH_CONFIG = "ssh_config"
"""In a machine's directory; what it makes of the host's name ``guest`` is that machine."""


@dataclass(frozen=True)
class Keys:
    """Paths of the two private keys, OpenSSH format, mode 0600."""

    client: Path
    host: Path

    def client_key(self) -> Ed25519Key:
        """Load the key the lab logs in with."""
        return _load(self.client)

    def host_key(self) -> Ed25519Key:
        """Load the key every guest of this lab must answer with."""
        return _load(self.host)

    def seed(self) -> bytes:
        """Write the small archive that carries the keys into a guest; see ``lab.machine.cpio``."""
        authorized = f"ssh-ed25519 {self.client_key().get_base64()} dbos-lab\n".encode()
        return cpio.archive(
            (
                cpio.directory("etc"),
                cpio.directory("etc/lab", 0o700),
                cpio.regular("etc/lab/authorized_keys", authorized, 0o600),
                cpio.regular("etc/lab/ssh_host_ed25519_key", self.host.read_bytes(), 0o600),
            )
        )


def ensure_keys(config: Config) -> Keys:
    """Return the lab's keys, made at the first call; other processes may do the same at once."""
    directory = config.cache / "keys"
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    keys = Keys(directory / CLIENT_KEY, directory / HOST_KEY)
    if not (keys.client.exists() and keys.host.exists()):
        with (directory / "lock").open("w") as lock:
            hold(lock, directory / "lock", Deadline.after(BRIEF_SECONDS, "making the keys"))
            for path in (keys.client, keys.host):
                if not path.exists():
                    _make(path)
    return keys


def _make(path: Path) -> None:
    """Write a new private key; ``path`` appears complete or not at all."""
    text = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )
    # mkstemp creates with mode 0600: the key is never readable by others, not even for a moment.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _load(path: Path) -> Ed25519Key:
    try:
        return Ed25519Key.from_private_key_file(str(path))
    except (OSError, SSHException, ValueError) as error:
        die(
            f"The lab's SSH key {path} cannot be used: {error}.",
            f"rm -r {path.parent}  # the next run makes new keys",
            status=Status.FAILED,
        )


def write_ssh_config(keys: Keys, port: int, directory: Path) -> Path:
    """Write ``known_hosts`` and ``ssh_config`` into ``directory``, for ``ssh -F FILE guest``.

    For people, and for programs that start ``ssh`` themselves; the lab does not need it.
    """
    known_hosts = directory / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} ssh-ed25519 {keys.host_key().get_base64()}\n")
    path = directory / SSH_CONFIG
    path.write_text(
        f"""\
Host guest
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile "{keys.client}"
    IdentitiesOnly yes
    UserKnownHostsFile "{known_hosts}"
    StrictHostKeyChecking yes
    LogLevel ERROR
"""
    )
    return path
