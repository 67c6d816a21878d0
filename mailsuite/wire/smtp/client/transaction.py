"""One mail transaction: MAIL, RCPT, DATA or BDAT, and what each of them was answered (RFC 5321 section 3.3).

With PIPELINING they go in one go (RFC 2920), DATA with them. By BDAT nothing of the message goes before
the recipients are answered: that costs no round trip, as there is no 354 to wait for, and nothing is sent in
vain.
Without PIPELINING each waits for the answer before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import attrs

from mailsuite.model.envelope import BodyType
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.client.awaited import Awaited
from mailsuite.wire.smtp.client.content import Chunks, Content, DotStuffed, PureLines
from mailsuite.wire.smtp.client.envelope import mail_line, recipient_line, says_utf8
from mailsuite.wire.smtp.client.events import (
    UNFIT_REPLY,
    Done,
    GoAhead,
    MessageReply,
    NobodyLeft,
    NotTried,
    RecipientReply,
    SenderAccepted,
    SenderRefused,
)
from mailsuite.wire.smtp.client.exchange import Answered, Exchange
from mailsuite.wire.smtp.client.extensions import Extensions
from mailsuite.wire.smtp.client.letter import Letter
from mailsuite.wire.smtp.client.replies import Answer
from mailsuite.wire.smtp.client.stages import Stage

_GOES_ON = 3
"""The first digit of 354."""


@attrs.define(eq=False)
class Transaction:
    """A letter that nothing stands in the way of, up to NobodyLeft or Done."""

    _exchange: Exchange
    _letter: Letter
    _extensions: Extensions
    _to_try: deque[int]
    """Recipients whose RCPT was not said, of those that may be tried."""
    _left: list[int]
    """Those that are too many."""
    _pipelined: bool
    _chunked: bool
    """Only with *pipelined*: else there would be a round trip for each chunk."""
    _lmtp: bool
    _sender_taken: bool = attrs.field(default=False, init=False)
    _full: bool = attrs.field(default=False, init=False)
    """The server takes no more recipients."""
    _accepted: list[int] = attrs.field(factory=list, init=False)
    _content: Content = attrs.field(factory=DotStuffed, init=False)
    _unanswered: int = attrs.field(default=0, init=False)
    """Replies to the message that have not come."""

    @property
    def in_doubt(self) -> bool:
        """The message went out whole, and for somebody there is no answer to it."""
        return self._unanswered > 0

    # The envelope

    def begin(self) -> None:
        """Say MAIL, and what may be said behind it."""
        line = mail_line(self._letter, self._extensions)
        self._exchange.say(line, Awaited.MAIL, self._mail_answered)
        if self._pipelined:
            while self._to_try:
                self._say_recipient()
            if not self._chunked:
                self._say_data()

    def _mail_answered(self, answer: Answer) -> None:
        self._sender_taken = not answer.refuses
        self._exchange.tell((SenderAccepted if self._sender_taken else SenderRefused)(answer.reply))
        self._go_on()

    def _say_recipient(self) -> None:
        number = self._to_try.popleft()
        recipient = self._letter.recipients[number]
        line = recipient_line(recipient, self._extensions, says_utf8(self._letter))
        self._exchange.say(line, Awaited.RCPT, lambda answer: self._recipient_answered(number, answer))

    def _recipient_answered(self, number: int, answer: Answer) -> None:
        if self._sender_taken:  # else the answer means nothing, whatever it is
            self._take(number, answer.reply)
        self._go_on()

    def _take(self, number: int, reply: Reply) -> None:
        if self._accepted and _too_many(reply):
            self._full = True
            self._left.append(number)
            return
        if reply.is_positive:
            self._accepted.append(number)
        self._exchange.tell(RecipientReply(number, reply))

    def _go_on(self) -> None:
        """The next command, where nothing else is under way."""
        if self._exchange.awaited is not None:
            return
        if self._to_try and self._sender_taken and not self._full:
            self._say_recipient()
            return
        self._left += self._to_try
        if not self._accepted:
            self._tell_left()
            self._finish(NobodyLeft())
        elif self._chunked:
            binary = self._letter.body is BodyType.BINARY
            self._start_content(Chunks(None if binary else PureLines()))
        else:
            self._say_data()

    def _tell_left(self) -> None:
        if self._left and self._sender_taken:
            self._exchange.tell(NotTried(tuple(self._left)))

    # DATA

    def _say_data(self) -> None:
        self._exchange.say("DATA", Awaited.DATA_START, self._data_answered, (_GOES_ON,))

    def _data_answered(self, answer: Answer) -> None:
        if self._accepted and not answer.refuses:
            self._start_content(DotStuffed())
            return
        self._tell_left()
        if self._accepted:
            self._exchange.tell(MessageReply(tuple(self._accepted), answer.reply))
            self._finish(Done())
        elif answer.refuses:
            self._finish(NobodyLeft())
        else:  # it waits for a message to nobody, so it gets an empty one (RFC 2920 section 3.1)
            self._exchange.put(b".\r\n")
            self._exchange.expect(Awaited.DATA_END, lambda answer: self._finish(NobodyLeft()))

    def _finish(self, event: NobodyLeft | Done) -> None:
        """Free the session of a transaction without a message, and say so."""
        if self._sender_taken:
            self._exchange.say("RSET", Awaited.RESET, lambda answer: self._finished(event, answer))
        else:
            self._exchange.tell(event)

    def _finished(self, event: NobodyLeft | Done, answer: Answer) -> None:
        self._exchange.tell(event)
        if answer.refuses:
            self._exchange.violate(UNFIT_REPLY, "RSET was refused")

    # The message

    def _start_content(self, content: Content) -> None:
        self._content = content
        self._tell_left()
        self._exchange.on_unasked = self._refused_early
        self._exchange.tell(GoAhead())

    def body(self, data: bytes) -> None:
        """The next octets."""
        pieces = self._content.add(data)
        if self._chunked and pieces:
            self._exchange.expect(Awaited.DATA_BLOCK, self._chunk_answered)
        self._exchange.put(*pieces)

    def end_body(self) -> None:
        """There are no more."""
        exchange = self._exchange
        exchange.on_unasked = None
        exchange.stage = Stage.BUSY
        each: Sequence[Sequence[int]] = [(n,) for n in self._accepted] if self._lmtp else [self._accepted]
        self._unanswered = len(each)
        for numbers in each:
            exchange.expect(Awaited.DATA_END, self._answered_for(tuple(numbers)))
        exchange.put(*self._content.finish())

    def _answered_for(self, numbers: tuple[int, ...]) -> Answered:
        def answered(answer: Answer) -> None:
            self._exchange.tell(MessageReply(numbers, answer.reply))
            self._unanswered -= 1
            if not self._unanswered:
                self._exchange.tell(Done())

        return answered

    def _chunk_answered(self, answer: Answer) -> None:
        if answer.refuses:
            self._refused_early(answer)

    def _refused_early(self, answer: Answer) -> None:
        """The server does not want the rest. To tell it the end would be a lie, and to send all would be for
        nothing; so the connection is over."""
        self._exchange.tell(MessageReply(tuple(self._accepted), answer.reply))
        self._exchange.tell(Done())
        self._exchange.stop()


def _too_many(reply: Reply) -> bool:
    """Whether the server refuses all further recipients of this transaction (RFC 5321 section 4.5.3.1.10).

    Where there is no enhanced code 452 means that, but 552 rather that a mailbox is full, as in Postfix.
    """
    if reply.enhanced:
        return reply.code in (452, 552) and reply.enhanced.endswith(".5.3")
    return reply.code == 452
