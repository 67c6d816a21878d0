"""Keeps the books: what an attempt means for each recipient, when the next one is, who is to hear of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf

import attrs

from mailsuite.config.queue import RetryTimes
from mailsuite.delivery.dsn_decision import notices_owed
from mailsuite.interfaces import IOutboundQueue
from mailsuite.model.outbound import Fate, Lease, Outcome, QueuedRecipient
from mailsuite.observe.log import Log
from mailsuite.relay.carrier import Attempt
from mailsuite.relay.schedule import born, is_over, next_try


@attrs.define(eq=False)
class Clerk:
    """Records attempts. Lives as long as the server."""

    queue: IOutboundQueue
    times_of: Callable[[str], RetryTimes]
    """By destination, those in force."""
    seconds: Callable[[], float]
    """Since the epoch."""
    random: Callable[[], float]
    log: Log
    owed: Callable[[], None]
    """Is called when there are notices to write. Raises nothing."""
    fates: Counter[Fate] = attrs.field(factory=Counter, init=False)
    """How often attempts came to each, counted by recipients."""

    async def record(self, lease: Lease, attempt: Attempt, no_later: float = inf) -> None:
        """Record what came of a lease; what waits is tried again at *no_later* at the latest. Fails as the
        queue does; then the lease comes to its end by itself."""
        now, times = self.seconds(), self.times_of(lease.destination)
        over = is_over(times, lease.message, now)
        outcomes = {number: _last(each) if over else each for number, each in attempt.outcomes.items()}
        recipients = {each.number: each for each in lease.recipients}
        owed = notices_owed(lease.message, recipients, outcomes, now, times.warn)
        due = now
        if any(each.fate is Fate.DEFERRED for each in outcomes.values()):
            tries = max(each.tries for each in lease.recipients) + 1
            due = next_try(times, lease.message, tries, now, random=self.random, no_later=no_later)
        held = await self.queue.record(lease, outcomes, due, owed)
        for number, outcome in outcomes.items():
            self._write(lease, recipients[number], outcome, attempt, due)
        if attempt.in_doubt:
            self.log.warning("relay.in_doubt", id=lease.message.id, destination=lease.destination)
        if not held:
            self.log.warning("relay.lease_lost", id=lease.message.id, destination=lease.destination)
        elif owed:
            self.owed()

    def _write(
        self, lease: Lease, recipient: QueuedRecipient, outcome: Outcome, attempt: Attempt, due: float
    ) -> None:
        self.fates[outcome.fate] += 1
        now = self.seconds()
        event = {
            Fate.DELIVERED: "relay.delivered",
            Fate.RELAYED: "relay.sent",
            Fate.DEFERRED: "relay.deferred",
            Fate.FAILED: "relay.given_up",
        }[outcome.fate]
        waits = {"again_in": round(due - now)} if outcome.fate is Fate.DEFERRED else {}
        self.log.info(
            event,
            id=lease.message.id,
            recipient=recipient.recipient.address,
            host=outcome.host,
            tls=attempt.tls,
            code=outcome.reply.code,
            enhanced=outcome.reply.enhanced,
            reply=" ".join(outcome.reply.text)[:200],
            tries=recipient.tries + 1,
            seconds=round(now - born(lease.message), 3),
            **waits,
        )


def _last(outcome: Outcome) -> Outcome:
    """There is no other attempt: what would have waited has failed, by the words of this one."""
    return attrs.evolve(outcome, fate=Fate.FAILED) if outcome.fate is Fate.DEFERRED else outcome
