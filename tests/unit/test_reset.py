# SPDX-License-Identifier: BSD-2-Clause
"""The keeper's rules, with a machine that only remembers what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab.crash.symbols import note_sections, noted_sections
from lab.engine import SVM_TCG, VMX_BOCHS
from lab.errors import LabError, Status
from lab.guest import Guest
from lab.lab import Booted
from lab.reset import Keeper, Origin, Policy, Step, policy_of
from lab.state import Preparation, State


class Saved(tuple[str, ...]):
    """A snapshot: what the machine had done."""

    @property
    def token(self) -> str:
        return "+".join(self)


@dataclass
class FakeMachine:
    """A machine whose whole state is the list of what was done to it."""

    number: int
    did: list[str] = field(default_factory=list)
    alive: bool = True
    kept: str = ""
    broken: str = ""
    """Why a restore fails."""
    directory: Path = Path("/nowhere")
    closed: bool = False
    connected: bool = True

    @property
    def snapshots(self) -> FakeMachine:
        return self

    def save(self) -> Saved:
        assert not self.connected
        return Saved(self.did)

    def restore(self, snapshot: Saved) -> None:
        assert not self.connected
        if self.broken:
            raise LabError(self.broken, "", status=Status.FAILED)
        self.did = list(snapshot)

    def keep(self, reason: str) -> None:
        self.kept = reason

    @property
    def console(self) -> SimpleNamespace:
        return SimpleNamespace(size=100 * len(self.did))

    @property
    def events(self) -> tuple[str, ...]:
        return ("STOP",) * len(self.did)

    def close(self) -> None:
        """As a guest: hang up."""
        self.connected = False

    def know_as(self, name: str) -> None:
        """As a guest: be told which state it is in."""
        assert name == Saved(self.did).token


class Host:
    """Boots fake machines and remembers them."""

    def __init__(self) -> None:
        self.machines: list[FakeMachine] = []
        self.refuses = ""
        """Why a new machine cannot be put into a saved state."""
        self.directory = Path("/nowhere")

    @contextmanager
    def boot(self, snapshot: object = None) -> Iterator[Booted]:
        machine = FakeMachine(len(self.machines), directory=self.directory)
        if snapshot is not None:
            if self.refuses:
                raise LabError(self.refuses, "", status=Status.FAILED)
            machine.did = list(cast(Saved, snapshot))
        self.machines.append(machine)
        guest = SimpleNamespace(machine=machine, close=machine.close, know_as=machine.know_as)
        yield cast(Booted, SimpleNamespace(machine=machine, guest=guest))
        machine.closed = True

    def keeper(self, policy: Policy = Policy.RESTORE) -> Keeper:
        steps = [Step(state, take(state.name)) for state in State]
        steps[-1] = replace(steps[-1], undo=take("unloaded"))
        return Keeper(self.boot, steps, policy)


def take(name: str) -> Callable[[Guest], None]:
    def act(guest: Guest) -> None:
        machine = cast(FakeMachine, guest.machine)
        machine.connected = True
        machine.did.append(name)

    return act


@pytest.fixture
def host() -> Host:
    return Host()


def test_each_state_is_reached_from_the_nearest_saved_one(host: Host) -> None:
    keeper = host.keeper()
    assert keeper.clean(State.MODULE_LOADED).origin is Origin.BOOTED
    [machine] = host.machines
    assert machine.did == ["BOOTED", "GUEST", "MODULE_LOADED"]
    machine.did.append("dirt")
    assert keeper.clean(State.GUEST).origin is Origin.RESTORED
    assert machine.did == ["BOOTED", "GUEST"]
    for state, did in (
        (State.MODULE_LOADED, ["BOOTED", "GUEST", "MODULE_LOADED"]),
        (State.GUEST, ["BOOTED", "GUEST"]),
        (State.BOOTED, ["BOOTED"]),
    ):
        machine.did.append("dirt")
        clean = keeper.clean(state)
        assert (clean.origin, clean.replaced) == (Origin.RESTORED, "")
        assert machine.did == did
        assert (clean.console_offset, clean.events) == (100 * len(did), len(did))
    assert len(host.machines) == 1


def test_a_preparation_is_done_once_and_saved(host: Host) -> None:
    keeper = host.keeper()
    zoo = Preparation("zoo", take("ZOO"))
    assert keeper.clean(State.GUEST, zoo).origin is Origin.BOOTED
    [machine] = host.machines
    prepared = ["BOOTED", "GUEST", "ZOO"]
    assert machine.did == prepared
    never = Preparation("zoo", take("TWICE"))
    machine.did.append("dirt")
    assert keeper.clean(State.GUEST, never).origin is Origin.RESTORED
    assert machine.did == prepared
    machine.alive = False
    assert keeper.clean(State.GUEST, never).origin is Origin.REVIVED
    machine = host.machines[-1]
    assert machine.did == prepared
    # Nothing of it is in the states themselves, and on another state it is another one.
    for state, preparation, did in (
        (State.GUEST, None, ["BOOTED", "GUEST"]),
        (State.MODULE_LOADED, None, ["BOOTED", "GUEST", "MODULE_LOADED"]),
        (State.MODULE_LOADED, zoo, ["BOOTED", "GUEST", "MODULE_LOADED", "ZOO"]),
        (State.BOOTED, Preparation("other", take("OTHER")), ["BOOTED", "OTHER"]),
    ):
        keeper.clean(state, preparation)
        assert machine.did == did


def test_what_was_noted_of_modules_goes_with_their_state(host: Host, tmp_path: Path) -> None:
    def note(guest: Guest) -> None:
        note_sections(guest.machine.directory, "dune", ".text:0xffffffffc026c000\n")

    keeper = host.keeper()
    loaded = Preparation("loaded", note)
    keeper.clean(State.GUEST)
    host.machines[0].directory = tmp_path
    keeper.clean(State.GUEST, loaded)
    host.machines[0].alive = False
    host.directory = tmp_path / "another"
    host.directory.mkdir()
    assert keeper.clean(State.GUEST, loaded).origin is Origin.REVIVED
    assert noted_sections(host.directory, "dune") == {".text": 0xFFFFFFFFC026C000}


def test_a_restore_that_fails_costs_the_machine_and_is_told(host: Host) -> None:
    keeper = host.keeper()
    keeper.clean(State.GUEST)
    host.machines[0].broken = "memory was not restored"
    clean = keeper.clean(State.GUEST)
    assert (clean.origin, clean.replaced) == (Origin.BOOTED, "memory was not restored")
    old, new = host.machines
    assert (old.closed, old.kept) == (True, "memory was not restored")
    assert (new.closed, new.did) == (False, ["BOOTED", "GUEST"])
    assert keeper.clean(State.GUEST).origin is Origin.RESTORED
    assert new.did == ["BOOTED", "GUEST"]


def test_a_dead_machine_is_replaced(host: Host) -> None:
    keeper = host.keeper()
    keeper.clean(State.GUEST)
    host.machines[0].alive = False
    clean = keeper.clean(State.MODULE_LOADED)
    assert (clean.origin, clean.replaced) == (Origin.REVIVED, "it had ended")
    old, new = host.machines
    assert (old.closed, new.closed) == (True, False)
    assert new.did == ["BOOTED", "GUEST", "MODULE_LOADED"]
    new.did.append("dirt")
    assert keeper.clean(State.GUEST).origin is Origin.RESTORED
    assert new.did == ["BOOTED", "GUEST"]


def test_one_that_cannot_be_revived_is_booted(host: Host) -> None:
    keeper = host.keeper()
    keeper.clean(State.GUEST)
    host.machines[0].alive = False
    host.refuses = "the disk holds another snapshot"
    clean = keeper.clean(State.GUEST)
    assert (clean.origin, clean.replaced) == (Origin.BOOTED, host.refuses)
    assert host.machines[-1].did == ["BOOTED", "GUEST"]


def test_fresh_means_booted_for_it(host: Host) -> None:
    keeper = host.keeper()
    keeper.clean(State.GUEST)
    clean = keeper.clean(State.GUEST, fresh=True)
    assert (clean.origin, clean.replaced) == (Origin.BOOTED, "")
    assert host.machines[1].did == ["BOOTED", "GUEST"]
    assert [machine.closed for machine in host.machines] == [True, False]


def test_a_step_that_fails_leaves_no_machine(host: Host) -> None:
    def refuse(guest: Guest) -> None:
        raise LabError("the module does not load", "", status=Status.FAILED)

    steps = [Step(State.BOOTED, take("BOOTED")), Step(State.MODULE_LOADED, refuse)]
    keeper = Keeper(host.boot, steps)
    keeper.clean(State.BOOTED)
    for _ in range(2):
        with pytest.raises(LabError, match="does not load"):
            keeper.clean(State.MODULE_LOADED)
    assert keeper.clean(State.BOOTED).booted.machine.alive
    keeper.close()
    assert all(machine.alive for machine in host.machines)


def test_close_ends_the_machine(host: Host) -> None:
    keeper = host.keeper()
    keeper.clean(State.BOOTED)
    keeper.close()
    keeper.close()
    assert host.machines[0].closed


def test_without_snapshots_a_machine_is_shared(host: Host) -> None:
    keeper = host.keeper(Policy.REUSE)
    assert keeper.clean(State.GUEST).origin is Origin.BOOTED
    [machine] = host.machines
    machine.did.append("dirt")
    assert keeper.clean(State.MODULE_LOADED).origin is Origin.REUSED
    assert machine.did == ["BOOTED", "GUEST", "dirt", "MODULE_LOADED"]
    assert keeper.clean(State.MODULE_LOADED).origin is Origin.REUSED
    assert machine.did[-2:] == ["unloaded", "MODULE_LOADED"]
    keeper.clean(State.GUEST)
    keeper.clean(State.GUEST)
    assert machine.did[-2:] == ["MODULE_LOADED", "unloaded"]
    assert len(host.machines) == 1


def test_only_bochs_shares() -> None:
    assert (policy_of(SVM_TCG), policy_of(VMX_BOCHS)) == (Policy.RESTORE, Policy.REUSE)


@pytest.mark.parametrize(
    ("policy", "alive", "ends"),
    [
        (Policy.RESTORE, True, False),
        (Policy.RESTORE, False, True),
        (Policy.REUSE, True, True),
    ],
)
def test_a_spoilt_machine_is_ended_unless_it_can_be_restored(
    host: Host, policy: Policy, *, alive: bool, ends: bool
) -> None:
    keeper = host.keeper(policy)
    booted = keeper.clean(State.GUEST).booted
    host.machines[0].alive = alive
    keeper.discard(booted)
    assert host.machines[0].closed == ends
    keeper.clean(State.GUEST)
    assert len(host.machines) == 1 + ends


def test_a_machine_of_another_keeper_is_left_alone(host: Host) -> None:
    keeper = host.keeper(Policy.REUSE)
    keeper.clean(State.GUEST)
    keeper.discard(host.keeper(Policy.REUSE).clean(State.GUEST).booted)
    assert not host.machines[0].closed
