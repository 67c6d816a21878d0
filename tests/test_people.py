"""The accounts of the configuration, made anew while keys or the configuration change."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from mailsuite.accounts.gate import Gate
from mailsuite.accounts.keyring import Keyring, SealBroken
from mailsuite.accounts.office import Office
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.terms import OwnRetentions
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.config.load import load
from mailsuite.config.schema import Config
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.logins import MemoryLogins
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.file_accounts import file_directory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.origin import Origin
from mailsuite.model.retention import DAY, Retention
from mailsuite.notices.memory import MemorySubscriptions
from mailsuite.people import People
from tests.accounts.fakes import CHEAP
from tests.concurrent.held import HeldThreads

JOE = Address("joe", "example.test")
PASSWORD = "amber-river-violet-anchor"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    return tmp_path


def read(folder: Path, name: str = "Joe") -> Config:
    """One account with one device, each with a password file."""
    lines = (
        "[[account]]",
        f'address = "{JOE}"',
        f'name = "{name}"',
        'password_file = "secret"',
        "[[account.device]]",
        'name = "phone"',
        'password_file = "secret"',
    )
    file = folder / "mailsuite.toml"
    file.write_text("\n".join(lines).replace('"secret"', f'"{folder / "secret"}"'))
    return load(file, {}, ()).accepted()


class World:
    """An office, whose threads work when they are told to."""

    def __init__(self, folder: Path) -> None:
        self.threads = HeldThreads()
        self.path = folder / "keys" / "seal.key"
        self.vault = Vault(Keyring.load_or_create(self.path), self.threads)
        self.passwords = Passwords(self.threads, hasher=CHEAP)
        self.directory = LayeredDirectory(MemoryDirectory(origin=Origin.FILE), MemoryDirectory())
        self.config = read(folder)
        self.own_retentions = OwnRetentions()
        self.enrolled: list[tuple[Address, str]] = []
        self.forgotten: list[tuple[Address, str]] = []

    def office(self) -> Office:
        unused: Any = None
        return self.people().office(lambda: self.config, unused)

    def people(self) -> People:
        return People(
            directory=self.directory,
            logins=MemoryLogins(),
            sightings=MemorySightings(),
            passwords=self.passwords,
            vault=self.vault,
            threads=Inline(),
            key_file=self.path,
            gate=Gate(self.directory, self.vault, time.time),
            sources=Sources(),
            subscriptions=MemorySubscriptions(),
            objection=lambda preference: "",
            own_retentions=self.own_retentions,
            forget_view=lambda account, device: self.forgotten.append((account, device)),
            enroll_view=lambda account, device: self.enrolled.append((account, device)),
        )

    def finish(self, going: Deferred[Any]) -> Any:
        while self.threads.held:
            self.threads.release()
        results: list[Any] = []
        going.addCallback(results.append)
        [result] = results
        return result


def test_a_configuration_that_is_replaced_during_a_rotation_does_not_come_back(folder: Path) -> None:
    world = World(folder)
    going = Deferred.fromCoroutine(world.office().keys.rotate())
    assert world.threads.held, "it is at the file's accounts"
    world.config = read(folder, "Joseph")
    assert world.finish(going)["dropped"] is True
    account = run_now(world.directory.account(JOE))
    assert account is not None
    assert account.name == "Joseph"
    [device] = run_now(world.directory.devices(JOE))
    assert world.vault.open_device(JOE, device).matches(PASSWORD)


def test_what_the_file_has_is_sealed_under_one_key_whatever_happens_meanwhile(folder: Path) -> None:
    world = World(folder)
    going = Deferred.fromCoroutine(file_directory(world.config, world.passwords, world.vault))
    world.threads.release()
    world.threads.release()  # the hash and the verifiers; the device is left
    old = world.vault.keyring
    world.vault.use(old.with_new_key(world.path).drop_old_keys(world.path))
    made = world.finish(going)
    [device] = run_now(made.devices(JOE))
    account = run_now(made.account(JOE))
    assert world.vault.open_device(JOE, device).matches(PASSWORD)
    assert world.vault.open_verifiers(JOE, run_now(made.verifiers(JOE)), account.password_hash)
    with pytest.raises(SealBroken):
        Vault(old, Inline()).open_device(JOE, device)


class TestOwnRetentions:
    """What CAPA announces before the login keeps pace with the accounts."""

    ANN = Address("ann", "example.test")
    MONTH = Retention(read=30 * DAY)

    def test_they_are_learnt_from_all_accounts(self, folder: Path) -> None:
        world = World(folder)
        run_now(world.directory.database.add_account(Account(self.ANN, retention=self.MONTH)))
        run_now(world.people().learn_retentions())
        assert world.own_retentions.distinct == {self.MONTH}
        world.directory.replace_file(MemoryDirectory([Account(JOE, retention=Retention(read=0))]))
        run_now(world.people().learn_retentions())
        assert world.own_retentions.distinct == {self.MONTH, Retention(read=0)}

    def test_a_change_and_a_removal_are_noted_at_once(self, folder: Path) -> None:
        world = World(folder)
        run_now(world.directory.database.add_account(Account(self.ANN)))
        ended: list[object] = []
        office = world.office().telling(lambda *what: ended.append(what))
        run_now(office.registry.change_account(str(self.ANN), {"delete_after": "30d"}))
        assert world.own_retentions.distinct == {self.MONTH}
        run_now(office.registry.remove_account(str(self.ANN)))
        assert world.own_retentions.distinct == frozenset()
        assert ended == [(self.ANN, None, "the account was removed")]

    def test_who_changes_accounts_meanwhile_is_not_overlooked(self, folder: Path) -> None:
        """Learning waits until the change is whole: what it has read is not older than what was noted."""
        world = World(folder)
        people = world.people()
        holding = people.turn.acquire()
        going = Deferred.fromCoroutine(people.learn_retentions())
        run_now(world.directory.database.add_account(Account(self.ANN, retention=self.MONTH)))
        assert not going.called
        assert holding.called
        people.turn.release()
        assert going.called
        assert world.own_retentions.distinct == {self.MONTH}


def test_a_view_begins_with_its_device_and_goes_when_the_sessions_have_ended(folder: Path) -> None:
    world = World(folder)
    address = Address("ann", "example.test")
    run_now(world.directory.database.add_account(Account(address)))
    ended: list[int] = []
    office = world.office().telling(lambda *what: ended.append(len(world.forgotten)))
    going = Deferred.fromCoroutine(office.devices.add_device(str(address), {"name": "phone", "view": True}))
    device, _ = world.finish(going)
    assert world.enrolled == [(address, device["id"])]
    world.finish(Deferred.fromCoroutine(office.devices.add_device(str(address), {"name": "old phone"})))
    assert len(world.enrolled) == 1, "it has no view of its own"
    run_now(office.devices.remove_device(str(address), "phone"))
    assert (world.forgotten, ended) == ([(address, device["id"])], [0])
