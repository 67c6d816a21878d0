"""SIZE (RFC 1870): what is advertised is what is enforced, also where somebody has a limit of their own."""

from __future__ import annotations

import pytest

from mailsuite.model import reply as replies
from mailsuite.wire.smtp.events import BodyChunk, BodyEnd, DataStart, Event, Hello, Mail, Recipient
from mailsuite.wire.smtp.session import ServerSession, SessionSettings

SETTINGS = SessionSettings("mail.example.net", max_message=5000, tls_available=True)


def talked(session: ServerSession, *lines: bytes) -> list[bytes]:
    """What is answered where the service says yes to all."""
    session.receive(b"".join(line + b"\r\n" for line in lines))
    while (event := session.next_event()) is not None:
        match event:
            case Mail() | Recipient():
                session.reply(replies.OK)
            case DataStart():
                session.reply(replies.START_MAIL_INPUT)
            case BodyEnd():
                session.reply(event.defect or replies.OK)
    return session.bytes_to_send().splitlines()


def begun(settings: SessionSettings = SETTINGS) -> ServerSession:
    session = ServerSession(settings)
    session.start()
    talked(session)
    return session


def advertised(session: ServerSession) -> bytes:
    (size,) = (line[4:] for line in talked(session, b"EHLO x") if line[4:].startswith(b"SIZE"))
    return size


ENVELOPE = (b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@d.example>")


@pytest.mark.parametrize(
    ("limit", "size"), [(None, 5000), (3000, 3000), (5000, 5000), (50_000, 5000), (1, 1)]
)
def test_the_lower_limit_is_advertised_and_enforced(limit: int | None, size: int) -> None:
    session = begun()
    if limit is not None:
        session.limit_message(limit)
    assert advertised(session) == b"SIZE %d" % size
    assert talked(session, b"MAIL FROM:<a@b.example> SIZE=%d" % (size + 1))[0].startswith(b"552 5.3.4 ")
    assert talked(session, b"MAIL FROM:<a@b.example> SIZE=%d" % size)[0].startswith(b"250 ")


@pytest.mark.parametrize("chunked", [False, True])
def test_the_true_size_is_what_counts(chunked: bool) -> None:
    session = begun()
    session.limit_message(100)
    advertised(session)

    def sent(octets: int) -> bytes:
        body = b"x" * (octets - 2)
        if chunked:
            return talked(session, *ENVELOPE, b"BDAT %d LAST\r\n%s" % (octets, body))[-1]
        return talked(session, *ENVELOPE, b"DATA", body, b".")[-1]

    assert sent(101).startswith(b"552 5.3.4 ")
    assert sent(100).startswith(b"250 "), "the session lives on"


def test_what_is_too_large_is_not_handed_over() -> None:
    session = begun()
    session.limit_message(100)
    advertised(session)
    talked(session, *ENVELOPE, b"DATA")
    session.receive(b"x" * 80 + b"\r\n" + b"x" * 80 + b"\r\n.\r\n")
    events: list[Event] = []
    while (event := session.next_event()) is not None:
        events.append(event)
    assert sum(len(event.data) for event in events if isinstance(event, BodyChunk)) <= 100
    assert isinstance(events[-1], BodyEnd)
    assert events[-1].defect is replies.MESSAGE_TOO_BIG


def test_tls_forgets_who_it_was() -> None:
    session = begun()
    session.limit_message(100)
    talked(session, b"EHLO x", b"STARTTLS")
    session.tls_started()
    assert advertised(session) == b"SIZE 5000"
    session.receive(b"EHLO x\r\n")
    assert isinstance(session.next_event(), Hello)
