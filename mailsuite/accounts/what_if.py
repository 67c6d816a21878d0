"""Who would be locked out if a setting were another: told before it is changed (features row S-A06)."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from mailsuite.accounts.documents import Document, login_document
from mailsuite.accounts.gate import SHOWN
from mailsuite.accounts.offers import offers
from mailsuite.accounts.refusal import bad, in_words
from mailsuite.config.kinds import BadValue, Kind
from mailsuite.config.load import Loaded
from mailsuite.config.mechanisms import APOP
from mailsuite.config.problems import report
from mailsuite.config.schema import Config
from mailsuite.interfaces import IAccountDirectory, ILogins
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.device import Device, Scope
from mailsuite.model.login import LoginRecord

DAYS: Final = 30
"""Whoever was not seen for so long is listed apart."""
DAY: Final = 86400.0
SILENCE: Final = DAY
"""For so long nobody has come by the old way of a client, while others came from its address, until it counts
as changed. Of two clients behind one address both come more often than that."""

SETTINGS: Final[dict[str, Kind[Any]]] = {"pop3.apop": APOP}
"""What can be asked about."""

_ENDS: Final[dict[str, frozenset[str]]] = {
    "off": frozenset({"APOP"}),
    "offer": frozenset(),
    "require": SHOWN,
}
"""The mechanisms that each value of pop3.apop leaves no room for."""


@attrs.frozen
class Apop:
    """What ``pop3.apop`` comes to: at each POP3 listener by name, and in the domains that decide themselves.

    What a domain says counts for its accounts whatever the listener says.
    """

    listeners: Mapping[str, str]
    domains: Mapping[str, str]
    scram: bool
    """Whether some listener offers it."""

    @classmethod
    def of(cls, config: Config) -> Apop:
        decided = {block.name: block.apop for block in config.domains if block.apop}
        offered = offers(config, "pop3")
        scram = any(name.startswith("SCRAM-") for offer in offered for name in offer.mechanisms)
        return cls({offer.listener: offer.rules.apop for offer in offered}, decided, scram)

    def holds_for(self, account: Address, value: str) -> bool:
        """Whether *value* is met by an account somewhere."""
        decided = self.domains.get(account.domain)
        return decided == value if decided else value in self.listeners.values()

    def takes_passwords_of(self, account: Address) -> bool:
        """Whether an account may show its password somewhere."""
        decided = self.domains.get(account.domain)
        return decided != "require" if decided else set(self.listeners.values()) != {"require"}


@attrs.frozen
class Facts:
    """Who there is, and who logged in how."""

    accounts: Sequence[Account]
    devices: Sequence[tuple[Address, Device]]
    logins: Sequence[LoginRecord]
    """For each way its newest, the newest first; none older than DAYS."""
    now: float
    scram_keys: frozenset[Address] = frozenset()
    """The accounts whose own password SCRAM can be done with: those that logged in by it once."""


def foretell_apop(value: str, apop: Apop, facts: Facts) -> Document:
    """Who would be locked out of POP3 by *value*, where *apop* is what would hold then.

    That is whoever has a client whose newest login was by a mechanism that is refused then. A client is told
    by the device password that it used and by its address. One that was given another password looks like
    two: the old one is left out, and noted, once it is SILENCE older than what came from there since. Of an
    account that nobody logged in to it is told whether another way in is left: APOP or SCRAM, or a listener
    that still takes passwords.
    """
    devices: defaultdict[Address, list[Device]] = defaultdict(list)
    for address, device in facts.devices:
        devices[address].append(device)
    clients = _clients(facts.logins)
    locked_out, not_seen, unaffected = [], [], 0
    replaced: list[str] = []
    for account in facts.accounts:
        if account.state is AccountState.OFF or not account.pop3:
            continue
        able = [device for device in devices[account.address] if _can_apop(device, facts.now)]
        entry = {"account": str(account.address), "apop_devices": [device.name for device in able]}
        seen = clients.get(account.address, [])
        names = {device.id: device.name for device in devices[account.address]}
        staying = [login for login in seen if login.mechanism not in _ENDS[value]]
        ending = [login for login in seen if login.mechanism in _ENDS[value]]
        left = [login for login in ending if not _is_replaced(login, staying)]
        if not apop.holds_for(account.address, value):
            unaffected += 1
            continue
        replaced += [_replaced_note(login, names) for login in ending if login not in left]
        if left:
            shown = [login_document(login, names) for login in left]
            locked_out.append({**entry, "reason": _reason(value, able, staying), "clients": shown})
        elif not seen and (value == "require" or (value == "off" and able)):
            scram = account.address in facts.scram_keys or any(
                _is_alive(device, facts.now) for device in devices[account.address]
            )
            another = bool(able) or apop.takes_passwords_of(account.address) or (apop.scram and scram)
            not_seen.append({**entry, "another_way": value == "off" or another})
        else:
            unaffected += 1
    return {
        "setting": "pop3.apop",
        "value": value,
        "days": DAYS,
        "locked_out": locked_out,
        "not_seen": not_seen,
        "unaffected": unaffected,
        "notes": [*_notes(value, apop), *replaced],
    }


def _clients(logins: Iterable[LoginRecord]) -> dict[Address, list[LoginRecord]]:
    """The newest POP3 login of each client of each account; the newest come first, as they go in."""
    newest: dict[tuple[Address, str, object], LoginRecord] = {}
    for login in logins:
        if login.service == "pop3":
            newest.setdefault((login.account, login.device, login.peer), login)
    clients: defaultdict[Address, list[LoginRecord]] = defaultdict(list)
    for login in newest.values():
        clients[login.account].append(login)
    return clients


def _can_apop(device: Device, now: float) -> bool:
    return _is_alive(device, now) and "apop" in device.mechanisms


def _is_alive(device: Device, now: float) -> bool:
    """Whether it opens POP3, from somewhere."""
    return not device.has_expired(now) and Scope.POP3 in device.scopes


def _is_replaced(login: LoginRecord, staying: Iterable[LoginRecord]) -> bool:
    """Whether its address has come by other ways for long enough since."""
    return any(other.peer == login.peer and other.at - login.at >= SILENCE for other in staying)


def _replaced_note(login: LoginRecord, names: Mapping[str, str]) -> str:
    device = f'"{names.get(login.device, login.device)}"' if login.device else "its own password"
    day = datetime.datetime.fromtimestamp(login.at, datetime.UTC).date()
    return (
        f"{login.account} came from {login.peer} by {login.mechanism} with {device} last on {day}, and by "
        "other ways since: taken for a program that was changed"
    )


def _reason(value: str, able: Sequence[Device], staying: Sequence[LoginRecord]) -> str:
    if value == "off":
        return "uses-apop"
    if not able:
        return "no-apop-device"
    return "shows-password" if any(login.mechanism == "APOP" for login in staying) else "apop-not-used"


def _notes(value: str, apop: Apop) -> list[str]:
    """What says otherwise, so that the list is no more than it is."""
    notes = []
    others = {name: own for name, own in apop.listeners.items() if own != value}
    if others and len(others) < len(apop.listeners):
        notes += [
            f'listener {name} has apop = "{own}": who connects there is not concerned'
            for name, own in others.items()
        ]
    notes += [
        f'domain {name} has apop = "{own}": its accounts are not concerned'
        for name, own in apop.domains.items()
        if own != value
    ]
    if not any(own == value for own in (*apop.listeners.values(), *apop.domains.values())):
        notes.append(f'pop3.apop = "{value}" would hold nowhere: every listener or domain says otherwise')
    return notes


@attrs.frozen
class WhatIf:
    """Answers what would come of a change of the configuration. Raises RegistryError."""

    directory: IAccountDirectory
    logins: ILogins
    now: Callable[[], float]
    """Seconds since the epoch."""
    foresee: Callable[[str], Awaitable[Loaded]]
    """Reads the configuration with one KEY=VALUE above it."""

    async def ask(self, setting: str, value: str) -> Document:
        """What would come of ``setting = value``."""
        kind = SETTINGS.get(setting)
        if kind is None:
            raise bad(f"no what-if for {setting!r} yet; there is: {', '.join(SETTINGS)}")
        try:
            kind.parse(value, Path("/"))
        except BadValue as error:
            raise bad(f"{setting}: {error}") from error
        loaded = await self.foresee(f"{setting}={value}")
        if loaded.config is None:
            raise bad("the configuration could not be used:\n" + "\n".join(report(loaded.problems)))
        apop, now = Apop.of(loaded.config), self.now()
        with in_words("the accounts"):
            facts = Facts(
                await self.directory.accounts(),
                await self.directory.all_devices(),
                await self.logins.since(now - DAYS * DAY),
                now,
                frozenset(address for address, _ in await self.directory.all_verifiers()),
            )
        return foretell_apop(value, apop, facts)
