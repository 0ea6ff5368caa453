# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.config import Config
from lab.errors import LabError
from lab.sshkey import ensure_keys, write_ssh_config


def config(tmp_path: Path) -> Config:
    return Config(tmp_path / "source", tmp_path / "cache", tmp_path / "runs")


def test_made_once_and_private(tmp_path: Path) -> None:
    keys = ensure_keys(config(tmp_path))
    first = keys.client.read_bytes(), keys.host.read_bytes()
    assert first[0] != first[1]
    assert first[0].startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    assert {path.stat().st_mode & 0o777 for path in (keys.client, keys.host)} == {0o600}
    assert keys.client.parent.stat().st_mode & 0o777 == 0o700
    again = ensure_keys(config(tmp_path))
    assert (again.client.read_bytes(), again.host.read_bytes()) == first
    assert not list(keys.client.parent.glob(".*"))


def test_all_who_ask_at_once_get_the_same_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def slowly() -> Ed25519PrivateKey:
        made.append(1)
        time.sleep(0.05)
        return Ed25519PrivateKey.generate()

    monkeypatch.setattr("lab.sshkey.Ed25519PrivateKey", SimpleNamespace(generate=slowly))

    def ask(_n: int) -> bytes:
        return ensure_keys(config(tmp_path)).seed()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1
    assert len(made) == 2


def test_one_lost_key_does_not_change_the_other(tmp_path: Path) -> None:
    keys = ensure_keys(config(tmp_path))
    host = keys.host.read_bytes()
    keys.client.unlink()
    ensure_keys(config(tmp_path))
    assert keys.client.exists()
    assert keys.host.read_bytes() == host


def test_the_seed_carries_the_public_client_key_and_the_private_host_key(tmp_path: Path) -> None:
    keys = ensure_keys(config(tmp_path))
    subprocess.run(["cpio", "-i", "-d", "--quiet"], input=keys.seed(), cwd=tmp_path, check=True)
    lab = tmp_path / "etc" / "lab"
    assert (lab / "ssh_host_ed25519_key").read_bytes() == keys.host.read_bytes()
    kind, blob, comment = (lab / "authorized_keys").read_text().split()
    assert (kind, blob, comment) == ("ssh-ed25519", keys.client_key().get_base64(), "dbos-lab")
    assert b"PRIVATE" not in (lab / "authorized_keys").read_bytes()
    assert (lab / "ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600


def test_a_broken_key_says_what_to_do(tmp_path: Path) -> None:
    keys = ensure_keys(config(tmp_path))
    keys.client.write_text("not a key")
    with pytest.raises(LabError) as caught:
        keys.client_key()
    assert str(keys.client) in caught.value.message
    assert "rm -r" in caught.value.hint


def test_ssh_config_pins_the_host_key(tmp_path: Path) -> None:
    keys = ensure_keys(config(tmp_path))
    text = write_ssh_config(keys, 4022, tmp_path).read_text()
    assert "StrictHostKeyChecking yes" in text
    assert "Port 4022" in text
    assert (tmp_path / "known_hosts").read_text() == (
        f"[127.0.0.1]:4022 ssh-ed25519 {keys.host_key().get_base64()}\n"
    )
