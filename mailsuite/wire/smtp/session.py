"""The server's side of one SMTP connection (RFC 5321), without a socket.

Feed octets with receive(), take events with next_event() until it answers None, give reply() where one is
wanted, send bytes_to_send(). While a reply is wanted nothing further is parsed, so pipelined commands
(RFC 2920) are answered in order whatever the service waits for. No input raises an exception.

What stands where: lines in commands.py and paths.py, which command is allowed when in state.py, AUTH in
login.py, a mail transaction in transfer.py, what came in intake.py, what goes out in exchange.py. This module
only moves between them.

A command line ends with CR LF. One that LF alone has ended is refused, and so is what follows, up to the
next CR LF: for whoever takes only CR LF for an end it is the same line, and no part of it may run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mailsuite.model import reply as replies
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import Reply
from mailsuite.wire.buffer import Overlong
from mailsuite.wire.sasl.steps import ScramParameters
from mailsuite.wire.smtp.budget import Budget
from mailsuite.wire.smtp.commands import Command, check_verify, parse_hello, parse_line, too_long, verb_of
from mailsuite.wire.smtp.events import (
    EARLY_TALKER,
    FOREIGN_PROTOCOL,
    INPUT_FLOOD,
    OVERSIZE_COMMAND,
    STARTTLS_INJECTION,
    Event,
    Hello,
    Quit,
    StartTls,
)
from mailsuite.wire.smtp.exchange import Exchange
from mailsuite.wire.smtp.intake import Intake
from mailsuite.wire.smtp.login import Login
from mailsuite.wire.smtp.settings import SessionSettings
from mailsuite.wire.smtp.state import State
from mailsuite.wire.smtp.transfer import Transfer

__all__ = ["ServerSession", "SessionSettings"]

MAX_WAITING_INPUT = 1 << 20
"""Octets that may wait for an answer. The shell stops to read long before; its TLS may hand over more."""


class ServerSession:
    """One connection, from start() to ``closing``."""

    def __init__(
        self, settings: SessionSettings, tls_active: bool = False, bindings: Mapping[str, bytes] = {}
    ) -> None:
        """*bindings*: channel bindings of a connection that TLS is active on."""
        self.settings = settings
        self._state = State(settings, tls_active, bindings)
        self._intake = Intake()
        self._exchange = Exchange(
            Budget(soft=settings.soft_errors, hard=settings.hard_errors, delay=settings.error_delay)
        )
        self._exchange.on_end = self._ended
        self._login = Login(self._state, self._exchange)
        self._transfer = Transfer(self._state, self._exchange, self._intake)
        self._draining = False

    # For the shell

    def start(self) -> None:
        """Queue the greeting."""
        self._exchange.send(replies.greeting(self.settings.hostname, self.settings.banner))

    def too_early(self) -> None:
        """Instead of start(): the client has spoken before the greeting, as no honest one does (RFC 5321
        section 3.1). What it said was not handed over, and is not answered."""
        self._exchange.violate(EARLY_TALKER, "input before the greeting", replies.TOO_EARLY)

    def receive(self, data: bytes) -> None:
        """Take octets from the client. They are kept until they are parsed, so stop reading the socket
        while ``waiting_for_reply``, or soon: beyond MAX_WAITING_INPUT it is the end."""
        exchange = self._exchange
        if exchange.closing:
            return
        if exchange.tls_awaited:
            exchange.violate(
                STARTTLS_INJECTION, "octets in clear after STARTTLS was answered", replies.OUT_OF_STEP
            )
        elif exchange.waiting and len(self._intake) + len(data) > MAX_WAITING_INPUT:
            exchange.violate(INPUT_FLOOD, "too much input before a reply", replies.OUT_OF_STEP)
        else:
            self._intake.receive(data, self._transfer.takes_octets)

    def next_event(self) -> Event | None:
        """The next event; None where more input, a reply, or TLS is waited for."""
        events = self._exchange.events
        while not events and self._step():
            self._stop_if_draining()
        return events.popleft() if events else None

    def reply(self, reply: Reply) -> None:
        """Answer the event that wants it. Where the session is closing meanwhile nothing happens."""
        if self.closing:
            return
        self._exchange.take_answer()(reply)
        self._stop_if_draining()

    def reply_each(self, answers: Sequence[Reply]) -> None:
        """To BodyEnd, in LMTP: one reply for each accepted recipient, in their order."""
        if self.closing:
            return
        self._transfer.reply_each(answers)
        self._stop_if_draining()

    def resumed(self) -> None:
        """To Pause: the time is over. Where the session is closing meanwhile nothing happens."""
        if self.closing:
            return
        self._exchange.resumed()
        self._transfer.resumed()
        self._stop_if_draining()

    def authenticated(self, reply: Reply, signature: bytes = b"") -> None:
        """To Authenticate: 235, 535 or 454; *signature* is what a ScramClaim that is true was answered by.

        Where the mechanism has last words, the client gets *reply*, and is logged in, when it has accepted
        them; one that does not is disconnected.
        """
        self._login.signature = signature
        self.reply(reply)

    def limit_message(self, octets: int) -> None:
        """From here to the beginning of TLS no message may be larger, whatever the settings say; the next
        EHLO advertises it (RFC 1870). More than they allow changes nothing."""
        self._state.max_message = min(octets, self.settings.max_message)

    def scram_parameters(self, parameters: ScramParameters) -> None:
        """To Ask."""
        if self.closing:
            return
        self._login.parameters(parameters)
        self._stop_if_draining()

    def bytes_to_send(self) -> bytes:
        """Take what is to be sent now."""
        return self._exchange.bytes_to_send()

    @property
    def closing(self) -> bool:
        """The connection ends once the octets to send are gone. Events not taken yet still count."""
        return self._exchange.closing

    @property
    def waiting_for_reply(self) -> bool:
        return self._exchange.waiting

    @property
    def in_body(self) -> bool:
        """From 354, or the first chunk, to the end of the message."""
        return self._transfer.in_body

    @property
    def in_transaction(self) -> bool:
        """From an accepted MAIL to the end of the message, or a reset."""
        return self._state.transaction.open

    def tls_started(self, bindings: Mapping[str, bytes] = {}) -> None:
        """TLS is up after StartTls: what was learnt before is forgotten (RFC 3207 section 4.2)."""
        self._exchange.tls_awaited = False
        self._state.tls_started(bindings)
        self._stop_if_draining()

    def drain(self) -> None:
        """Say 421 and close, at once between two commands; else after the answer, or the message, that is
        under way."""
        self._draining = True
        self._stop_if_draining()

    def timed_out(self) -> None:
        """Say 421 and close at once, whatever is under way."""
        self._exchange.finish(replies.TIMED_OUT)

    # From octets to commands

    def _step(self) -> bool:
        """Work on the next piece of input. False where there is none or something is waited for."""
        exchange = self._exchange
        if exchange.closing or exchange.waiting or exchange.tls_awaited:
            return False
        if self._transfer.takes_octets:
            return self._transfer.scan()
        if not len(self._intake):
            return False
        line, in_login = self._intake.next_line(), self._login.active
        if not in_login and self._intake.is_tls(line):
            detail = "a TLS handshake where none was agreed upon"
            exchange.violate(FOREIGN_PROTOCOL, detail, replies.FOREIGN_PROTOCOL)
            return True
        if not in_login and self.settings.overlong == "close" and self._intake.is_oversize(line):
            self._end_upon(line)
            return True
        if line is None:
            return False
        if in_login:
            self._login.proceed(line)
            return True
        verb = verb_of(line.start if isinstance(line, Overlong) else line.rstrip(b" \t\r\n"))
        if self._intake.continued:
            # Who takes LF for an end has sent a command here, and what belongs to it is not to run either.
            self._refuse(verb, replies.BROKEN_LINE_END)
        elif isinstance(line, Overlong):
            self._refuse(verb, too_long(verb))
        else:
            self._carry_out(verb, line)
        return True

    def _end_upon(self, line: bytes | Overlong | None) -> None:
        octets, start = self._intake.extent(line)
        shown = start if verb_of(start) in _COMMANDS else b""  # else it may be the response of a refused AUTH
        self._exchange.violate(
            OVERSIZE_COMMAND, "a command beyond 512 octets", replies.COMMAND_TOO_LONG, octets, shown
        )

    def _carry_out(self, verb: str, line: bytes) -> None:
        try:
            command = parse_line(line)
            self._exchange.budget.command(verb)
            refusal = self._state.refusal(command)
            if verb == "BDAT":
                self._transfer.chunk(command, refusal)
                return
            if refusal is not None:
                raise PermanentFailure(refusal)
            _COMMANDS[verb](self, command)
        except PermanentFailure as failure:
            self._refuse(verb, failure.reply)

    def _refuse(self, verb: str, reply: Reply) -> None:
        if reply is replies.FOREIGN_PROTOCOL:
            self._exchange.violate(FOREIGN_PROTOCOL, "a verb of HTTP", reply)
        else:
            self._transfer.refuse(verb, reply)

    # Commands

    def _hello(self, command: Command) -> None:
        name = parse_hello(command.argument)
        state = self._state
        offers = state.greet(extended=command.verb != "HELO")
        self._transfer.reset()
        self._exchange.tell(Hello(name, state.extended))
        lines = (f"{keyword} {value}".rstrip() for keyword, value in offers.items())
        self._exchange.send(replies.hello(self.settings.hostname, *lines))

    def _verify(self, command: Command) -> None:
        check_verify(command.argument, self._state.offered)
        self._exchange.send(replies.CANNOT_VERIFY)

    def _help(self, command: Command) -> None:
        lmtp = self.settings.protocol == "lmtp"
        self._exchange.send(replies.LMTP_HELP if lmtp else replies.HELP)

    def _rset(self, command: Command) -> None:
        self._transfer.reset()
        self._exchange.send(replies.OK)

    def _quit(self, command: Command) -> None:
        self._exchange.finish(replies.CLOSING)
        self._exchange.tell(Quit())

    def _starttls(self, command: Command) -> None:
        if len(self._intake):
            self._exchange.violate(STARTTLS_INJECTION, "input in clear behind STARTTLS", replies.OUT_OF_STEP)
            return
        self._exchange.send(replies.TLS_READY)
        self._exchange.tls_awaited = True
        self._exchange.tell(StartTls())

    # The end

    def _ended(self) -> None:
        self._login.stop()
        self._intake.clear()
        self._transfer.reset()

    def _stop_if_draining(self) -> None:
        if self._draining and not (self.waiting_for_reply or self.in_body or self._exchange.tls_awaited):
            self._exchange.finish(replies.STOPPING)


_COMMANDS: Mapping[str, Callable[[ServerSession, Command], None]] = {
    "EHLO": ServerSession._hello,
    "HELO": ServerSession._hello,
    "LHLO": ServerSession._hello,
    "MAIL": lambda session, command: session._transfer.mail(command),
    "RCPT": lambda session, command: session._transfer.recipient(command),
    "DATA": lambda session, command: session._transfer.data(command),
    "RSET": ServerSession._rset,
    "NOOP": lambda session, command: session._exchange.send(replies.OK),
    "VRFY": ServerSession._verify,
    "HELP": ServerSession._help,
    "QUIT": ServerSession._quit,
    "STARTTLS": ServerSession._starttls,
    "AUTH": lambda session, command: session._login.start(command),
}
