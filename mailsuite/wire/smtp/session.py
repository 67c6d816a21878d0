"""The server's side of one SMTP connection (RFC 5321), without a socket.

Feed octets with receive(), take events with next_event() until it answers None, give reply() where one is
wanted, send bytes_to_send(). While a reply is wanted nothing further is parsed, so pipelined commands
(RFC 2920) are answered in order whatever the service waits for. No input raises an exception.

What stands where: lines in commands.py and paths.py, which command is allowed when in state.py, AUTH in
auth.py, the body of a message in body.py. This module only moves between them.

A command line ends with CR LF. One that LF alone has ended is refused, and so is what follows, up to the
next CR LF: for whoever takes only CR LF for an end it is the same line, and no part of it may run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from mailsuite.model import reply as replies
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import Reply
from mailsuite.wire.buffer import START_OCTETS, LineBuffer, Overlong
from mailsuite.wire.sasl.steps import MAX_LINE_OCTETS, ScramParameters
from mailsuite.wire.smtp.auth import Admitted, AuthDialogue, Outcome
from mailsuite.wire.smtp.body import BodyScanner
from mailsuite.wire.smtp.budget import Budget
from mailsuite.wire.smtp.commands import (
    MAX_COMMAND_OCTETS,
    Command,
    longest,
    parse_hello,
    parse_line,
    parse_mail,
    parse_recipient,
    verb_of,
)
from mailsuite.wire.smtp.events import (
    FOREIGN_PROTOCOL,
    OVERSIZE_COMMAND,
    PIPELINED_DATA,
    STARTTLS_INJECTION,
    Ask,
    Authenticate,
    BodyChunk,
    BodyEnd,
    DataStart,
    Event,
    Hello,
    Mail,
    Quit,
    Recipient,
    Reset,
    StartTls,
    Violation,
)
from mailsuite.wire.smtp.state import SessionSettings, State, Transaction

__all__ = ["ServerSession", "SessionSettings"]

MESSAGE_FOLLOWS = ("DATA", "BDAT")
"""Behind BDAT (RFC 3030), which we do not offer, a client sends octets without waiting for an answer."""


class ServerSession:
    """One connection, from start() to ``closing``."""

    def __init__(
        self, settings: SessionSettings, tls_active: bool = False, bindings: Mapping[str, bytes] = {}
    ) -> None:
        """*bindings*: channel bindings of a connection that TLS is active on."""
        self.settings = settings
        self.closing = False
        """The connection ends once the octets to send are gone. Events not taken yet still count."""
        self._state = State(settings, tls_active, bindings)
        self._budget = Budget()
        self._input = LineBuffer(MAX_LINE_OCTETS)
        self._output = bytearray()
        self._events: deque[Event] = deque()
        self._answer: Callable[[Reply], None] | None = None
        """What to do with the reply that is wanted."""
        self._login = AuthDialogue()
        self._signature = b""
        """What a ScramClaim was answered by."""
        self._body: BodyScanner | None = None
        self._piece = b""
        """Octets of the body that stand before those in ``_input``: spared the way through the buffer."""
        self._line_broken = False
        self._tls_awaited = False
        self._draining = False

    # For the shell

    def start(self) -> None:
        """Queue the greeting."""
        self._send(replies.greeting(self.settings.hostname, self.settings.banner))

    def receive(self, data: bytes) -> None:
        """Take octets from the client. They are kept until they are parsed, so stop reading the socket
        while ``waiting_for_reply``, or soon."""
        if self.closing:
            return
        if self._tls_awaited:
            self._violate(
                STARTTLS_INJECTION, "octets in clear after STARTTLS was answered", replies.OUT_OF_STEP
            )
        elif self._body is not None and not self._piece and not len(self._input):
            self._piece = data
        else:
            self._input.feed(data)

    def next_event(self) -> Event | None:
        """The next event; None where more input, a reply, or TLS is waited for."""
        while not self._events and self._step():
            pass
        return self._events.popleft() if self._events else None

    def reply(self, reply: Reply) -> None:
        """Answer the event that wants it. Where the session is closing meanwhile nothing happens."""
        if self.closing:
            return
        answer, self._answer = self._answer, None
        if answer is None:
            raise RuntimeError("a reply came that no event had asked for")
        answer(reply)
        self._stop_if_draining()

    def authenticated(self, reply: Reply, signature: bytes = b"") -> None:
        """To Authenticate: 235, 535 or 454; *signature* is what a ScramClaim that is true was answered by.

        Where the mechanism has last words, the client gets *reply*, and is logged in, when it has accepted
        them; one that does not is disconnected.
        """
        self._signature = signature
        self.reply(reply)

    def scram_parameters(self, parameters: ScramParameters) -> None:
        """To Ask."""
        if self.closing:
            return
        if self._answer != self._question_refused:
            raise RuntimeError("parameters came that no event had asked for")
        self._answer = None
        self._take_outcome(self._login.answer(parameters))
        self._stop_if_draining()

    def bytes_to_send(self) -> bytes:
        """Take what is to be sent now."""
        data = bytes(self._output)
        self._output.clear()
        return data

    @property
    def waiting_for_reply(self) -> bool:
        return self._answer is not None

    @property
    def in_body(self) -> bool:
        """Between 354 and the end of the message."""
        return self._body is not None

    @property
    def in_transaction(self) -> bool:
        """From an accepted MAIL to the end of the message, or a reset."""
        return self._state.transaction.open

    def tls_started(self, bindings: Mapping[str, bytes] = {}) -> None:
        """TLS is up after StartTls: what was learnt before is forgotten (RFC 3207 section 4.2)."""
        self._tls_awaited = False
        self._state.tls_started(bindings)
        self._stop_if_draining()

    def drain(self) -> None:
        """Say 421 and close, at once between two commands; else after the answer, or the message, that is
        under way."""
        self._draining = True
        self._stop_if_draining()

    def timed_out(self) -> None:
        """Say 421 and close at once, whatever is under way."""
        self._finish(replies.TIMED_OUT)

    # From octets to commands

    def _step(self) -> bool:
        """Work on the next piece of input. False where there is none or something is waited for."""
        if self.closing or self._answer is not None or self._tls_awaited:
            return False
        if self._body is not None:
            return self._scan(self._body)
        line = self._input.next_line()
        if self.settings.overlong == "close" and not self._login.active and self._is_oversize(line):
            self._end_upon(line)
            return True
        if line is None:
            return False
        broken = self._line_broken
        self._line_broken = not (line.crlf if isinstance(line, Overlong) else line.endswith(b"\r\n"))
        if self._login.active:
            self._take_outcome(self._login.proceed(line))
        elif broken:
            self._send(replies.BROKEN_LINE_END)
        elif isinstance(line, Overlong):
            is_auth = line.start[:5].upper() == b"AUTH "
            self._send(replies.EXCHANGE_TOO_LONG if is_auth else replies.COMMAND_TOO_LONG)
        else:
            self._carry_out(line)
        return True

    def _extent(self, line: bytes | Overlong | None) -> tuple[int, bytes]:
        """How long a line is so far, its end come or not, and its first octets."""
        if line is None:
            return self._input.unfinished
        if isinstance(line, Overlong):
            return line.octets, line.start
        return len(line), line[:START_OCTETS]

    def _is_oversize(self, line: bytes | Overlong | None) -> bool:
        """Whether this is a command that no honest client sends (row S-I04): too long, and none of those that
        extensions make longer."""
        octets, start = self._extent(line)
        return octets > MAX_COMMAND_OCTETS >= longest(verb_of(start))

    def _end_upon(self, line: bytes | Overlong | None) -> None:
        octets, start = self._extent(line)
        shown = start if verb_of(start) in _COMMANDS else b""  # else it may be the response of a refused AUTH
        self._events.append(Violation(OVERSIZE_COMMAND, "a command beyond 512 octets", octets, shown))
        self._finish(replies.COMMAND_TOO_LONG)

    def _carry_out(self, line: bytes) -> None:
        verb = ""
        try:
            command = parse_line(line)
            verb = command.verb
            self._budget.command(verb)
            refusal = self._state.refusal(command)
            if refusal is not None:
                raise PermanentFailure(refusal)
            _COMMANDS[verb](self, command)
        except PermanentFailure as failure:
            self._refuse(verb, failure.reply)

    def _refuse(self, verb: str, reply: Reply) -> None:
        if reply is replies.FOREIGN_PROTOCOL:
            self._violate(FOREIGN_PROTOCOL, "a verb of HTTP", reply)
            return
        self._send(reply)
        if verb in MESSAGE_FOLLOWS and len(self._input):
            # What stands behind may be a message, and a message is not to be run as commands.
            self._violate(PIPELINED_DATA, f"input behind a {verb} that was refused", replies.OUT_OF_STEP)

    # From commands to events

    def _hello(self, command: Command) -> None:
        name = parse_hello(command.argument)
        state = self._state
        state.greeted, state.extended = True, command.verb == "EHLO"
        self._reset()
        self._events.append(Hello(name, state.extended))
        self._send(replies.hello(self.settings.hostname, *(state.extensions() if state.extended else ())))

    def _mail(self, command: Command) -> None:
        mail = parse_mail(command.argument, self._state.mail_parameters())
        size = mail.parameters.size
        if size is not None and size > self.settings.max_message:
            raise PermanentFailure(replies.MESSAGE_TOO_BIG)
        self._ask(Mail(mail.sender, mail.parameters), self._mail_answered)

    def _mail_answered(self, reply: Reply) -> None:
        self._state.transaction.open = reply.is_positive
        self._send(reply)

    def _recipient(self, command: Command) -> None:
        address = parse_recipient(command.argument)
        transaction = self._state.transaction
        transaction.tried += 1
        if transaction.accepted >= self.settings.max_recipients:
            self._budget.surplus_recipient()
            self._send(replies.TOO_MANY_RECIPIENTS)
        else:
            self._ask(Recipient(address), self._recipient_answered)

    def _recipient_answered(self, reply: Reply) -> None:
        self._state.transaction.accepted += reply.is_positive
        self._send(reply)

    def _data(self, command: Command) -> None:
        self._ask(DataStart(), self._data_answered)

    def _data_answered(self, reply: Reply) -> None:
        if reply.code == replies.START_MAIL_INPUT.code:
            self._body = BodyScanner(self.settings.max_message, self.settings.max_line)
            self._send(reply)
        else:
            self._refuse("DATA", reply)

    def _rset(self, command: Command) -> None:
        self._reset()
        self._send(replies.OK)

    def _quit(self, command: Command) -> None:
        self._finish(replies.CLOSING)
        self._events.append(Quit())

    def _starttls(self, command: Command) -> None:
        if len(self._input):
            self._violate(STARTTLS_INJECTION, "input in clear behind STARTTLS", replies.OUT_OF_STEP)
            return
        self._tls_awaited = True
        self._send(replies.TLS_READY)
        self._events.append(StartTls())

    # Authentication

    def _auth(self, command: Command) -> None:
        self._take_outcome(self._login.start(command.argument, self._state))

    def _take_outcome(self, outcome: Outcome) -> None:
        match outcome:
            case Reply():
                self._send(outcome)
            case Authenticate():
                self._ask(outcome, self._authenticate_answered)
            case Ask():
                self._ask(outcome, self._question_refused)
            case Admitted():
                self._state.authenticated = True
                self._send(outcome.reply)
            case _:  # Declined
                self._finish(replies.EXCHANGE_CANCELLED)

    def _authenticate_answered(self, reply: Reply) -> None:
        self._take_outcome(self._login.conclude(reply, self._signature))

    def _question_refused(self, reply: Reply) -> None:
        self._login.stop()
        self._send(reply)

    # The message

    def _scan(self, body: BodyScanner) -> bool:
        data, self._piece = self._piece or self._input.take_all(), b""
        if not data:
            return False
        chunk = body.scan(data)
        if chunk:
            self._events.append(BodyChunk(chunk))
        if body.ended:
            self._end_body(body)
        return True

    def _end_body(self, body: BodyScanner) -> None:
        behind = self._input.take_all()
        self._input.feed(body.rest)
        self._input.feed(behind)
        self._body, self._state.transaction = None, Transaction()
        defect = body.defect
        self._ask(
            BodyEnd(body.size, defect, body.dot_lines), lambda reply: self._body_answered(defect, reply)
        )

    def _body_answered(self, defect: Reply | None, reply: Reply) -> None:
        if defect is not None and reply.is_positive:
            reply = defect  # whoever forgot it: a broken message is never accepted
        if reply.is_positive:
            self._budget.message_accepted()
        self._send(reply)

    # Shared steps

    def _reset(self) -> None:
        """End the transaction, if there is one."""
        if self._state.transaction.open:
            self._state.transaction = Transaction()
            self._events.append(Reset())

    def _ask(self, event: Event, answer: Callable[[Reply], None]) -> None:
        self._events.append(event)
        self._answer = answer

    def _send(self, reply: Reply) -> None:
        """Send a reply; if it was one too many, or the service wants it so, it is the last."""
        if reply.closes:
            self._finish(reply)
            return
        self._output += reply.encode()
        self._budget.answer(reply)
        exhausted = self._budget.exhausted()
        if exhausted is not None:
            violation, last = exhausted
            self._violate(violation.kind, violation.detail, last)

    def _violate(self, kind: str, detail: str, reply: Reply) -> None:
        self._events.append(Violation(kind, detail))
        self._finish(reply)

    def _finish(self, reply: Reply) -> None:
        """Say the last word and close. After the 220 to STARTTLS there is nothing that could be said."""
        if self.closing:
            return
        if not self._tls_awaited:
            self._output += reply.encode()
        self.closing = True
        self._answer = self._body = None
        self._login.stop()
        self._piece = b""
        self._input.clear()
        self._reset()

    def _stop_if_draining(self) -> None:
        if self._draining and not (self.waiting_for_reply or self.in_body or self._tls_awaited):
            self._finish(replies.STOPPING)


_COMMANDS: Mapping[str, Callable[[ServerSession, Command], None]] = {
    "EHLO": ServerSession._hello,
    "HELO": ServerSession._hello,
    "MAIL": ServerSession._mail,
    "RCPT": ServerSession._recipient,
    "DATA": ServerSession._data,
    "RSET": ServerSession._rset,
    "NOOP": lambda session, command: session._send(replies.OK),
    "VRFY": lambda session, command: session._send(replies.CANNOT_VERIFY),
    "HELP": lambda session, command: session._send(replies.HELP),
    "QUIT": ServerSession._quit,
    "STARTTLS": ServerSession._starttls,
    "AUTH": ServerSession._auth,
}
