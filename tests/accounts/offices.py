"""An office over memory, and what tests want to look at behind it."""

from __future__ import annotations

from collections.abc import Coroutine
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest
from argon2 import PasswordHasher

from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.accounts.gate import Gate
from mailsuite.accounts.key_rotation import KeyRotation
from mailsuite.accounts.keyring import Keyring
from mailsuite.accounts.office import Office
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.refusal import RegistryError
from mailsuite.accounts.registry import Registry
from mailsuite.accounts.rehearsal import Rehearsal
from mailsuite.accounts.vault import Vault
from mailsuite.accounts.what_if import WhatIf
from mailsuite.concurrent.threads import Inline
from mailsuite.config.load import Loaded, load
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.logins import MemoryLogins
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.login import LoginRecord
from mailsuite.model.origin import Origin

T = TypeVar("T")

NOW = 1_795_000_000.0
"""2026-11-18 09:46:40 UTC."""
JOE = Address("joe", "example.test")
FILED = Address("filed", "file.test")
PEER = ip_address("192.0.2.9")


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Nothing here ever waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("it waited")


def refusal(coroutine: Coroutine[Any, Any, Any]) -> tuple[str, str]:
    """Kind and text of the RegistryError that must come."""
    with pytest.raises(RegistryError) as caught:
        now(coroutine)
    assert str(caught.value) == caught.value.text
    return caught.value.kind, caught.value.text


def login(
    account: Address = JOE,
    *,
    device: str = "",
    mechanism: str = "USER",
    service: str = "pop3",
    peer: str = "192.0.2.9",
    at: float = NOW - 60.0,
) -> LoginRecord:
    return LoginRecord(account, device, service, mechanism, ip_address(peer), at)


@attrs.define
class World:
    """The office, and what stands behind it."""

    folder: Path
    settings: str = ""
    """The configuration file."""
    clock: float = NOW
    database: MemoryDirectory = attrs.field(factory=MemoryDirectory)
    logins: MemoryLogins = attrs.field(factory=MemoryLogins)
    sightings: MemorySightings = attrs.field(factory=MemorySightings)
    ended: list[tuple[Address, str | None, str]] = attrs.field(factory=list)
    forgotten: list[Address] = attrs.field(factory=list)
    erased: list[tuple[Address, str | None]] = attrs.field(factory=list)
    """Of whom nobody is told any more."""
    unerasable: Exception | None = None
    """Why that is not to be had."""
    file_resealed: int = 0
    vault: Vault = attrs.field(init=False)
    directory: LayeredDirectory = attrs.field(init=False)
    office: Office = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        file = MemoryDirectory([Account(FILED, "Filed")], [Domain("empty.test")], Origin.FILE)
        self.directory = LayeredDirectory(file, self.database)
        path = self.folder / "keys" / "seal.key"
        self.vault = Vault(Keyring.load_or_create(path), Inline())
        passwords = Passwords(Inline(), hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        gate = Gate(self.directory, self.vault, lambda: self.clock)
        office = Office(
            registry=Registry(
                self.directory,
                passwords,
                self.sightings,
                logins=self.logins,
                vault=self.vault,
                forget=self.forgotten.append,
                erase=self.erase,
            ),
            devices=DeviceRegistry(
                self.directory, self.vault, self.logins, lambda: self.clock, erase=self.erase
            ),
            keys=KeyRotation(self.database, self.vault, path, Inline(), self._reseal_file),
            what_if=WhatIf(self.directory, self.logins, lambda: self.clock, self._foresee),
            rehearsal=Rehearsal(gate, passwords, lambda: self.load().accepted()),
        )
        self.office = office.telling(self._end)

    def _end(self, account: Address, device: str | None, reason: str, /) -> None:
        self.ended.append((account, device, reason))

    async def erase(self, account: Address, device: str | None = None) -> None:
        if self.unerasable is not None:
            raise self.unerasable
        self.erased.append((account, device))

    async def _reseal_file(self) -> None:
        self.file_resealed += 1

    async def _foresee(self, assignment: str) -> Loaded:
        return self.load(assignment)

    def load(self, *overrides: str) -> Loaded:
        """The configuration, with *overrides* above it."""
        file = self.folder / "mailsuite.toml"
        file.write_text(self.settings, "utf-8")
        return load(file, {}, overrides)

    def add_joe(self, password: str | None = None) -> str:
        """Make JOE's account; answers the password."""
        _, generated = now(self.office.registry.add_account(str(JOE), "Joe", password))
        return generated or password or ""

    def add_device(self, name: str = "Eudora", **fields: object) -> tuple[dict[str, Any], str]:
        """Make one of JOE's devices."""
        return now(self.office.devices.add_device(str(JOE), {"name": name, **fields}))
