"""How long mail stays, and how soon one may come again: what a POP3 client is told (RFC 2449 section 6)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs

from mailsuite.accounts.attempt import LoginRules
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.retention import DAY, Retention, Terms
from mailsuite.model.view import Box


def retention_of(account: Account, rules: LoginRules) -> Retention:
    """How long the mail of an account stays: by its own word, its domain's, or the listener's."""
    if account.retention is not None:
        return account.retention
    return rules.retention_of(account.address.domain)


def left_to_housekeeping(retention: Retention) -> Retention:
    """What of it is done from time to time: what goes at the QUIT of the session that retrieved it does not
    go because another mail program has shown it; but it stays no longer than what nobody has read."""
    return attrs.evolve(retention, read=retention.unread) if retention.read == 0 else retention


@attrs.define(eq=False)
class Stays:
    """How long housekeeping lets the mail of an account stay, by the rules of the moment."""

    rules: LoginRules
    """What ``[pop3]`` and the domains say; replaced at a reload."""

    def __call__(self, account: Account) -> Retention:
        return left_to_housekeeping(retention_of(account, self.rules))


def terms_of(account: Account, rules: LoginRules, box: Box = Box.INBOX) -> Terms:
    """What holds for a session of this account. Of deleted mail nothing is removed because it was retrieved,
    and nobody waits for it."""
    if box is not Box.INBOX:
        return Terms(tells_expire=False, tops_count=box is Box.RESTORE)
    delay = rules.login_delay_of(account.address.domain)
    return Terms(_days(retention_of(account, rules)), math.ceil(delay))


def announced(rules: LoginRules, own: Iterable[Retention] = ()) -> tuple[Terms, bool]:
    """What is told before the login, and whether that may be another afterwards.

    Where it varies, the shortest stay and the longest delay of any user (RFC 2449 sections 6.5 and 6.7).
    *own* are the retentions that single accounts have.
    """
    stays = {_days(each) for each in (rules.retention, *rules.domain_retention.values(), *own)}
    delays = {math.ceil(each) for each in (rules.login_delay, *rules.domain_login_delay.values())}
    shortest = min((days for days in stays if days is not None), default=None)
    return Terms(shortest, max(delays)), len(stays) > 1 or len(delays) > 1


@attrs.define(eq=False)
class OwnRetentions:
    """What single accounts say, so that announced() can be asked for each session without the directory."""

    distinct: frozenset[Retention] = attrs.field(default=frozenset(), init=False)
    """Each once; the same object as long as nothing changes."""
    _kept: dict[Address, Retention] = attrs.field(factory=dict, init=False)

    def learn(self, accounts: Iterable[Account]) -> None:
        """These are all that there are."""
        self._kept = {each.address: each.retention for each in accounts if each.retention is not None}
        self._look()

    def note(self, account: Account) -> None:
        """This one was changed."""
        if account.retention is None:
            self.forget(account.address)
        elif self._kept.get(account.address) != account.retention:
            self._kept[account.address] = account.retention
            self._look()

    def forget(self, address: Address) -> None:
        """This one was removed."""
        if self._kept.pop(address, None) is not None:
            self._look()

    def _look(self) -> None:
        self.distinct = frozenset(self._kept.values())


def _days(retention: Retention) -> int | None:
    """Whole days that any message stays at least. No retention is shorter than a day but the one that ends at
    QUIT, which alone is 0."""
    least = retention.least
    return max(int(least // DAY), 1) if least else None if least is None else 0
