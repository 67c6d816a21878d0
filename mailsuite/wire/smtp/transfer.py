"""A mail transaction in a session: MAIL, RCPT, DATA or BDAT, and the octets of the message (RFC 5321 section
3.3, RFC 3030 section 2, RFC 2033 section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailsuite.model import reply as replies
from mailsuite.model.envelope import BodyType
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.body import BodyScanner
from mailsuite.wire.smtp.chunks import Chunk, ChunkedBinary, ChunkedText, parse_chunk
from mailsuite.wire.smtp.commands import Command, parse_mail, parse_recipient
from mailsuite.wire.smtp.events import (
    PIPELINED_DATA,
    UNREADABLE_CHUNK,
    BodyChunk,
    BodyEnd,
    DataStart,
    Mail,
    Reset,
)
from mailsuite.wire.smtp.exchange import Exchange
from mailsuite.wire.smtp.intake import Intake
from mailsuite.wire.smtp.release import check_release
from mailsuite.wire.smtp.state import State, Transaction
from mailsuite.wire.smtp.text import Text


@attrs.define(eq=False)
class Transfer:
    """Takes the commands of a transaction, and the message when it comes."""

    _state: State
    _exchange: Exchange
    _intake: Intake
    _body: BodyScanner | None = attrs.field(default=None, init=False)
    """The message, after DATA."""
    _chunked: ChunkedText | ChunkedBinary | None = attrs.field(default=None, init=False)
    """The message, from the first BDAT to the last."""
    _chunk: Chunk | None = attrs.field(default=None, init=False)
    """The chunk whose octets come."""
    _failed: bool = attrs.field(default=False, init=False)
    """A chunk was refused: those behind it in the pipeline, up to the last of their message, are no further
    errors."""
    _data_refused: bool = attrs.field(default=False, init=False)
    """And the client has not been told: a message may come that does not know that it is not wanted."""
    _defect: Reply | None = attrs.field(default=None, init=False)
    """Of the message that has ended."""
    _replies: int = attrs.field(default=1, init=False)
    """How many its end is answered by."""

    @property
    def takes_octets(self) -> bool:
        """What comes next is no command."""
        return self._body is not None or self._chunk is not None

    @property
    def in_body(self) -> bool:
        """From 354, or the first chunk, to the end of the message."""
        return self.takes_octets or self._chunked is not None

    # The envelope

    def mail(self, command: Command) -> None:
        """MAIL, where it is allowed."""
        state = self._state
        mail = parse_mail(command.argument, state.offered, state.settings.bare_paths)
        size = mail.parameters.size
        if size is not None and size > state.max_message:
            raise PermanentFailure(replies.MESSAGE_TOO_BIG)
        if mail.parameters.held:
            check_release(mail.parameters, state.settings.seconds(), state.settings.hold_max)
        self._exchange.ask(mail, lambda reply: self._mail_answered(mail, reply))

    def _mail_answered(self, mail: Mail, reply: Reply) -> None:
        if reply.is_positive:
            self._state.mails += 1
            self._state.transaction = Transaction(True, parameters=mail.parameters)
            self._failed = False
        self._exchange.send(reply)

    def recipient(self, command: Command) -> None:
        """RCPT, where it is allowed."""
        state, transaction = self._state, self._state.transaction
        utf8 = transaction.parameters.smtputf8
        recipient = parse_recipient(command.argument, state.offered, utf8, state.settings.bare_paths)
        transaction.tried += 1
        if transaction.accepted >= state.settings.max_recipients:
            self._exchange.send(replies.TOO_MANY_RECIPIENTS)
        else:
            self._exchange.ask(recipient, self._recipient_answered)

    def _recipient_answered(self, reply: Reply) -> None:
        self._state.transaction.accepted += reply.is_positive
        self._exchange.send(reply)

    # DATA

    def data(self, command: Command) -> None:
        """DATA, where it is allowed."""
        self._exchange.ask(DataStart(), self._data_answered)

    def _data_answered(self, reply: Reply) -> None:
        if reply.code == replies.START_MAIL_INPUT.code:
            self._body = BodyScanner(*self._limits())
            self._exchange.send(reply)
        else:
            self.refuse("DATA", reply)

    def refuse(self, verb: str, reply: Reply) -> None:
        """Say no to a command. What stands behind may be a message, and is not to be run as commands."""
        self._exchange.send(reply)
        if verb == "BDAT":  # nobody knows how many octets of it follow
            self._exchange.violate(UNREADABLE_CHUNK, "a BDAT that cannot be read", replies.OUT_OF_STEP)
        elif verb == "DATA":
            self._look_behind()
            self._data_refused = self._exchange.paused

    def resumed(self) -> None:
        """A reply that was held back has gone: more may have come behind what it refused."""
        if self._data_refused:
            self._look_behind()
        self._data_refused = False

    def _look_behind(self) -> None:
        if len(self._intake):
            detail = "input behind a DATA that was refused"
            self._exchange.violate(PIPELINED_DATA, detail, replies.OUT_OF_STEP)

    # BDAT

    def chunk(self, command: Command, refusal: Reply | None) -> None:
        """BDAT. Where there is a *refusal* its octets are taken all the same, and dropped."""
        chunk = self._chunk = parse_chunk(command.argument)
        if refusal is not None:
            chunk.refuse(refusal)
        elif self._chunked is None:
            self._exchange.ask(DataStart(), lambda reply: self._chunks_answered(chunk, reply))

    def _chunks_answered(self, first: Chunk, reply: Reply) -> None:
        if reply.closes:
            self._exchange.send(reply)
        elif reply.code == replies.START_MAIL_INPUT.code:
            self._state.transaction.chunked = True
            binary = self._state.transaction.parameters.body is BodyType.BINARY
            self._chunked = (ChunkedBinary if binary else ChunkedText)(*self._limits())
        else:
            first.refuse(reply)
            self._forget()

    def _limits(self) -> tuple[int, int, bool]:
        settings = self._state.settings
        return self._state.max_message, settings.max_text_line, settings.normalise_newlines

    # The message

    def scan(self) -> bool:
        """Work on what there is of the message. False: there is nothing."""
        if self._chunk is not None:
            return self._scan_chunk(self._chunk)
        body, data = self._body, self._intake.take()
        if body is None or not data:
            return False
        self._hand_out(body.scan(data))
        if body.ended:
            self._intake.put_back(body.rest)
            self._end(body, True)
        return True

    def _scan_chunk(self, chunk: Chunk) -> bool:
        data = self._intake.take(chunk.left) if chunk.left else b""
        if chunk.left and not data:
            return False
        chunk.left -= len(data)
        message = self._chunked
        if not chunk.refused and message is not None:
            self._hand_out(message.scan(data))
            if chunk.last and not chunk.left:
                self._hand_out(message.finish())
        if not chunk.left:
            self._chunk = None
            self._chunk_ended(chunk, message)
        return True

    def _chunk_ended(self, chunk: Chunk, message: Text | None) -> None:
        if chunk.refused:
            if self._failed:
                self._exchange.budget.surplus_command()
            self._exchange.send(chunk.reply, blamed=not self._failed)
            self._failed = not chunk.last  # behind the last one another message begins
        elif message is not None and (chunk.last or message.defect is not None):
            self._failed = not chunk.last
            self._end(message, chunk.last)
        else:
            if not chunk.octets:
                self._exchange.budget.surplus_command()
            self._exchange.send(chunk.reply)

    def _hand_out(self, octets: bytes) -> None:
        if octets:
            self._exchange.tell(BodyChunk(octets))

    def _end(self, message: Text, whole: bool) -> None:
        accepted = self._state.transaction.accepted
        self._replies = accepted if whole and self._state.settings.protocol == "lmtp" else 1
        self._defect = message.defect
        self._body = self._chunked = None
        self._state.transaction = Transaction()
        self._exchange.ask(BodyEnd(message.size, message.defect, message.dot_lines), self._end_answered)

    def _end_answered(self, reply: Reply) -> None:
        self._answer_each((reply,) * self._replies)

    def reply_each(self, answers: Sequence[Reply]) -> None:
        """The answer to BodyEnd, for each recipient. Raises RuntimeError where it is not wanted, or there are
        too few."""
        if not self._exchange.wants(self._end_answered) or len(answers) < self._replies:
            raise RuntimeError("replies came that do not fit the event that asks for them")
        self._exchange.take_answer()
        self._answer_each(answers[: self._replies])

    def _answer_each(self, answers: Sequence[Reply]) -> None:
        if self._defect is not None:  # whoever forgot it: a broken message is never accepted
            answers = tuple(self._defect if reply.is_positive else reply for reply in answers)
        if any(reply.is_positive for reply in answers):
            self._exchange.budget.message_accepted()
        self._exchange.send(*answers)

    # The end of a transaction

    def reset(self) -> None:
        """End the transaction, if there is one."""
        self._chunk, self._failed = None, False
        self._forget()

    def _forget(self) -> None:
        self._body = self._chunked = None
        if self._state.transaction.open:
            self._state.transaction = Transaction()
            self._exchange.tell(Reset())
