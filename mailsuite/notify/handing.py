"""Hands one notice to one target, bounded in time, and says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.failure import MailFailure
from mailsuite.model.notice import Notice
from mailsuite.model.subscription import Subscription
from mailsuite.notify.endings import Ending, Outcome, ending_of
from mailsuite.notify.outgoing.destinations import Destinations, End
from mailsuite.observe.log import Log

TELL_WITHIN: Final = 90.0
"""Seconds: a channel that needs longer breaks its word."""


class Meter(Protocol):
    """Counts; observe/metrics.py's NoticeMeter."""

    def ended(self, channel: str, result: str) -> None:
        """A try ended so."""

    def told(self, channel: str, seconds: float) -> None:
        """A notice was handed over so long after the newest that it tells of had happened."""


@attrs.define(eq=False)
class Handing:
    """The one place where channels are asked to tell."""

    destinations: Destinations
    clock: IReactorTime
    now: Callable[[], float]
    """Seconds since the epoch."""
    log: Log
    meter: Meter | None = None
    freed: Callable[[str], None] = lambda key: None
    """Is told of each destination for which a try is over."""

    async def hand(self, channel: INotifyChannel, subscription: Subscription, notice: Notice) -> Ending:
        """One try. Leave of the destination has been given, and ends with it. Raises CancelledError alone."""
        key, end, began = subscription.target_key, End.UNKNOWN, self.clock.seconds()
        try:
            ending = await self._ending(channel, subscription, notice)
            end = ending.of_destination
        finally:
            self.destinations.ended(key, end)
            self.freed(key)
        self.log.debug(
            "notify.told",
            subscription=subscription.id,
            account=subscription.account,
            channel=subscription.channel,
            host=key,
            kind=notice.kind.value,
            seq=notice.seq,
            count=notice.count,
            outcome=ending.outcome.value,
            result=ending.result,
            ms=round((self.clock.seconds() - began) * 1000),
        )
        if self.meter is not None:
            self.meter.ended(subscription.channel, ending.outcome.value)
            if ending.outcome is Outcome.OK:
                self.meter.told(subscription.channel, max(0.0, self.now() - notice.at))
        return ending

    async def _ending(self, channel: INotifyChannel, subscription: Subscription, notice: Notice) -> Ending:
        try:
            telling = Deferred.fromCoroutine(channel.tell(subscription, notice))
            telling.addTimeout(TELL_WITHIN, self.clock)
            return Ending(Outcome.OK, code=await telling)
        except CancelledError:
            raise
        except MailFailure as failure:
            return ending_of(failure)
        except TimedOut:
            return Ending(Outcome.FAILED, "timed-out")
        except Exception as failure:
            self.log.failure(
                "notify.failed", Failure(), subscription=subscription.id, channel=subscription.channel
            )
            return ending_of(failure)
