"""One message through one session: what each recipient's fate is, and what was left undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from mailsuite.model.envelope import OutboundRecipient
from mailsuite.model.outbound import Fate, Outcome, QueuedRecipient, fate_of
from mailsuite.model.reply import NEXT_HOP_SLOW, Reply
from mailsuite.relay.fitting import Readable
from mailsuite.relay.session import RelaySession
from mailsuite.wire.smtp.client.events import (
    Closing,
    Done,
    Event,
    GoAhead,
    Lost,
    MessageReply,
    NobodyLeft,
    NotTried,
    RecipientReply,
    SenderRefused,
    Violation,
)
from mailsuite.wire.smtp.client.letter import CannotSend, Lack, Letter

_OF_THE_SESSION = {Lack.ROOM, Lack.REQUIRE_TLS}
"""What another session may have: TLS for the rest of the way each host of a domain is asked for (RFC 8689
section 4.2.1)."""
_WANTS_TLS = 530
"""RFC 3207 section 4."""


@attrs.define(eq=False)
class Transmission:
    """Sends one lease; ``outcomes`` grow as the server answers. Recipients that have none at the end were not
    tried: this session takes no more of them."""

    session: RelaySession
    lmtp: bool
    now: float
    """Seconds since the epoch: when the outcomes are said to be."""
    outcomes: dict[int, Outcome] = attrs.field(factory=dict, init=False)
    in_doubt: bool = attrs.field(default=False, init=False)
    """The message went out whole and had no answer: it may arrive twice (RFC 1047)."""
    heard: bool = attrs.field(default=False, init=False)
    """The server has answered anything at all."""
    broken: Reply | None = attrs.field(default=None, init=False)
    """How the session came to its end, where it did."""
    lacking: Reply | None = attrs.field(default=None, init=False)
    """Why nothing could go by this session, though by another one it may."""
    _numbers: tuple[int, ...] = attrs.field(default=(), init=False)
    """Of the recipients of the letter under way, in the queue's count."""

    async def send(self, letter: Letter, content: Readable, recipients: Iterable[QueuedRecipient]) -> None:
        """Send *letter* to those *recipients*, as often as it takes for as many as the server lets."""
        left = {each.number: each.recipient for each in recipients}
        while left and self.broken is None:
            before = len(left)
            await self._once(letter, left, content)
            left = {number: each for number, each in left.items() if number not in self.outcomes}
            if len(left) == before or not self.session.usable:
                return

    async def _once(self, letter: Letter, left: Mapping[int, OutboundRecipient], content: Readable) -> None:
        self._numbers = tuple(left)
        letter = attrs.evolve(letter, recipients=tuple(left.values()))
        self.session.begin_message(letter.size)
        obstacle = self.session.core.send(letter)
        if obstacle is not None:
            self._cannot(obstacle)
            return
        while not isinstance(event := await self.session.next_event(), (Done, NobodyLeft)):
            if isinstance(event, GoAhead):
                await self._write(content)
            elif self._ended(event):
                return

    def break_off(self) -> None:
        """Nobody waits any more. Where the message is out whole, it may arrive all the same."""
        if self.session.core.in_doubt:
            self.in_doubt = True
            self._settle(range(len(self._numbers)), NEXT_HOP_SLOW, ours=True)

    def _ended(self, event: Event) -> bool:
        """Take note of what the server said; True: there will be nothing more."""
        self.heard = self.heard or not isinstance(event, Lost)
        match event:
            case SenderRefused(reply):
                self._settle(range(len(self._numbers)), reply)
            case RecipientReply(number, reply) if not reply.is_positive:
                self._settle((number,), reply)
            case MessageReply(numbers, reply):
                self._settle(numbers, reply)
            case NotTried():
                pass
            case Closing(reply) | Violation(reply=reply) | Lost(reply=reply):
                self.broken = reply
                self.in_doubt = self.session.core.in_doubt and not isinstance(event, Closing)
                self._settle(range(len(self._numbers)), reply, ours=not isinstance(event, Closing))
                return True
        return False

    async def _write(self, content: Readable) -> None:
        core = self.session.core
        content.rewind()
        while piece := await content.read():
            core.body(piece)
            self.session.flush()
            await self.session.writable()
            if core.ended:
                return
        core.end_body()

    def _cannot(self, obstacle: CannotSend) -> None:
        if obstacle.lack in _OF_THE_SESSION:
            self.lacking = obstacle.reply
        else:
            self._settle(obstacle.recipients, obstacle.reply, ours=True)

    def _settle(self, places: Iterable[int], reply: Reply, ours: bool = False) -> None:
        """Those whose fate is not known have it now."""
        for place in places:
            number = self._numbers[place]
            if number not in self.outcomes:
                self.outcomes[number] = self._outcome(reply, ours)

    def _outcome(self, reply: Reply, ours: bool) -> Outcome:
        core = self.session.core
        if reply.code == _WANTS_TLS and core.extensions.starttls and not core.tls_active:
            reply = reply.for_now()  # TLS has failed there lately, and is tried again
        fate = fate_of(reply, Fate.DELIVERED if self.lmtp else Fate.RELAYED)
        passed_on = fate is Fate.RELAYED and core.extensions.dsn
        return Outcome(fate, reply, "" if ours else self.session.host, self.now, passed_on)
