"""What is done from time to time: mail that has stayed long enough goes, and deleted mail for good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IAccountDirectory, IMailStore
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import MailFailure
from mailsuite.model.retention import Retention, Usage
from mailsuite.observe.log import Log

FIRST_ROUND = 60.0
"""Seconds after the start, or after a change; by then those who waited for it are served."""
INTERVAL = 3600.0
"""Seconds between the end of a round and the next. A stay is counted in days."""


@attrs.define(eq=False)
class Housekeeper:
    """Goes over all accounts, one after the other, at most half of the time: after each it rests for as long
    as that took. What goes wrong with one is logged and stops no other; the next round tries again.
    """

    directory: IAccountDirectory
    store: IMailStore
    devices: Callable[[Address], Awaitable[Sequence[Device]]]
    """All that an account has; raises TemporaryFailure where one may be missing: what an answer leaves out is
    gone, and so is what it had hidden."""
    retention: Callable[[Account], Retention]
    keep_deleted: Callable[[], float]
    """Seconds."""
    clock: IReactorTime
    now: Callable[[], float]
    """Seconds since the epoch."""
    log: Log
    _next: IDelayedCall | None = attrs.field(default=None, init=False)
    _again_soon: bool = attrs.field(default=False, init=False)
    """Something changed during the round that is under way."""
    _tasks: Tasks = attrs.field(init=False)

    @_tasks.default
    def _make_tasks(self) -> Tasks:
        return Tasks(lambda failure: self.log.failure("retention.failed", failure))

    def start(self) -> None:
        """The first round comes soon, and others after it until stop()."""
        self._next = self.clock.callLater(FIRST_ROUND, self._begin)

    def soon(self) -> None:
        """Accounts and devices are others now: the next round does not wait for its hour."""
        if self._next is None:
            self._again_soon = True
        elif self._next.getTime() > self.clock.seconds() + FIRST_ROUND:
            self._next.reset(FIRST_ROUND)

    async def stop(self) -> None:
        """Return when nothing is under way any more. A maildrop that is being worked on is finished."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._tasks.cancel()
        await self._tasks.finished()

    async def report(self, ahead: float = 0.0) -> tuple[tuple[Address, Usage], ...]:
        """What a round would remove from inboxes if it came *ahead* seconds from now; nothing is changed.

        Only accounts of which something would go. Raises TemporaryFailure where it cannot be told.
        """
        found = []
        for account in await self.directory.accounts():
            retention = self.retention(account)
            usage = await self.store.expire(account.address, retention, self.now() + ahead, rehearse=True)
            if usage.messages:
                found.append((account.address, usage))
        return tuple(found)

    def _begin(self) -> None:
        self._next, self._again_soon = None, False
        self._tasks.start(self._rounds())

    async def _rounds(self) -> None:
        try:
            await self.round()
        except CancelledError:
            return  # by stop(): no other comes
        except Exception:
            self.log.failure("retention.failed", Failure())
        self._next = self.clock.callLater(FIRST_ROUND if self._again_soon else INTERVAL, self._begin)

    async def round(self) -> None:
        """Once for all accounts, and for the deleted mail of those that are no more."""
        try:
            addresses = dict.fromkeys(account.address for account in await self.directory.accounts())
            addresses |= dict.fromkeys(await self.store.maildrops())
        except MailFailure as failure:
            self.log.warning("retention.unable", reason=failure.reason)
            return
        for address in addresses:
            began = self.clock.seconds()
            await self._care(address)
            if (took := self.clock.seconds() - began) > 0:
                await deferLater(self.clock, took)

    async def _care(self, address: Address) -> None:
        """By what the account says now: a round may take hours, and meanwhile it was changed or removed. The
        mail of one that is gone stays, but what was deleted of it is not for whoever has the address next."""
        try:
            account = await self.directory.account(address)
            if account is not None:
                await self._put_views_right(address)
                await self._expire(account)
            await self._purge(address)
        except CancelledError:
            raise
        except MailFailure as failure:
            self.log.warning("retention.unable", account=address, reason=failure.reason)
        except Exception:
            self.log.failure("retention.failed", Failure(), account=address)

    async def _put_views_right(self, address: Address) -> None:
        """What was missed when devices came and went: those that were never here count too, and those that
        were removed, or have no view of their own any more, hold nothing."""
        kept = await self.store.views(address)  # read first: who comes in between has a device, and stays
        own = {device.id: device for device in await self.devices(address) if device.view}
        for id, device in own.items():
            if id not in kept and not device.has_expired(self.now()):
                await self.store.enroll_view(address, id)
                self.log.info("view.enrolled", account=address, device=id)
        for id in kept:
            if id not in own:
                await self.store.forget_view(address, id)
                self.log.info("view.forgotten", account=address, device=id)

    async def _expire(self, account: Account) -> None:
        removed = await self.store.expire(account.address, self.retention(account), self.now())
        if removed.messages:
            self.log.info(
                "retention.expired",
                account=account.address,
                messages=removed.messages,
                octets=removed.octets,
            )

    async def _purge(self, address: Address) -> None:
        purged = await self.store.purge(address, self.now() - self.keep_deleted())
        if purged:
            self.log.info("retention.purged", account=address, messages=purged)
