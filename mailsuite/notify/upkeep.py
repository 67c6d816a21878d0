"""What is done from time to time with what is kept of notices: what is old goes, and what nobody may have any
more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.interfaces import IAccountDirectory, IEventLog, ISubscriptions
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import MailFailure
from mailsuite.model.subscription import OWN_PASSWORD
from mailsuite.notify.book import Book
from mailsuite.observe.log import Log

KEPT_SECONDS: Final = 7 * 86_400.0
"""Of logs, attempts and dead letters; our own limit ..."""
KEPT_ENTRIES: Final = 1000
"""... and of each log the newest. Whoever was away for longer is told that something is missing."""


@attrs.frozen
class Upkeep:
    """One round after the other, each bounded by what there is. What goes wrong is logged, and tried again in
    the next."""

    event_log: IEventLog
    subscriptions: ISubscriptions
    book: Book
    directory: IAccountDirectory
    devices: Callable[[Address], Awaitable[Sequence[Device]]]
    """All that an account has; raises TemporaryFailure where one may be missing: what an answer leaves out is
    gone."""
    now: Callable[[], float]
    """Seconds since the epoch."""
    log: Log

    async def round(self) -> None:
        """Once. Raises nothing but its own cancellation."""
        for work in (self._trim_logs, self._trim_attempts, self._end_orphans):
            try:
                await work()
            except CancelledError:
                raise
            except MailFailure as failure:
                self.log.warning("notify.upkeep_unable", reason=failure.reason)
            except Exception:
                self.log.failure("notify.failed", Failure())

    async def _trim_logs(self) -> None:
        await self.event_log.trim(self.now() - KEPT_SECONDS, KEPT_ENTRIES)

    async def _trim_attempts(self) -> None:
        await self.subscriptions.trim(self.now() - KEPT_SECONDS)

    async def _end_orphans(self) -> None:
        """Whatever a device password made goes with it; this is for what could not be removed then. Those of
        an account that is not there stay: one that stands in a file comes back with its devices."""
        for account in {each.subscription.account for each in self.book.all()}:
            if await self.directory.account(account) is not None:
                await self._end_orphans_of(account)

    async def _end_orphans_of(self, account: Address) -> None:
        made = {each.subscription.device for each in self.book.of(account)} - {OWN_PASSWORD}
        if not made:
            return
        for device in made - {device.id for device in await self.devices(account)}:
            removed = await self.book.remove_of(account, device)
            self.log.info(
                "notify.orphans_removed", account=account, device=device, subscriptions=len(removed)
            )
