"""A mail transaction in a session: MAIL, RCPT, DATA, and the octets of the message (RFC 5321 section 3.3)."""

from __future__ import annotations

import attrs

from mailsuite.model import reply as replies
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.body import BodyScanner
from mailsuite.wire.smtp.commands import Command, parse_mail, parse_recipient
from mailsuite.wire.smtp.events import (
    PIPELINED_DATA,
    BodyChunk,
    BodyEnd,
    DataStart,
    Mail,
    Reset,
)
from mailsuite.wire.smtp.exchange import Exchange
from mailsuite.wire.smtp.intake import Intake
from mailsuite.wire.smtp.state import State, Transaction

MESSAGE_FOLLOWS = ("DATA", "BDAT")
"""Behind BDAT (RFC 3030), which we do not offer, a client sends octets without waiting for an answer."""


@attrs.define(eq=False)
class Transfer:
    """Takes the commands of a transaction, and the message when it comes."""

    _state: State
    _exchange: Exchange
    _intake: Intake
    _body: BodyScanner | None = attrs.field(default=None, init=False)

    @property
    def in_body(self) -> bool:
        """Between 354 and the end of the message."""
        return self._body is not None

    def mail(self, command: Command) -> None:
        """MAIL, where it is allowed."""
        state = self._state
        mail = parse_mail(command.argument, state.offered, state.settings.bare_paths)
        size = mail.parameters.size
        if size is not None and size > state.settings.max_message:
            raise PermanentFailure(replies.MESSAGE_TOO_BIG)
        self._exchange.ask(mail, lambda reply: self._mail_answered(mail, reply))

    def _mail_answered(self, mail: Mail, reply: Reply) -> None:
        if reply.is_positive:
            self._state.mails += 1
            self._state.transaction = Transaction(True, parameters=mail.parameters)
        self._exchange.send(reply)

    def recipient(self, command: Command) -> None:
        """RCPT, where it is allowed."""
        state, transaction = self._state, self._state.transaction
        utf8 = transaction.parameters.smtputf8
        recipient = parse_recipient(command.argument, state.offered, utf8, state.settings.bare_paths)
        transaction.tried += 1
        if transaction.accepted >= state.settings.max_recipients:
            self._exchange.budget.surplus_recipient()
            self._exchange.send(replies.TOO_MANY_RECIPIENTS)
        else:
            self._exchange.ask(recipient, self._recipient_answered)

    def _recipient_answered(self, reply: Reply) -> None:
        self._state.transaction.accepted += reply.is_positive
        self._exchange.send(reply)

    def data(self, command: Command) -> None:
        """DATA, where it is allowed."""
        self._exchange.ask(DataStart(), self._data_answered)

    def _data_answered(self, reply: Reply) -> None:
        if reply.code == replies.START_MAIL_INPUT.code:
            settings = self._state.settings
            self._body = BodyScanner(settings.max_message, settings.max_text_line)
            self._exchange.send(reply)
        else:
            self.refuse("DATA", reply)

    def refuse(self, verb: str, reply: Reply) -> None:
        """Say no to a command. What stands behind may be a message, and is not to be run as commands."""
        self._exchange.send(reply)
        if verb in MESSAGE_FOLLOWS and len(self._intake):
            self._exchange.violate(
                PIPELINED_DATA, f"input behind a {verb} that was refused", replies.OUT_OF_STEP
            )

    def scan(self) -> bool:
        """Work on what there is of the message. False: there is nothing."""
        body, data = self._body, self._intake.take()
        if body is None or not data:
            return False
        chunk = body.scan(data)
        if chunk:
            self._exchange.tell(BodyChunk(chunk))
        if body.ended:
            self._end(body)
        return True

    def _end(self, body: BodyScanner) -> None:
        self._intake.put_back(body.rest)
        self._body, self._state.transaction = None, Transaction()
        defect = body.defect
        self._exchange.ask(
            BodyEnd(body.size, defect, body.dot_lines), lambda reply: self._answered(defect, reply)
        )

    def _answered(self, defect: Reply | None, reply: Reply) -> None:
        if defect is not None and reply.is_positive:
            reply = defect  # whoever forgot it: a broken message is never accepted
        if reply.is_positive:
            self._exchange.budget.message_accepted()
        self._exchange.send(reply)

    def reset(self) -> None:
        """End the transaction, if there is one."""
        self._body = None
        if self._state.transaction.open:
            self._state.transaction = Transaction()
            self._exchange.tell(Reset())
