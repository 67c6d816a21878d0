"""Where the rest of the server says what happened: into the log, for whoever is followed.

Mail waits for the log, so that a 250 promises the notice, too: file, directory, row, reply, in that order. It
waits a second at most. A log that cannot be written loses notices, and never mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IAccountDirectory, IEventBus, IEventLog, INoticeIntake
from mailsuite.model.address import Address
from mailsuite.model.events import LogGrown
from mailsuite.model.failure import MailFailure
from mailsuite.model.notice import Happening, Kind, Level
from mailsuite.model.subscription import Subscription
from mailsuite.notify.book import Book
from mailsuite.notify.targets import TargetRules, wants_notice
from mailsuite.notify.unfetched import Unfetched
from mailsuite.observe.log import Log

PATIENCE: Final = 1.0
"""Seconds that a message waits for the log; our own limit, a tenth of what users notice at sending."""
MAX_PENDING: Final = 20_000
"""Happenings on their way into the log, about 20 MB; beyond, they are lost."""
LOSSES_TOLD_EVERY: Final = 10.0
"""Seconds from one line about losses to the next: a full disk would fill what is left of it."""


@attrs.frozen
class IntakeSettings:
    """``[notify]``, as far as it says who is followed."""

    enabled: bool = True
    """Off, nobody is."""
    max_level: Level = Level.SUBJECT
    notifymail: TargetRules | None = attrs.field(factory=TargetRules)
    """By which accounts may want to be knocked at; None: none is."""


@implementer(INoticeIntake)
@attrs.define(eq=False)
class Intake:
    """Belongs to the reactor's thread. ``settings`` may be replaced at any time."""

    event_log: IEventLog
    book: Book
    directory: IAccountDirectory
    bus: IEventBus
    clock: IReactorTime
    log: Log
    settings: IntakeSettings = attrs.field(factory=IntakeSettings)
    lost: int = attrs.field(default=0, init=False)
    """Happenings that never came into the log."""
    unfetched: Unfetched = attrs.field(init=False)
    _pending: int = attrs.field(default=0, init=False)
    _is_late: bool = attrs.field(default=False, init=False)
    """Somebody has waited in vain; until the log answers nobody else does."""
    _losses: int = attrs.field(default=0, init=False)
    """Nobody was told of yet."""
    _told: float = attrs.field(default=-LOSSES_TOLD_EVERY, init=False)
    _tasks: Tasks = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.unfetched = Unfetched(self.event_log)
        self._tasks = Tasks(lambda failure: self.log.failure("notify.failed", failure))

    async def followed(self, accounts: Iterable[Address]) -> Mapping[Address, Level]:
        found = {}
        if self.settings.enabled:
            for account in dict.fromkeys(accounts):
                level = await self._level(account)
                if level is not None:
                    found[account] = level
        return found

    async def happened(self, happenings: Sequence[Happening]) -> None:
        followed = await self.followed(each.account for each in happenings)
        kept = [each for each in happenings if each.account in followed]
        if not kept:
            return
        if self._pending + len(kept) > MAX_PENDING:
            self._lose(len(kept), "too many wait for it")
            return
        written: Deferred[None] = Deferred()
        self._tasks.start(self._write(kept, written))
        if written.called or self._is_late:
            return
        late = self.clock.callLater(PATIENCE, self._late, written)
        try:
            await written
        finally:
            if late.active():
                late.cancel()

    async def erase(self, account: Address, device: str | None = None) -> None:
        """What this device of the account made follows it no more; None: nobody does, and nobody can read
        what happened to it, for whoever has the address next is somebody else. Fails as log and book do."""
        await self.book.remove_of(account, device)
        if device is None:
            await self.event_log.erase(account)
            self.unfetched.forget(account)

    async def stop(self) -> None:
        """Return when all that was begun is in the log, or lost."""
        await self._tasks.finished()
        self._tell_losses("the server ends")

    # Who is followed

    async def _level(self, account: Address) -> Level | None:
        """None: nobody follows it. Where the directory cannot say, somebody may: a row too many harms
        nobody."""
        follows = self.book.follows(account)
        rules = self.settings.notifymail
        if not follows and rules is None:
            return None
        cap = self.settings.max_level
        try:
            if not follows and not (rules and await self._is_knocked_at(account, rules)):
                return None
            domain = await self.directory.domain(account.domain)
        except MailFailure as failure:
            self.log.warning("notify.lookup_failed", account=account, detail=failure.reason)
        else:
            if domain is not None and not domain.notify:
                return None
            if domain is not None and domain.notify_max_level is not None:
                cap = min(cap, domain.notify_max_level)
        wishes = (_level_of(each.subscription, cap) for each in self.book.of(account))
        return max(wishes, default=Level.KNOCK)

    async def _is_knocked_at(self, address: Address, rules: TargetRules) -> bool:
        account = await self.directory.account(address)
        return account is not None and wants_notice(account, rules)

    # Into the log

    async def _write(self, happenings: list[Happening], written: Deferred[None]) -> None:
        self._pending += len(happenings)
        try:
            await self._append(happenings)
        except MailFailure as failure:
            self._lose(len(happenings), failure.reason)
        except Exception:
            self.log.failure("notify.failed", Failure())
            self._lose(len(happenings), "a mistake of ours")
        finally:
            self._pending -= len(happenings)
            self._is_late = False
            if not written.called:
                written.callback(None)

    async def _append(self, happenings: list[Happening]) -> None:
        """What was cleared may be lost with the power: the message is gone from the screen by then."""
        news = [each for each in happenings if each.kind is not Kind.MAIL_CLEARED]
        fetched = [each for each in happenings if each.kind is Kind.MAIL_CLEARED]
        if fetched:
            fetched = await self.unfetched.cleared(fetched)
        if not news and not fetched:
            return
        entries = await self.event_log.append([*news, *fetched], is_durable=bool(news))
        self.unfetched.appended(entries)
        heads = {entry.happening.account: entry.seq for entry in entries}
        for account, head in heads.items():
            self.bus.publish(LogGrown(account, head))

    def _late(self, written: Deferred[None]) -> None:
        """Whoever waits goes on; the row is written behind that."""
        if not self._is_late:
            self._is_late = True
            self.log.warning("notify.log_slow", pending=self._pending)
        written.callback(None)

    def _lose(self, count: int, reason: str) -> None:
        self.lost += count
        self._losses += count
        if self.clock.seconds() - self._told >= LOSSES_TOLD_EVERY:
            self._tell_losses(reason)

    def _tell_losses(self, reason: str) -> None:
        if self._losses:
            self.log.error("notify.lost", count=self._losses, reason=reason)
            self._losses, self._told = 0, self.clock.seconds()


def _level_of(subscription: Subscription, cap: Level) -> Level:
    """What must be known of a message for this one: what it may be told, and what it asks for."""
    wish, quiet = subscription.filter, subscription.quiet
    asks = wish.senders or wish.lists or wish.subjects or (quiet is not None and quiet.breakthrough)
    level = min(subscription.level, cap)
    return max(level, Level.SENDER) if asks else level
