"""The NotifyMail that an account asks for by its own setting, for those who look at it: where it goes, how it
went, and a knock by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from mailsuite.interfaces import IAccountDirectory, IKnocker, ILogins, ISightings
from mailsuite.model.account import Account, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.rate import Rate
from mailsuite.model.reply import NO_SUCH_ACCOUNT
from mailsuite.model.subscription import Cursor
from mailsuite.notify.book import Book
from mailsuite.notify.notifier import NotifierSettings
from mailsuite.notify.outgoing.budgets import Budgets
from mailsuite.notify.targets import Target, Untold, choose_target

TRIALS: Final = Rate(6, 60.0)
"""Knocks by hand at one target, two of them at once: as NotifyMail itself (notifications.md section 5)."""
SWITCHED_OFF: Final = "switched off for the server"
NOT_NOW: Final = "not now: it was knocked at so often just before"
FETCHES: Final = "pop3"
"""The service whose logins fetch mail."""


def _never(target: Target) -> float | None:
    """Where nobody is left alone."""
    return None


@attrs.frozen
class KnockState:
    """What can be said of it."""

    enabled: bool
    """For the server."""
    state: NotifyState
    """What the account's own says, or the general one where it says nothing."""
    target: Target | None
    untold: Untold | None
    """Why there is no target."""
    suspended_until: float | None
    """Seconds since the epoch."""
    cursor: Cursor | None
    """None: it was never told of anything."""
    last_login: float | None
    """When its owner came last to fetch mail; seconds since the epoch."""


@attrs.frozen
class Knocked:
    """What came of a knock by hand."""

    target: Target | None
    result: str
    """``sent``, ``answered``, ``refused``, ``timed-out``, or in words why nobody was knocked at."""
    took: float | None = None
    """Seconds; None: there was no knock."""


@attrs.frozen(eq=False)
class OwnKnocks:
    """One for a server. Raises what directory, sightings and logins raise."""

    accounts: IAccountDirectory
    sightings: ISightings
    logins: ILogins
    book: Book
    channel: IKnocker
    settings: Callable[[], NotifierSettings]
    """Those in force."""
    now: Callable[[], float]
    """Seconds since the epoch."""
    left_alone_until: Callable[[Target], float | None] = _never
    """Up to when a target is not knocked at because it failed; None: it is."""
    _trials: Budgets[Target] = attrs.field(init=False)

    @_trials.default
    def _make_trials(self) -> Budgets[Target]:
        return Budgets(TRIALS, 2, self.now)

    async def state(self, address: Address) -> KnockState:
        """Where it goes, and how it went. Raises PermanentFailure(NO_SUCH_ACCOUNT)."""
        account, rules = await self._account(address), self.settings().rules
        chosen = await choose_target(account, rules, self.sightings, self.now())
        target = chosen if isinstance(chosen, Target) else None
        logins = await self.logins.of(address)
        return KnockState(
            enabled=self.settings().enabled,
            state=account.notify.state or rules.default_state,
            target=target,
            untold=chosen if isinstance(chosen, Untold) else None,
            suspended_until=None if target is None else self.left_alone_until(target),
            cursor=self.book.preference(address),
            last_login=next((login.at for login in logins if login.service == FETCHES), None),
        )

    async def knock(self, address: Address) -> Knocked | None:
        """Knock now, also at one that is left alone; None: the account wants no knocks. Raises as state()."""
        account, settings = await self._account(address), self.settings()
        chosen = await choose_target(account, settings.rules, self.sightings, self.now())
        if chosen is Untold.OFF:
            return None
        if not settings.enabled:
            return Knocked(None, SWITCHED_OFF)
        if isinstance(chosen, Untold):
            return Knocked(None, chosen.value)
        if not self._trials.take(chosen):
            return Knocked(chosen, NOT_NOW)
        began = self.now()
        return Knocked(chosen, await self._result(chosen), max(0.0, self.now() - began))

    async def _result(self, target: Target) -> str:
        try:
            return await self.channel.knock(target.address, target.port)
        except PermanentFailure:
            return "refused"
        except TemporaryFailure:
            return "timed-out"

    async def _account(self, address: Address) -> Account:
        account = await self.accounts.account(address)
        if account is None:
            raise PermanentFailure(NO_SUCH_ACCOUNT)
        return account
