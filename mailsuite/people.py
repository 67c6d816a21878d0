"""The people of a server: how to look them up, what they prove themselves by, what can be done for them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.accounts.gate import Gate
from mailsuite.accounts.key_rotation import KeyRotation
from mailsuite.accounts.office import Office
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.registry import Registry
from mailsuite.accounts.rehearsal import Rehearsal
from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.terms import OwnRetentions
from mailsuite.accounts.vault import Vault
from mailsuite.accounts.what_if import WhatIf
from mailsuite.config.load import Loaded
from mailsuite.config.schema import Config
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.file_accounts import file_directory
from mailsuite.interfaces import ILogins, ISightings, ISubscriptions, IThreads
from mailsuite.model.account import NotifyPreference
from mailsuite.model.address import Address


async def _nobody_followed(account: Address, device: str | None) -> None:
    """Where nobody is told of anything."""


@attrs.frozen
class People:
    """Who exists, by what they prove themselves, and how they did."""

    directory: LayeredDirectory
    logins: ILogins
    sightings: ISightings
    passwords: Passwords
    vault: Vault
    threads: IThreads
    key_file: Path
    gate: Gate
    sources: Sources
    subscriptions: ISubscriptions
    objection: Callable[[NotifyPreference], str]
    turn: DeferredLock = attrs.field(factory=DeferredLock)
    """Held by whoever changes accounts; see Registry."""
    own_retentions: OwnRetentions = attrs.field(factory=OwnRetentions)
    forget_view: Callable[[Address, str], None] = lambda account, device: None
    """Is told of each device password that is removed."""
    enroll_view: Callable[[Address, str], None] = lambda account, device: None
    """Is told of each that is added with a view of its own."""
    erase: Callable[[Address, str | None], Awaitable[None]] = _nobody_followed
    """Removes who follows an account, or what one of its devices has subscribed to. Raises MailFailure."""

    async def learn_retentions(self) -> None:
        """Look at all accounts, after the configuration was read. Raises MailFailure; then what was known
        before stays."""
        async with self.turn:
            self.own_retentions.learn(await self.directory.accounts())

    def office(self, config: Callable[[], Config], foresee: Callable[[str], Awaitable[Loaded]]) -> Office:
        """What can be done for them. *config* is the one in force, *foresee* reads one to be."""

        async def reseal_file() -> None:
            """Once more where the configuration was read anew meanwhile: the old one must not come back."""
            while True:
                wanted = config()
                file = await file_directory(wanted, self.passwords, self.vault)
                if config() is wanted:
                    self.directory.replace_file(file)
                    return

        registry = Registry(
            self.directory,
            self.passwords,
            self.sightings,
            removed=self.own_retentions.forget,
            objection=self.objection,
            logins=self.logins,
            vault=self.vault,
            forget=self.sources.forget,
            retained=self.own_retentions.note,
            erase=lambda account: self.erase(account, None),
            sends=lambda: config().queue.takes,
            turn=self.turn,
        )
        return Office(
            registry=registry,
            devices=DeviceRegistry(
                self.directory,
                self.vault,
                self.logins,
                time.time,
                removed=self.forget_view,
                enroll=self.enroll_view,
                erase=self.erase,
                turn=self.turn,
            ),
            keys=KeyRotation(
                self.directory.database,
                self.vault,
                self.key_file,
                self.threads,
                reseal_file,
                self.subscriptions.reseal,
            ),
            what_if=WhatIf(self.directory, self.logins, time.time, foresee),
            rehearsal=Rehearsal(self.gate, self.passwords, config, self.sources),
        )
