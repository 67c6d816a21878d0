"""Carries one lease to where it leads, and says what became of each recipient."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.config.queue import RetryTimes
from mailsuite.interfaces import IOutboundQueue
from mailsuite.model import reply as replies
from mailsuite.model.failure import MailFailure
from mailsuite.model.outbound import Fate, Lease, Outcome, QueuedRecipient, fate_of
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.relay.content import Content
from mailsuite.relay.fitting import Fitting
from mailsuite.relay.home import Home
from mailsuite.relay.opening import MAX_SESSIONS, Opener
from mailsuite.relay.pool import Pool
from mailsuite.relay.routes import Hop, Routes, Way
from mailsuite.relay.schedule import longest_rest
from mailsuite.relay.session import RelaySession
from mailsuite.relay.tls import Level, TlsPolicy
from mailsuite.relay.transmission import Transmission
from mailsuite.wire.smtp.client.letter import Letter

MAX_AT_HOME = 20
"""Messages of ours that are delivered out of the queue at a time: the store takes them together."""


@attrs.define(eq=False)
class Attempt:
    """What came of one lease, as far as it has come."""

    outcomes: dict[int, Outcome] = attrs.field(factory=dict)
    """By the recipients' numbers; who is not in it was not tried."""
    unreachable: Outcome | None = None
    """Why the destination as a whole could not be talked to; None: it could."""
    is_our_trouble: bool = False
    """It ended for what is wrong here, and says nothing about the destination."""
    tls: str = ""
    in_doubt: bool = False
    """It may have arrived though the answer has not (RFC 1047)."""


@attrs.define(eq=False)
class Carrier:
    """Lives as long as the server; ``routes`` are replaced at a reload."""

    queue: IOutboundQueue
    opener: Opener
    pool: Pool
    home: Home
    routes: Routes
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log

    def bounds(self, destination: str) -> tuple[int, float]:
        """How many messages may be on their way there at a time, and for how many seconds it may rest."""
        hop = self.routes.hop(destination)
        if hop is None:
            return MAX_AT_HOME, longest_rest(self.routes.usual_times)
        return hop.per_destination, longest_rest(hop.times)

    def times(self, destination: str) -> RetryTimes:
        """When its mail is tried again, and given up."""
        hop = self.routes.hop(destination)
        return self.routes.usual_times if hop is None else hop.times

    async def carry(self, lease: Lease) -> Attempt | None:
        """Try it once. None: the way is another one by now, and the queue has to be asked again.

        However early it ends, the answer has what somebody has taken by then: nobody is to get that again.
        Raises CancelledError alone, and only where nothing came of it.
        """
        attempt = Attempt()
        try:
            async with Content(self.queue, lease.message) as content:
                is_known = await self._carry(lease, content, attempt)
                return attempt if is_known else None
        except CancelledError:
            if not attempt.outcomes:
                raise
            return attempt
        except MailFailure as failure:
            self.log.error("relay.unread", id=lease.message.id, reason=failure.reason)
        except Exception:
            self.log.failure("relay.failed", Failure(), id=lease.message.id)
        attempt.is_our_trouble = True
        attempt.outcomes = {**self.all(lease, Fate.DEFERRED, replies.INTERNAL_ERROR), **attempt.outcomes}
        return attempt

    async def _carry(self, lease: Lease, content: Content, attempt: Attempt) -> bool:
        """Whether there is a way."""
        ours = await self.home.ours(lease)
        hop = self.routes.hop(lease.destination)
        if ours:
            await self.home.bring(lease.message, ours, content, attempt.outcomes)
        elif hop is None or not self._is_for(lease):
            return False
        elif hop.way is Way.DISCARD:
            attempt.outcomes = self.all(lease, Fate.DELIVERED, replies.DISCARDED)
        elif hop.reply is not None:
            attempt.outcomes = self.all(lease, fate_of(hop.reply, Fate.DELIVERED), hop.reply)
        else:
            await _Delivery(self, lease, hop, content, attempt).run()
        return True

    def _is_for(self, lease: Lease) -> bool:
        """Whether its recipients go that way still: after a reload another one may have its name."""
        sender, ways = lease.message.sender, self.routes
        names = {ways.destination_of(sender, each.recipient.address) for each in lease.recipients}
        return names == {lease.destination}

    def all(self, lease: Lease, fate: Fate, reply: Reply) -> dict[int, Outcome]:
        """The same for each recipient."""
        outcome = Outcome(fate, reply, at=self.seconds())
        return {each.number: outcome for each in lease.recipients}


