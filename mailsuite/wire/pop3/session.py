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
from mailsuite.model.retention import Terms
from mailsuite.wire.pop3.authorization import Admitted, Authorization
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
from mailsuite.wire.pop3.outbox import Outbox
from mailsuite.wire.pop3.patience import Patience
from mailsuite.wire.pop3.reading import Reader
from mailsuite.wire.pop3.retrieval import Retrieval
from mailsuite.wire.pop3.settings import NO_LIMITS, SessionSettings
from mailsuite.wire.pop3.stages import Consequence, Farewell, Stages
from mailsuite.wire.pop3.turn import Awaited, OutOfTurn, Question, Turn
from mailsuite.wire.sasl.steps import Challenge, ScramParameters

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
        self._input = Reader(settings)
        self._output = Outbox()
        self._event: Event | None = None
        self._turn = Turn()
        self._closing = False
        self._draining = False
        self._patience = Patience(settings.max_bad_commands_before_login)
        self._authorization = Authorization(settings, tls_active, bindings)
        self._stages = Stages(self._authorization)
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
        return self._stages.transaction is not None

    @property
    def exchanging(self) -> bool:
        """What the client sends next answers a challenge: it is secret."""
        return self._authorization.exchanging

    @property
    def utf8(self) -> bool:
        """The client has said UTF8: it takes messages with UTF-8 in their headers (RFC 6856)."""
        return self._authorization.utf8

    # Octets and events

    def start(self) -> None:
        """Greet (RFC 1939 section 4)."""
        self._output.say(self._settings.greeting)

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
            said = self._input.next()
            if said is None:
                break
            if isinstance(said, Violation):
                self._end(said, say.LINE_TOO_LONG)
            else:
                self._carry(self._stages.hear(said))
        event, self._event = self._event, None
        return event

    def bytes_to_send(self) -> bytes:
        """What the client is to be sent next; each octet comes once."""
        return self._output.take()

    # Answers to events

    def logged_in_as(
        self, messages: tuple[MessageRef, ...], signature: bytes = b"", terms: Terms = NO_LIMITS
    ) -> None:
        """To Login: it is true, the maildrop is locked, and this is in it. *signature* is what a ScramClaim
        was answered by, *terms* hold for this account.

        Where the mechanism has last words, TRANSACTION begins when the client has accepted them; a client
        that does not is disconnected (Disconnected), without UPDATE.
        """
        if self._answers(Awaited.LOGIN):
            self._carry(self._authorization.conclude(Admitted(messages, terms), signature))
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
            self._input.expect(self.exchanging)
            self._output.say(response)
        self._go_on()

    def retrieval_started(self, size: int) -> bytes:
        """To Retrieve: the message is open and has *size* octets in wire form."""
        retrieval = self._retrieval_in(Awaited.MESSAGE)
        if retrieval is None:
            return b""
        self._turn.awaited = Awaited.BODY
        self._output.say(retrieval.first_line(size))
        return self.bytes_to_send()

    def body_chunk(self, data: bytes) -> bytes:
        """The next octets of the message, as they go out. Look at body_complete before reading more."""
        retrieval = self._retrieval_in(Awaited.BODY)
        return b"" if retrieval is None else retrieval.feed(data)

    @property
    def body_complete(self) -> bool:
        """A TOP has all it asked for: the rest of the message need not be read."""
        return self._retrieval is not None and self._retrieval.complete

    @property
    def sent_as_stored(self) -> bool:
        """The text of this message goes out unchanged: body_sent() may follow."""
        return self._retrieval is not None and not self._retrieval.needs_feeding

    def retrieval_ended(self) -> bytes:
        """All of the message went through body_chunk(), or enough of it."""
        retrieval = self._retrieval_in(Awaited.BODY)
        return b"" if retrieval is None else self._finish_body(retrieval.finish())

    def body_sent(self, ends_with_crlf: bool = True) -> bytes:
        """After retrieval_started() the shell sent the whole message past the session (sendfile): only
        the terminator is missing. Right where sent_as_stored, and nowhere else."""
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

    # What a command leads to

    def _carry(self, outcome: Consequence) -> None:
        self._input.expect(self.exchanging)  # commands are short, responses of an exchange are not
        match outcome:
            case Response():
                self._respond(outcome)
            case Listing():
                self._list(outcome)
            case Challenge():
                self._output.put(b"+ " + outcome.encode() + b"\r\n")
            case StartTls():
                self._start_tls(outcome)
            case Login() | Ask() | Retrieve() | Quit():
                self._ask(outcome)
            case Admitted():
                self._begin_transaction(outcome)
            case Disconnected():
                self._end(outcome, say.EXCHANGE_CANCELLED)
            case _:
                self._farewell(outcome)

    def _farewell(self, outcome: Farewell) -> None:
        self._end(Disconnected("quit"), say.GOODBYE)

    def _start_tls(self, event: StartTls) -> None:
        """Whatever came in clear behind STLS was put there by somebody else (RFC 2595 section 4)."""
        if len(self._input):
            self._end(Violation("plaintext-after-stls"))
        else:
            self._output.say(say.TLS_BEGINS)
            self._ask(event)

    def _begin_transaction(self, admitted: Admitted) -> None:
        summary = self._stages.admit(admitted)
        self._patience.bad_commands = self._settings.max_bad_commands
        self._patience.forget()
        self._output.say(summary)

    def _respond(self, response: Response) -> None:
        if not response.ok:
            self._authorization.forget()  # PASS counts only right after a good USER
        reason = self._patience.ends_with(response)
        if reason:
            self._end(Disconnected(reason), say.TOO_MANY_BAD_COMMANDS if not response.code else response)
        else:
            self._output.say(response)

    def _list(self, listing: Listing) -> None:
        self._patience.forget()
        self._output.say(listing.first)
        if listing.short and self._output.octets <= MAX_WAITING_OUTPUT:
            self._output.put(b"".join(listing.chunks))
        else:
            self._ask(Multiline(listing.chunks))

    def _ask(self, event: Question) -> None:
        self._turn.asks(event)
        self._event = event
        self._retrieval = Retrieval(event, self._settings.quirks) if isinstance(event, Retrieve) else None

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
        self._stages.message_sent()
        self._turn.ends()
        self._output.put(data)
        self._go_on()
        return self.bytes_to_send()

    def _go_on(self) -> None:
        """A command boundary."""
        if self._draining and not self._closing:
            self._end(Disconnected("drained"), say.SHUTTING_DOWN)

    def _end(self, event: Disconnected | Violation, response: Response | None = None) -> None:
        """The session is over; whatever was under way does not happen."""
        if response is not None:
            self._output.say(response)
        self._closing = True
        self._turn.ends()
        self._event = event
        self._input.clear()
