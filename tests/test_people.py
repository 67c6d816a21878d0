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
from mailsuite.model.account import Origin
from mailsuite.model.address import Address
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

    def office(self) -> Office:
        people = People(
            directory=self.directory,
            logins=MemoryLogins(),
            sightings=MemorySightings(),
            passwords=self.passwords,
            vault=self.vault,
            threads=Inline(),
            key_file=self.path,
            gate=Gate(self.directory, self.vault, time.time),
            sources=Sources(),
            objection=lambda preference: "",
        )
        unused: Any = None
        return people.office(lambda: self.config, unused)

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
