"""Tells the owner of a maildrop that it gets full: once, at 80 and at 95 percent (features row L-07)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import attrs
from twisted.internet.defer import DeferredLock
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.quota_ledger import Standing
from mailsuite.delivery.quota_letter import Letterhead, letter
from mailsuite.interfaces import IMailStore
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.message import Stored
from mailsuite.model.quota import QuotaReached
from mailsuite.observe.log import Log


def new_id() -> str:
    """An id that no other letter has, an RFC 5322 atom."""
    return f"quota-{secrets.token_hex(8)}"


@attrs.define(eq=False)
class QuotaWarnings:
    """Delivers a letter, whatever the quota says, and tells of it.

    What was warned of is noted durably before the letter: after a crash between the two there is none, and
    never a second one. Where the letter cannot be delivered the note is taken back: the next message that
    comes, or is refused, makes us try again.
    """

    store: IMailStore
    hostname: str
    seconds: Callable[[], float]
    """Since the epoch."""
    tasks: Tasks
    """Owns what is under way; it outlives the sessions."""
    log: Log
    tell: Callable[[Stored, QuotaReached], None]
    """Is told of the letter, and of what it is about."""
    rejects: Callable[[], bool] = lambda: False
    """Whether mail for a full maildrop is refused for good."""
    new_id: Callable[[], str] = new_id
    _turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)
    """Held by whoever changes a note. Letters are rare: one at a time is enough."""
    _due: dict[Address, int] = attrs.field(factory=dict, init=False)
    """Levels that somebody is about to warn of: a flood of messages starts one coroutine."""
    _falling: set[Address] = attrs.field(factory=set, init=False)
    """Whose note somebody is about to change, likewise."""

    def fallen(self, standing: Standing) -> None:
        if standing.account not in self._falling:
            self._falling.add(standing.account)
            self._start(standing, self._forget)

    def reached(self, standing: Standing) -> None:
        level = standing.level
        if level > max(standing.warned, self._due.get(standing.account, 0)):
            self._due[standing.account] = level
            self._start(standing, self._warn)

    def _start(self, standing: Standing, work: Callable[[Standing], Awaitable[None]]) -> None:
        self.tasks.start(self._in_turn(standing, work))

    async def _in_turn(self, standing: Standing, work: Callable[[Standing], Awaitable[None]]) -> None:
        await self._turn.acquire()
        try:
            await work(standing)
        except MailFailure as failure:
            self.log.warning("quota.unable", account=standing.account, reason=failure.reason)
        except Exception:
            self.log.failure("quota.failed", Failure(), account=standing.account)
        finally:
            self._turn.release()

    async def _forget(self, standing: Standing) -> None:
        try:
            if standing.level < await self.store.warned(standing.account):
                await self.store.note_warned(standing.account, standing.level)
        finally:
            self._falling.discard(standing.account)

    async def _warn(self, standing: Standing) -> None:
        account, level = standing.account, standing.level
        try:
            before = await self.store.warned(account)
            if before >= level:
                return
            await self.store.note_warned(account, level)
            try:
                stored = await self._deliver(standing)
            except BaseException:
                await self.store.note_warned(account, before)
                raise
        finally:
            if self._due.get(account) == level:
                del self._due[account]
        self.log.info(
            "quota.warned",
            account=account,
            level=level,
            messages=standing.usage.messages,
            octets=standing.usage.octets,
        )
        self.tell(stored, QuotaReached(account, level, standing.usage, standing.quota))

    async def _deliver(self, standing: Standing) -> Stored:
        head = Letterhead(self.hostname, self.new_id(), self.seconds(), self.rejects())
        delivery = self.store.begin(standing.account)
        delivery.write(letter(standing, standing.level, head))
        stored: Stored
        (stored,) = await self.store.deliver([delivery])
        return stored
