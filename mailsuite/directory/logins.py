"""How people logged in: the rules of what is kept, and the memory of it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from zope.interface import implementer

from mailsuite.interfaces import ILogins
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.login import LoginRecord

DAY = 86_400.0
KEPT_SECONDS = 31 * DAY
"""What ``config check --what-if`` looks at, and a day more."""
KEPT_LAST_SECONDS = 366 * DAY
"""The newest login of each device stays longer: it says whether anybody still uses that device."""
KEPT_PEERS = 50
"""Of one account, device, service and mechanism; our own limit: a telephone has many addresses in a month."""

Way = tuple[Address, str, str, str, str]
"""How somebody logged in: account, device, service, mechanism and peer."""


def way_of(login: LoginRecord) -> Way:
    """All that a record says but the time."""
    return login.account, login.device, login.service, login.mechanism, str(login.peer)


def newest_first(logins: Iterable[LoginRecord]) -> tuple[LoginRecord, ...]:
    """By time; those of one moment in an order that does not change."""
    return tuple(sorted(logins, key=lambda login: (-login.at, str(login.account), *way_of(login)[1:])))


def within_bounds(logins: Iterable[LoginRecord]) -> tuple[LoginRecord, ...]:
    """Those of the newest KEPT_PEERS peers, the newest first."""
    peers: dict[tuple[Address, str, str, str], int] = {}
    kept = []
    for login in newest_first(logins):
        group = way_of(login)[:4]
        peers[group] = peers.get(group, 0) + 1
        if peers[group] <= KEPT_PEERS:
            kept.append(login)
    return tuple(kept)


def young_enough(logins: Iterable[LoginRecord], now: float) -> tuple[LoginRecord, ...]:
    """Without those that are too old, the newest first."""
    kept = newest_first(login for login in logins if login.at >= now - KEPT_LAST_SECONDS)
    last = {(login.account, login.device): login for login in reversed(kept)}
    return tuple(
        login
        for login in kept
        if login.at >= now - KEPT_SECONDS or login is last[login.account, login.device]
    )


def last_of_each_device(logins: Iterable[LoginRecord]) -> dict[str, LoginRecord]:
    """The newest login by each device of one account."""
    return {login.device: login for login in reversed(newest_first(logins))}


def is_forgotten(login: LoginRecord, account: Address, device: str | None) -> bool:
    """Whether forget() with these means this login."""
    return login.account == account and device in (None, login.device)


@implementer(ILogins)
@attrs.define(eq=False)
class MemoryLogins:
    """Forgets everything with the process. Tests make it fail by ``refuse_with``."""

    refuse_with: MailFailure | None = None
    _logins: dict[Way, LoginRecord] = attrs.field(factory=dict, init=False)

    async def record(self, login: LoginRecord) -> None:
        self._refuse()
        self._logins[way_of(login)] = login
        kept = young_enough(within_bounds(self._logins.values()), login.at)
        self._logins = {way_of(each): each for each in kept}

    async def since(self, at: float) -> tuple[LoginRecord, ...]:
        self._refuse()
        return newest_first(login for login in self._logins.values() if login.at >= at)

    async def of(self, account: Address) -> tuple[LoginRecord, ...]:
        self._refuse()
        return newest_first(login for login in self._logins.values() if login.account == account)

    async def last_uses(self, account: Address) -> dict[str, LoginRecord]:
        self._refuse()
        return last_of_each_device(login for login in self._logins.values() if login.account == account)

    async def forget(self, account: Address, device: str | None = None) -> None:
        self._refuse()
        self._logins = {
            way: login for way, login in self._logins.items() if not is_forgotten(login, account, device)
        }

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