@attrs.define(eq=False)
class _Delivery:
    """One lease to a server, or to the next one where the first does not take all of it."""

    carrier: Carrier
    lease: Lease
    hop: Hop
    content: Content
    attempt: Attempt
    _lacking: Reply | None = attrs.field(default=None, init=False)
    """Why it could not go by the last session, though it may by another one."""
    _fitting: Fitting = attrs.field(init=False)

    @_fitting.default
    def _as_it_is(self) -> Fitting:
        return Fitting(self.content, self.carrier.opener.threads, self.carrier.log)

    async def run(self) -> None:
        carrier, outcomes = self.carrier, self.attempt.outcomes
        source = carrier.routes.source(self.lease.message.sender)
        policy = self._policy()
        key = (self.hop, source, policy)
        letter = await self._letter()
        kept = carrier.pool.take(key)
        if kept is not None and await self._by(kept, letter, self.lease.recipients, key):
            outcomes.clear()  # the session had ended meanwhile: that was no attempt
        opening = carrier.opener.begin(self.hop, source, policy)
        met = sessions = 0
        while (left := self._left()) and sessions < MAX_SESSIONS and not self.attempt.in_doubt:
            session = await opening.next()
            if session is None:
                break
            await self._by(session, letter, left, key)
            met += 1
            sessions += self._lacking is None
        if outcomes:  # whoever has none is tried again: that another host let nobody in says nothing
            return
        if opening.troubles:
            self.attempt.unreachable = opening.verdict if not met else None
            outcomes.update((each.number, opening.verdict) for each in self.lease.recipients)
        else:
            reply = self._lacking or replies.NEXT_HOP_FULL
            outcomes.update(carrier.all(self.lease, fate_of(reply, Fate.RELAYED), reply))

    def _left(self) -> list[QueuedRecipient]:
        """Whom another server may still take."""
        over = {number for number, each in self.attempt.outcomes.items() if each.fate is not Fate.DEFERRED}
        return [each for each in self.lease.recipients if each.number not in over]

    async def _by(
        self, session: RelaySession, letter: Letter, recipients: Iterable[QueuedRecipient], key: object
    ) -> bool:
        """Send it by one session. True: the session came to its end before the server had said anything."""
        transmission = Transmission(session, self.hop.protocol == "lmtp", self.carrier.seconds())
        self.attempt.tls = session.tls
        try:
            await transmission.send(*await self._fitting.of(letter, session), recipients)
        except BaseException:
            transmission.break_off()
            session.abort()  # where the final dot is not said, nobody takes half a message
            raise
        finally:
            self.attempt.outcomes.update(transmission.outcomes)
            self.attempt.in_doubt = transmission.in_doubt
            self._lacking = transmission.lacking
        self.carrier.pool.give(key, session)
        return transmission.broken is not None and not transmission.heard

    def _policy(self) -> TlsPolicy:
        if self.lease.message.parameters.require_tls:
            return self.hop.tls.requiring(Level.VERIFY)
        return self.hop.tls

    async def _letter(self) -> Letter:
        message, said = self.lease.message, self.lease.message.parameters
        return Letter(
            message.sender,
            tuple(each.recipient for each in self.lease.recipients),
            said,
            message.size,
            await self.content.body_type(said.body),
            await self.content.has_utf8_header(),
        )
