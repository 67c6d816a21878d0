"""A world for the session under test: one account, a few messages, every event answered at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import attrs

from mailsuite.model.message import MessageRef
from mailsuite.model.response import WRONG_CREDENTIALS
from mailsuite.model.retention import Terms
from mailsuite.wire.pop3.session import (
    Ask,
    Event,
    Login,
    Multiline,
    Quit,
    Retrieve,
    ServerSession,
    SessionSettings,
    StartTls,
)
from mailsuite.wire.pop3.settings import NO_LIMITS
from tests.wire.proofs import PARAMETERS, PASSWORD, judged

MESSAGES = (
    b"Subject: one\r\n\r\nfirst\r\n",
    b".Subject: two\r\n\r\n.\r\n..dots\r\nlast line",
    b"\r\nno header\r\n",
)

CLEAR = SessionSettings(
    "mail.example.net",
    plaintext_login=True,
    octets=lambda count: b"7" * count,
    seconds=lambda: 1_700_000_000.0,
)
"""Passwords are taken on a clear connection."""
STAMP = "<1.2@mail.example.net>"
STAMPED = attrs.evolve(CLEAR, apop_stamp=STAMP)
DIGEST = hashlib.md5((STAMP + PASSWORD).encode(), usedforsecurity=False).hexdigest().encode()
BINDINGS = {"tls-exporter": b"e" * 32, "tls-server-end-point": b"p" * 32}


def wire_size(message: bytes) -> int:
    return len(message) + (0 if message.endswith(b"\r\n") else 2)


def refs(messages: Iterable[bytes] = MESSAGES) -> tuple[MessageRef, ...]:
    return tuple(
        MessageRef(f"uid-{number}", wire_size(message), f"key-{number}")
        for number, message in enumerate(messages, 1)
    )


@attrs.define
class World:
    """Joe's password is ``secret word``. Bodies are read in chunks of *chunk* octets."""

    settings: SessionSettings = CLEAR
    tls_active: bool = False
    messages: tuple[bytes, ...] = MESSAGES
    chunk: int = 7
    terms: Terms = NO_LIMITS
    """Joe's."""
    answers: bool = True
    """Whether events are answered at all."""
    session: ServerSession = attrs.field(init=False)
    events: list[Event] = attrs.field(factory=list, init=False)
    removed: list[str] = attrs.field(factory=list, init=False)
    sent: bytes = attrs.field(default=b"", init=False)

    def __attrs_post_init__(self) -> None:
        self.session = ServerSession(self.settings, self.tls_active, BINDINGS if self.tls_active else {})
        self.session.start()

    def say(self, data: bytes, piece: int = 0) -> bytes:
        """Send *data*, in pieces of *piece* octets or at once; what the session sends back."""
        for start in range(0, len(data), piece or len(data) or 1):
            self.session.receive(data[start : start + (piece or len(data))])
            self.run()
        return self.take()

    def run(self) -> None:
        """Take and answer what events there are."""
        while (event := self.session.next_event()) is not None:
            self.events.append(event)
            if self.answers:
                self.answer(event)

    def take(self) -> bytes:
        """What has been sent since the last time."""
        self.run()
        data, self.sent = self.sent + self.session.bytes_to_send(), b""
        return data

    def log_in(self) -> World:
        self.take()
        assert self.say(b"USER joe\r\nPASS secret word\r\n").endswith(b"octets)\r\n")
        return self

    def answer(self, event: Event) -> None:
        session = self.session
        match event:
            case Login(claim):
                signature = judged(claim)
                if signature is None:
                    session.refuse(WRONG_CREDENTIALS)
                else:
                    session.logged_in_as(refs(self.messages), signature, self.terms)
            case Ask():
                session.scram_parameters(PARAMETERS)
            case StartTls():
                self.sent += session.bytes_to_send()
                session.tls_started(BINDINGS)
            case Retrieve(ref):
                self.retrieve(self.messages[int(ref.uidl.removeprefix("uid-")) - 1])
            case Multiline(chunks):
                self.sent += session.bytes_to_send() + b"".join(chunks)
                session.multiline_sent()
            case Quit(deleted):
                self.removed += [ref.uidl for ref in deleted]
                session.quit_done(0)

    def retrieve(self, message: bytes) -> None:
        self.sent += self.session.retrieval_started(wire_size(message))
        for start in range(0, len(message), self.chunk):
            if self.session.body_complete:
                break
            self.sent += self.session.body_chunk(message[start : start + self.chunk])
        self.sent += self.session.retrieval_ended()


def plain_retrieval(line: bytes = b"RETR 1\r\n", dot_lines: bool = False) -> ServerSession:
    session = ServerSession(CLEAR)
    session.receive(b"USER joe\r\nPASS x\r\n" + line + b"NOOP\r\n")
    session.next_event()
    session.logged_in_as((MessageRef("u", 10, "k", dot_lines),))
    session.next_event()
    session.retrieval_started(10)
    return session


def many(count: int) -> tuple[MessageRef, ...]:
    return tuple(MessageRef(f"uid{number}", 7, str(number)) for number in range(1, count + 1))


def logged_in_with(messages: tuple[MessageRef, ...]) -> World:
    world = World(answers=False)
    world.say(b"USER joe\r\nPASS x\r\n")
    world.session.logged_in_as(messages)
    world.take()
    return world
