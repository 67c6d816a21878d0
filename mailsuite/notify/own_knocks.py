"""The NotifyMail that an account asks for by its own setting, for those who look at it: where it goes, how it
went, and a knock by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from mailsuite.interfaces import IAccountDirectory, ILogins, ISightings
from mailsuite.model.account import Account, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import NO_SUCH_ACCOUNT
from mailsuite.model.subscription import Cursor, preference_id
from mailsuite.notify.knocks import Claim
from mailsuite.notify.notifier import SWITCHED_OFF, Notifier
from mailsuite.notify.targets import Target, Untold, choose_target

NOT_NOW: Final = "not now: it was knocked at so often just before"
FETCHES: Final = "pop3"
"""The service whose logins fetch mail."""


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
    """``sent``, ``answered``, ``refused``, ``timed-out`` or ``no-route``; or in words why nobody was knocked
    at."""
    took: float | None = None
    """Seconds; None: there was no knock."""


@attrs.frozen(eq=False)
class OwnKnocks:
    """One for a server. Raises what directory, sightings and logins raise."""

    accounts: IAccountDirectory
    sightings: ISightings
    logins: ILogins
    notifier: Notifier
    """Whose budgets and suspensions hold here, too."""
    now: Callable[[], float]
    """Seconds since the epoch."""

    async def state(self, address: Address) -> KnockState:
        """Where it goes, and how it went. Raises PermanentFailure(NO_SUCH_ACCOUNT)."""
        account, settings = await self._account(address), self.notifier.settings
        rules = settings.rules
        chosen = await choose_target(account, rules, self.sightings, self.now())
        target = chosen if isinstance(chosen, Target) else None
        logins = await self.logins.of(address)
        return KnockState(
            enabled=settings.enabled,
            state=account.notify.state or rules.default_state,
            target=target,
            untold=chosen if isinstance(chosen, Untold) else None,
            suspended_until=None if target is None else self._suspended_until(address, target),
            cursor=self.notifier.book.preference(address),
            last_login=next((login.at for login in logins if login.service == FETCHES), None),
        )

    async def knock(self, address: Address) -> Knocked | None:
        """Knock now, also at one that is left alone; None: the account wants no knocks. Raises as state()."""
        account, settings = await self._account(address), self.notifier.settings
        chosen = await choose_target(account, settings.rules, self.sightings, self.now())
        if chosen is Untold.OFF:
            return None
        if not settings.enabled:
            return Knocked(None, SWITCHED_OFF)
        if isinstance(chosen, Untold):
            return Knocked(None, chosen.value)
        knocked = await self.notifier.knock_now(_claim(address), chosen)
        if isinstance(knocked, float):
            return Knocked(chosen, NOT_NOW)
        return Knocked(chosen, knocked.outcome, knocked.took)

    def _suspended_until(self, address: Address, target: Target) -> float | None:
        seconds = self.notifier.suspended_for(_claim(address), target)
        return self.now() + seconds if seconds else None

    async def _account(self, address: Address) -> Account:
        account = await self.accounts.account(address)
        if account is None:
            raise PermanentFailure(NO_SUCH_ACCOUNT)
        return account


def _claim(address: Address) -> Claim:
    return Claim(preference_id(address), address)
