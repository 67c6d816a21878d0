"""A POP3 session without a socket: octets in, events out, answers in, octets out.

Feed receive(), take next_event() until it gives None, act on each event, send bytes_to_send(). While an
event waits for its answer the session is paused and reads no further command, so that pipelined commands
are answered in order (RFC 2449 section 6.6). What the frozen list of messages can answer is answered here;
an event leaves only for what needs the world.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailsuite.model import response as say
from mailsuite.model.message import MessageRef
from mailsuite.model.response import AUTH, Response
from mailsuite.wire.buffer import LineBuffer, Overlong
from mailsuite.wire.pop3 import authorization, transaction
from mailsuite.wire.pop3.authorization import Admitted, Authorization
from mailsuite.wire.pop3.commands import Command, Keyword, parse
from mailsuite.wire.pop3.events import (
    Ask,
    Disconnected,
    Event,
    Listing,
    Login,
    Multiline,
    Quit,
    Retrieve,
    StartTls,
    Violation,
)
from mailsuite.wire.pop3.multiline import terminator
from mailsuite.wire.pop3.patience import Patience
from mailsuite.wire.pop3.retrieval import Retrieval
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.pop3.snapshot import Snapshot
from mailsuite.wire.pop3.transaction import Transaction
from mailsuite.wire.pop3.turn import Awaited, OutOfTurn, Question, Turn
from mailsuite.wire.sasl.steps import MAX_LINE_OCTETS, Challenge, ScramParameters

__all__ = [
    "Ask",
    "Disconnected",
    "Event",
    "Login",
    "Multiline",
    "OutOfTurn",
    "Quit",
    "Retrieve",
    "ServerSession",
    "SessionSettings",
    "StartTls",
    "Violation",
]

MAX_WAITING_OUTPUT = 64 * 1024
"""Octets of answers that may wait to be sent before even a short listing leaves as an event: a segment
full of LISTs costs its sender's patience, not our memory."""

_Outcome = Response | Listing | Challenge | Admitted | Disconnected | Question | None
"""What a command leads to; None where it ended the session."""


