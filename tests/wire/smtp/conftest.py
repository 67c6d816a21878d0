"""A service that says yes, and a client that says what it is told, around one ServerSession."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.model import reply as replies
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.events import (
    Ask,
    Authenticate,
    BodyChunk,
    BodyEnd,
    DataStart,
    Event,
    Mail,
    Pause,
    Recipient,
)
from mailsuite.wire.smtp.session import ServerSession, SessionSettings
from tests.wire.proofs import PARAMETERS, judged

BINDINGS = {"tls-exporter": b"e" * 32, "tls-server-end-point": b"p" * 32}
YES: dict[type, Reply] = {
    Mail: replies.SENDER_OK,
    Recipient: replies.RECIPIENT_OK,
    DataStart: replies.START_MAIL_INPUT,
    BodyEnd: replies.message_accepted("id"),
    Authenticate: replies.AUTHENTICATION_SUCCEEDED,
}


@attrs.define
class Conversation:
    """Feeds a session and answers its events; keeps the events, chunks of one message joined.

    A claim that nobody has an answer for is judged.
    """

    session: ServerSession
    answers: dict[type, Reply]
    events: list[Event] = attrs.field(factory=list)
    wakes: bool = False
    """A pause is over as soon as it begins."""

    def run(self) -> None:
        while (event := self.session.next_event()) is not None:
            if isinstance(event, BodyChunk) and self.events and isinstance(self.events[-1], BodyChunk):
                event = BodyChunk(self.events.pop().data + event.data)
            self.events.append(event)
            if self.session.waiting_for_reply and type(event) in self.answers:
                answer = self.answers[type(event)]
                defect = getattr(event, "defect", None)
                self.session.reply(defect or answer)
            elif isinstance(event, Pause):
                if self.wakes:
                    self.session.resumed()
            elif isinstance(event, Authenticate):
                signature = judged(event.claim)
                verdict = replies.AUTHENTICATION_FAILED if signature is None else YES[Authenticate]
                self.session.authenticated(verdict, signature or b"")
            elif isinstance(event, Ask):
                self.session.scram_parameters(PARAMETERS)

    def send(self, *pieces: bytes) -> bytes:
        """Feed pieces, one after the other; answers what came back."""
        for piece in pieces:
            self.session.receive(piece)
            self.run()
        return self.session.bytes_to_send()

    def say(self, *lines: str) -> str:
        """Send lines one by one; answers the first line of the last reply."""
        heard = b""
        for line in lines:
            heard = self.send(line.encode() + b"\r\n")
        return heard.decode().split("\r\n")[0]

    def took(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Begin:
    """Makes conversations: keywords of SessionSettings, and answers by event."""

    def __call__(
        self, tls_active: bool = False, answers: dict[type, Reply] | None = None, **settings
    ) -> Conversation:
        world = {"octets": lambda count: b"7" * count, "seconds": lambda: 1_700_000_000.0}
        bindings = BINDINGS if tls_active else {}
        session = ServerSession(SessionSettings("mx.example.net", **(world | settings)), tls_active, bindings)
        session.start()
        assert session.bytes_to_send() == b"220 mx.example.net ESMTP\r\n"
        return Conversation(session, YES | (answers or {}))


@pytest.fixture(scope="session")
def begin() -> Begin:
    return Begin()


@pytest.fixture
def greeted(begin: Begin) -> Conversation:
    """A session of port 25 without TLS, after EHLO."""
    conversation = begin()
    conversation.say("EHLO client.example")
    conversation.events.clear()
    return conversation


@pytest.fixture
def submission(begin: Begin) -> Conversation:
    """A session inside of TLS that wants a login, after EHLO."""
    conversation = begin(True, tls_required=True, auth_mechanisms=("PLAIN", "LOGIN"), auth_required=True)
    conversation.say("EHLO client.example")
    conversation.events.clear()
    return conversation
