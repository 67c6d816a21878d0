"""The client's side of one SMTP or LMTP connection (RFC 5321, RFC 2033), without a socket.

Feed octets with receive(), take events with next_event() until it answers None, take the steps that they
lead to (the list is in events.py), send bytes_to_send(). No input raises an exception. Whoever cannot finish
a body drops the connection: nothing else tells the server that the message is not whole.

What stands where: the order of steps in stages.py, commands and their replies in exchange.py, octets of
replies in replies.py, a transaction in transaction.py, its words in envelope.py, its message in content.py,
AUTH in login.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mailsuite.model import reply as replies
from mailsuite.model.reply import Reply
from mailsuite.wire.sasl.client import Credentials
from mailsuite.wire.sasl.client_mechanisms import BEST_FIRST
from mailsuite.wire.smtp.client.awaited import Awaited
from mailsuite.wire.smtp.client.envelope import obstacle
from mailsuite.wire.smtp.client.events import (
    STARTTLS_INJECTION,
    Event,
    Finished,
    Greeted,
    Lost,
    Ready,
    TlsNow,
    TlsRefused,
    TurnedAway,
    WasReset,
)
from mailsuite.wire.smtp.client.exchange import Exchange
from mailsuite.wire.smtp.client.extensions import NOTHING_OFFERED, Extensions, parse_extensions
from mailsuite.wire.smtp.client.letter import CannotSend, Lack, Letter
from mailsuite.wire.smtp.client.login import Login
from mailsuite.wire.smtp.client.replies import Answer
from mailsuite.wire.smtp.client.settings import ClientSettings
from mailsuite.wire.smtp.client.stages import Stage, Step
from mailsuite.wire.smtp.client.transaction import Transaction

__all__ = ["ClientSession", "ClientSettings"]

_NO_EHLO = frozenset((500, 501, 502, 504, 550))
"""How servers of old refuse EHLO (RFC 5321 sections 3.2 and 4.1.4)."""


class ClientSession:
    """One connection, from the greeting to ``ended``."""

    def __init__(self, settings: ClientSettings, tls_active: bool = False) -> None:
        """*tls_active*: the connection begins with TLS."""
        self.settings = settings
        self.tls_active = tls_active
        self.extensions: Extensions = NOTHING_OFFERED
        """What Ready has told; nothing before it, nor after tls_started()."""
        self._exchange = Exchange()
        self._login = Login(self._exchange, settings)
        self._transaction: Transaction | None = None
        self._mails = 0
        self._domains: set[str] = set()
        """Of recipients so far (RFC 9422)."""
        self._exchange.expect(Awaited.GREETING, self._greeted)

    # For the shell: octets, events, time

    def receive(self, data: bytes) -> None:
        """Take octets from the server."""
        if self._exchange.stage is Stage.TLS:
            self._exchange.violate(STARTTLS_INJECTION, "octets in clear after STARTTLS was answered")
        self._exchange.receive(data)

    def next_event(self) -> Event | None:
        """The next event; None where the server, TLS or the shell has to do something first."""
        events = self._exchange.events
        return events.popleft() if events else None

    def bytes_to_send(self) -> bytes:
        """Take what is to be sent now."""
        return self._exchange.bytes_to_send()

    def closed(self) -> None:
        """The server has closed the connection, or it broke. After quit() that is no failure."""
        self._lose(replies.NEXT_HOP_LOST)

    def timed_out(self) -> None:
        """The patience for ``waiting_for`` is at its end; the connection is to be dropped."""
        self._lose(replies.NEXT_HOP_SLOW)

    def _lose(self, reply: Reply) -> None:
        self._exchange.end(Lost(self.waiting_for, reply, self.in_doubt))

    @property
    def in_doubt(self) -> bool:
        """A message went out whole, and for somebody there is no answer to it (RFC 1047)."""
        return self._transaction is not None and self._transaction.in_doubt

    @property
    def waiting_for(self) -> Awaited | None:
        """Which time-out applies now (awaited.PATIENCE); None: it is the shell's turn, or the end.

        Time starts anew with each event, not with each octet; in DATA_BLOCK also with each piece that left.
        """
        if self._exchange.ended:
            return None
        match self._exchange.stage:
            case Stage.TLS:
                return Awaited.TLS
            case Stage.CONTENT:
                return Awaited.DATA_BLOCK
        return self._exchange.awaited

    @property
    def ended(self) -> bool:
        """Nothing more goes out: close the connection. Events not taken yet still count."""
        return self._exchange.ended

    @property
    def idle(self) -> bool:
        """Between two transactions: send(), reset() and quit() are possible."""
        return not self.ended and self._exchange.stage is Stage.IDLE

    @property
    def in_body(self) -> bool:
        """Between GoAhead and end_body()."""
        return not self.ended and self._exchange.stage is Stage.CONTENT

    # For the shell: steps. One that is out of turn raises RuntimeError; after the end they do nothing.

    def hello(self) -> None:
        """Say EHLO, or LHLO; where the server does not know EHLO, HELO. Ready or TurnedAway follows."""
        if self._exchange.takes(Step.HELLO):
            self._say_hello("LHLO" if self.settings.lmtp else "EHLO")

    def start_tls(self) -> None:
        """Say STARTTLS. TlsNow or TlsRefused follows. Whether it was offered is in ``extensions``."""
        if self._exchange.takes(Step.START_TLS):
            self._exchange.say("STARTTLS", Awaited.TLS, self._tls_answered)

    def tls_started(self) -> None:
        """TLS is up: what was learnt in clear is forgotten, and hello() said again (RFC 3207 section 4.2)."""
        if self._exchange.takes(Step.TLS_STARTED):
            self.tls_active, self.extensions = True, NOTHING_OFFERED
            self._say_hello("LHLO" if self.settings.lmtp else "EHLO")

    def authenticate(self, credentials: Credentials, mechanisms: Sequence[str] = BEST_FIRST) -> None:
        """Log in by the first of *mechanisms* that the server offers and we speak. Authenticated or
        AuthenticationFailed follows, maybe Derive before it."""
        if self._exchange.takes(Step.AUTHENTICATE):
            self._login.start(credentials, mechanisms, self.extensions.mechanisms, self.tls_active)

    def derived(self, salted_password: bytes) -> None:
        """To Derive."""
        if self._exchange.takes(Step.DERIVED):
            self._login.derived(salted_password)

    def send(self, letter: Letter) -> CannotSend | None:
        """Begin a transaction; or answer why it cannot be, and do nothing."""
        if not self._exchange.takes(Step.SEND):
            return None
        to_try, left = self._fitting(letter)
        if not to_try:
            numbers = tuple(range(len(letter.recipients)))
            return CannotSend(Lack.ROOM, replies.NEXT_HOP_FULL, numbers)
        pipelined = self.settings.pipelining and self.extensions.pipelining
        chunked = pipelined and self.settings.chunking and self.extensions.chunking
        cannot = obstacle(letter, self.extensions, self.tls_active, chunked and self.extensions.binary)
        if cannot is not None:
            return cannot
        self._mails += 1
        self._domains.update(letter.recipients[number].address.domain for number in to_try)
        self._transaction = Transaction(
            self._exchange,
            letter,
            self.extensions,
            deque(to_try),
            left,
            pipelined=pipelined,
            chunked=chunked,
            lmtp=self.settings.lmtp,
        )
        self._transaction.begin()
        return None

    def body(self, data: bytes) -> None:
        """The next octets of the content, as they are stored. Give as much as the connection takes: nothing
        here holds more back than one chunk of BDAT."""
        if self._exchange.takes(Step.BODY) and self._transaction is not None:
            self._transaction.body(data)

    def end_body(self) -> None:
        """The content is whole."""
        if self._exchange.takes(Step.BODY) and self._transaction is not None:
            self._transaction.end_body()

    def reset(self) -> None:
        """Say RSET: whether the server is still there. WasReset follows, or TurnedAway."""
        if self._exchange.takes(Step.RESET):
            self._exchange.say("RSET", Awaited.RESET, self._was_reset)

    def quit(self) -> None:
        """Say QUIT. Finished follows, whatever the server makes of it."""
        if self._exchange.takes(Step.QUIT):
            self._exchange.leaving = True
            self._exchange.say("QUIT", Awaited.QUIT, lambda answer: self._exchange.end(Finished()))

    # What they lead to

    def _greeted(self, answer: Answer) -> None:
        self._exchange.tell((TurnedAway if answer.refuses else Greeted)(answer.reply))

    def _say_hello(self, verb: str) -> None:
        line = f"{verb} {self.settings.hello}"
        self._exchange.say(line, Awaited.HELLO, lambda answer: self._hello_answered(verb, answer))

    def _hello_answered(self, verb: str, answer: Answer) -> None:
        if verb == "EHLO" and answer.code in _NO_EHLO:
            self._say_hello("HELO")
        elif answer.refuses:
            self._exchange.tell(TurnedAway(answer.reply))
        else:
            self.extensions = NOTHING_OFFERED if verb == "HELO" else parse_extensions(answer.lines)
            self._exchange.tell(Ready(self.extensions))

    def _tls_answered(self, answer: Answer) -> None:
        if answer.refuses:
            self._exchange.tell(TlsRefused(answer.reply))
        elif self._exchange.clean:
            self._exchange.tell(TlsNow())
        else:
            self._exchange.violate(STARTTLS_INJECTION, "octets in clear behind the answer to STARTTLS")

    def _was_reset(self, answer: Answer) -> None:
        if answer.refuses:
            self._exchange.tell(TurnedAway(answer.reply))
        else:
            self._exchange.tell(WasReset())

    def _fitting(self, letter: Letter) -> tuple[list[int], list[int]]:
        """Recipients that one transaction, here and now, may have, and those that it may not."""
        offered = self.extensions
        room = min(self.settings.max_recipients, offered.max_recipients or self.settings.max_recipients)
        if offered.max_mails is not None and self._mails >= offered.max_mails:
            room = 0
        domains = set(self._domains)
        to_try: list[int] = []
        left: list[int] = []
        for number, recipient in enumerate(letter.recipients):
            domain = recipient.address.domain
            crowded = offered.max_domains is not None and len(domains | {domain}) > offered.max_domains
            if len(to_try) >= room or crowded:
                left.append(number)
            else:
                to_try.append(number)
                domains.add(domain)
        return to_try, left