class ServerSession:
    """One connection's way through AUTHORIZATION, TRANSACTION and UPDATE (RFC 1939 sections 3 to 6).

    Once ``closing``, the session takes no input and ignores answers: send what is left, then close. Only
    a Quit event asks for the removal of messages. Those answers that return octets return all that is to
    be sent by then, in order: bytes_to_send() is empty afterwards.
    """

    def __init__(
        self, settings: SessionSettings, tls_active: bool = False, bindings: Mapping[str, bytes] = {}
    ) -> None:
        """*bindings*: channel bindings of a connection that TLS is active on."""
        self._settings = settings
        self._tls_active = tls_active
        self._input = LineBuffer(settings.max_command)
        self._output: list[bytes] = []
        self._output_octets = 0
        self._event: Event | None = None
        self._turn = Turn()
        self._closing = False
        self._draining = False
        self._patience = Patience(settings.max_bad_commands_before_login)
        self._authorization = Authorization(settings, tls_active, bindings)
        self._transaction: Transaction | None = None
        self._retrieval: Retrieval | None = None

    @property
    def closing(self) -> bool:
        """The connection is to be closed when bytes_to_send() has been sent."""
        return self._closing

    @property
    def waiting(self) -> bool:
        """An event waits for its answer."""
        return self._turn.waiting

    @property
    def logged_in(self) -> bool:
        """The session is, or was at its end, in TRANSACTION or UPDATE."""
        return self._transaction is not None

    # Octets and events

    def start(self) -> None:
        """Greet (RFC 1939 section 4)."""
        self._say(self._settings.greeting)

    def receive(self, data: bytes) -> None:
        """Take what has arrived; next_event() reads it."""
        if self._closing or not data:
            return
        if self._turn.awaited is Awaited.TLS:
            self._end(Violation("plaintext-after-stls"))
            return
        self._input.feed(data)

    def next_event(self) -> Event | None:
        """Read on to the next event. None: more input is needed, or an answer, or the session has ended."""
        while not (self.waiting or self._closing):
            unread = len(self._input)
            line = self._input.next_line()
            if isinstance(line, Overlong) or (line is None and unread > self._input.limit):
                exchanging = self._authorization.exchanging
                kind = "oversize-response" if exchanging else "oversize-command"
                self._end(Violation(kind), say.LINE_TOO_LONG)
            elif line is None:
                break
            else:
                self._take(line)
        event, self._event = self._event, None
        return event

    def bytes_to_send(self) -> bytes:
        """What the client is to be sent next; each octet comes once."""
        data = b"".join(self._output)
        self._output.clear()
        self._output_octets = 0
        return data

    # Answers to events

    def logged_in_as(self, messages: tuple[MessageRef, ...], signature: bytes = b"") -> None:
        """To Login: it is true, the maildrop is locked, and this is in it. *signature* is what a ScramClaim
        was answered by.

        Where the mechanism has last words, TRANSACTION begins when the client has accepted them; a client
        that does not is disconnected (Disconnected), without UPDATE.
        """
        if self._answers(Awaited.LOGIN):
            self._carry(self._authorization.conclude(Admitted(messages), signature))
            self._go_on()

    def scram_parameters(self, parameters: ScramParameters) -> None:
        """To Ask."""
        if self._answers(Awaited.PARAMETERS):
            self._carry(self._authorization.answer(parameters))
            self._go_on()

    def refuse(self, response: Response) -> None:
        """To any event but StartTls and Multiline: no. A Quit that is refused closes, and so do the third
        wrong credentials (code AUTH)."""
        if response.ok:
            raise ValueError(f"no refusal: {response}")
        awaited = self._turn.awaited
        if not self._answers(Awaited.LOGIN, Awaited.PARAMETERS, Awaited.MESSAGE, Awaited.UPDATE):
            return
        if awaited is Awaited.UPDATE:
            self._end(Disconnected("quit"), response)
            return
        if awaited is Awaited.LOGIN and response.code == AUTH:
            self._carry(self._authorization.conclude(response))
        else:
            self._authorization.give_up()
            self._fit_limit()
            self._say(response)
        self._go_on()

    def retrieval_started(self, size: int) -> bytes:
        """To Retrieve: the message is open and has *size* octets in wire form."""
        retrieval = self._retrieval_in(Awaited.MESSAGE)
        if retrieval is None:
            return b""
        self._turn.awaited = Awaited.BODY
        self._say(retrieval.first_line(size))
        return self.bytes_to_send()

    def body_chunk(self, data: bytes) -> bytes:
        """The next octets of the message, as they go out. Look at body_complete before reading more."""
        retrieval = self._retrieval_in(Awaited.BODY)
        return b"" if retrieval is None else retrieval.feed(data)

    @property
    def body_complete(self) -> bool:
        """A TOP has all it asked for: the rest of the message need not be read."""
        return self._retrieval is not None and self._retrieval.complete

    def retrieval_ended(self) -> bytes:
        """All of the message went through body_chunk(), or enough of it."""
        retrieval = self._retrieval_in(Awaited.BODY)
        return b"" if retrieval is None else self._finish_body(retrieval.finish())

    def body_sent(self, ends_with_crlf: bool = True) -> bytes:
        """After retrieval_started() the shell sent the whole message past the session (sendfile): only
        the terminator is missing. Right for a RETR of a message without dot lines, and for nothing else."""
        retrieval = self._retrieval_in(Awaited.BODY)
        if retrieval is None:
            return b""
        if retrieval.needs_feeding:
            raise OutOfTurn("this message must go through body_chunk()")
        return self._finish_body(terminator(ends_with_crlf))

    def retrieval_broken(self) -> None:
        """The message cannot be read to its end. The connection closes: the client must not take what it
        has for a whole message, and no response can be told from a body (features row P-09)."""
        if self._retrieval_in(Awaited.BODY) is not None:
            self._end(Disconnected("broken-message"))

    def multiline_sent(self) -> None:
        """To Multiline: all chunks are on their way."""
        if self._answers(Awaited.LISTING):
            self._go_on()

    def quit_done(self, not_removed: int) -> None:
        """To Quit: the removals are durable, but for so many messages that are still there."""
        if self._answers(Awaited.UPDATE):
            self._end(Disconnected("quit"), say.not_removed(not_removed) if not_removed else say.GOODBYE)

    def tls_started(self, bindings: Mapping[str, bytes] = {}) -> None:
        """To StartTls: the handshake is done; nothing said before it counts (RFC 2595 section 4)."""
        if self._answers(Awaited.TLS):
            self._tls_active = True
            self._authorization.tls_started(bindings)
            self._patience.forget()
            self._go_on()

    # From outside

    def drain(self) -> None:
        """The service stops: take leave at the next command boundary, remove nothing."""
        self._draining = True
        if not self.waiting:
            self._go_on()

    def timed_out(self) -> None:
        """Close without a response and without UPDATE (RFC 1939 section 3)."""
        if not self._closing:
            self._end(Disconnected("time-out"))

    # Commands

    def _take(self, line: bytes) -> None:
        if self._authorization.exchanging:
            outcome: _Outcome = self._authorization.respond(line.removesuffix(b"\n").removesuffix(b"\r"))
        else:
            command = parse(line)
            outcome = command if isinstance(command, Response) else self._obey(command)
        self._carry(outcome)

    def _obey(self, command: Command) -> _Outcome:
        keyword, arguments = command.keyword, command.arguments
        if keyword is Keyword.CAPA:
            capabilities = self._authorization.capabilities(self.logged_in)
            return Listing.of_words(say.CAPABILITIES_FOLLOW, capabilities)
        if keyword is Keyword.QUIT:
            return self._quit()
        if self._transaction is not None:
            message_command = transaction.COMMANDS.get(keyword)
            return message_command(self._transaction, arguments) if message_command else say.NOT_AFTER_LOGIN
        if keyword is Keyword.STLS:
            return self._stls()
        login_command = authorization.COMMANDS.get(keyword)
        return login_command(self._authorization, arguments) if login_command else say.NOT_BEFORE_LOGIN

    def _quit(self) -> Quit | None:
        """UPDATE is entered from TRANSACTION alone (RFC 1939 section 6)."""
        if self._transaction is not None:
            return Quit(self._transaction.snapshot.marked)
        self._end(Disconnected("quit"), say.GOODBYE)
        return None

    def _stls(self) -> Response | StartTls | None:
        """RFC 2595 section 4. Whatever came in clear behind STLS was put there by somebody else."""
        if self._tls_active:
            return say.TLS_ALREADY
        if not self._settings.tls_available:
            return say.TLS_NOT_OFFERED
        if len(self._input):
            self._end(Violation("plaintext-after-stls"))
            return None
        self._say(say.TLS_BEGINS)
        return StartTls()

    # What a command leads to

    def _carry(self, outcome: _Outcome) -> None:
        self._fit_limit()
        match outcome:
            case Response():
                self._respond(outcome)
            case Listing():
                self._list(outcome)
            case Challenge():
                self._send(b"+ " + outcome.encode() + b"\r\n")
            case Login() | Ask() | StartTls() | Retrieve() | Quit():
                self._ask(outcome)
            case Admitted():
                self._begin_transaction(outcome.messages)
            case Disconnected():
                self._end(outcome, say.EXCHANGE_CANCELLED)

    def _fit_limit(self) -> None:
        """Commands are short, responses of an exchange are not."""
        self._input.limit = MAX_LINE_OCTETS if self._authorization.exchanging else self._settings.max_command

    def _begin_transaction(self, messages: tuple[MessageRef, ...]) -> None:
        self._transaction = Transaction(Snapshot(messages))
        self._patience.bad_commands = self._settings.max_bad_commands
        self._patience.forget()
        self._say(self._transaction.summary)

    def _respond(self, response: Response) -> None:
        if not response.ok:
            self._authorization.forget()  # PASS counts only right after a good USER
        reason = self._patience.ends_with(response)
        if reason:
            self._end(Disconnected(reason), say.TOO_MANY_BAD_COMMANDS if not response.code else response)
        else:
            self._say(response)

    def _list(self, listing: Listing) -> None:
        self._patience.forget()
        self._say(listing.first)
        if listing.short and self._output_octets <= MAX_WAITING_OUTPUT:
            self._send(b"".join(listing.chunks))
        else:
            self._ask(Multiline(listing.chunks))

    def _ask(self, event: Question) -> None:
        self._turn.asks(event)
        self._event = event
        self._retrieval = Retrieval(event) if isinstance(event, Retrieve) else None

    def _answers(self, *awaited: Awaited) -> bool:
        """Whether an answer is in time; raises OutOfTurn where no event asked for it."""
        if self._closing:
            return False
        self._turn.has(*awaited)
        self._turn.ends()
        return True

    def _retrieval_in(self, awaited: Awaited) -> Retrieval | None:
        """The retrieval that is under way; None where the session has ended meanwhile."""
        if self._closing:
            return None
        self._turn.has(awaited)
        return self._retrieval

    def _finish_body(self, data: bytes) -> bytes:
        self._turn.ends()
        self._send(data)
        self._go_on()
        return self.bytes_to_send()

    def _go_on(self) -> None:
        """A command boundary."""
        if self._draining and not self._closing:
            self._end(Disconnected("drained"), say.SHUTTING_DOWN)

    def _end(self, event: Disconnected | Violation, response: Response | None = None) -> None:
        """The session is over; whatever was under way does not happen."""
        if response is not None:
            self._say(response)
        self._closing = True
        self._turn.ends()
        self._event = event
        self._input.clear()

    def _say(self, response: Response) -> None:
        self._send(response.encode())

    def _send(self, data: bytes) -> None:
        self._output.append(data)
        self._output_octets += len(data)
