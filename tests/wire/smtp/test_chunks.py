"""BDAT: a message in chunks, octets counted (RFC 3030; features row M-07)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model import reply as replies
from mailsuite.model.reply import BARE_NEWLINE, MESSAGE_TOO_BIG, TEXT_LINE_TOO_LONG, Reply
from mailsuite.wire.smtp.chunks import ChunkedBinary, ChunkedText
from mailsuite.wire.smtp.events import (
    TOO_MANY_ERRORS,
    UNREADABLE_CHUNK,
    BodyChunk,
    BodyEnd,
    DataStart,
    Mail,
    Recipient,
    Reset,
    Violation,
)
from tests.wire.smtp.conftest import Begin, Conversation

MAIL = b"MAIL FROM:<ann@example.org>\r\n"
BINARY = b"MAIL FROM:<ann@example.org> BODY=BINARYMIME\r\n"
RCPT = b"RCPT TO:<joe@example.net>\r\n"
EVIL = b"MAIL FROM:<evil@example.net>\r\n"


def codes(heard: bytes) -> list[str]:
    return [line[:9] for line in heard.decode().split("\r\n")[:-1] if line[3:4] == " "]


def every_split(stream: bytes) -> list[list[bytes]]:
    cut = [[stream[:at], stream[at:]] for at in range(1, len(stream))]
    return [[stream], [stream[at : at + 1] for at in range(len(stream))], *cut]


def outcome(begin: Begin, pieces: list[bytes], **settings: object) -> tuple[bytes, Conversation]:
    conversation = begin(**settings)
    conversation.say("EHLO x")
    conversation.events.clear()
    return conversation.send(*pieces), conversation


def message_of(conversation: Conversation) -> bytes:
    return b"".join(event.data for event in conversation.events if isinstance(event, BodyChunk))


def test_a_message_in_chunks_is_what_it_is_by_data(begin: Begin) -> None:
    chunks = b"BDAT 9\r\nSubject: BDAT 0\r\nBDAT 12 LAST\r\nx\r\n\r\n.\r\n..\r\n"
    for pieces in every_split(MAIL + RCPT + chunks + b"NOOP\r\n"):
        heard, conversation = outcome(begin, pieces)
        assert codes(heard) == ["250 2.1.0", "250 2.1.5", *["250 2.0.0"] * 4]
        assert b"250 2.0.0 9 octets are here\r\n" in heard
        assert message_of(conversation) == b"Subject: x\r\n\r\n.\r\n..\r\n"
        assert conversation.events[-1] == BodyEnd(21, None, True)
        assert [type(event) for event in conversation.events].count(DataStart) == 1
        assert not conversation.session.in_transaction


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (1, 1, 1, 1, 1), (2, 3), (5,)])
def test_chunks_of_any_size(begin: Begin, sizes: tuple[int, ...]) -> None:
    left, stream = b"abc\r\n", MAIL + RCPT
    for number, size in enumerate(sizes, 1):
        last = b" last" if number == len(sizes) else b""
        stream += b"bdat %d%s\r\n" % (size, last) + left[:size]
        left = left[size:]
    for pieces in every_split(stream):
        heard, conversation = outcome(begin, pieces)
        assert codes(heard)[2:] == ["250 2.0.0"] * len(sizes)
        assert message_of(conversation) == b"abc\r\n"
        assert conversation.took(BodyEnd) == [BodyEnd(5, None, False)]


def test_an_empty_message(begin: Begin) -> None:
    heard, conversation = outcome(begin, [MAIL + RCPT + b"BDAT 0 LAST\r\n"])
    assert codes(heard)[-1] == "250 2.0.0"
    assert conversation.events[-2:] == [DataStart(), BodyEnd(0, None, False)]


def test_the_last_line_gets_its_end(begin: Begin) -> None:
    _, conversation = outcome(begin, [MAIL + RCPT + b"BDAT 3 LAST\r\nabc"])
    assert message_of(conversation) == b"abc\r\n"
    assert conversation.events[-1] == BodyEnd(5, None, False)


@pytest.mark.parametrize(
    ("before", "code"),
    [
        (b"", "503 5.5.1"),
        (MAIL, "503 5.5.1"),
        (b"HELO x\r\n" + MAIL + RCPT, "503 5.5.1"),
        (MAIL + RCPT + b"BDAT 2 LAST\r\n\r\n", "503 5.5.1"),
    ],
)
def test_octets_behind_a_refused_bdat_are_consumed(begin: Begin, before: bytes, code: str) -> None:
    for pieces in every_split(before + b"BDAT 30 LAST\r\n" + EVIL + b"NOOP\r\n"):
        heard, conversation = outcome(begin, pieces)
        assert codes(heard)[-2:] == [code, "250 2.0.0"]
        assert not conversation.session.closing
        assert all("evil" not in str(event) for event in conversation.events)


def test_where_all_recipients_were_refused(begin: Begin) -> None:
    heard, conversation = outcome(
        begin,
        [MAIL + RCPT + b"BDAT 30 LAST\r\n" + EVIL + b"NOOP\r\n"],
        answers={Recipient: replies.UNKNOWN_RECIPIENT},
    )
    assert codes(heard)[-2:] == ["554 5.5.1", "250 2.0.0"]
    assert conversation.took(DataStart) == []


def test_where_it_is_not_offered(begin: Begin) -> None:
    heard, conversation = outcome(
        begin, [MAIL + RCPT + b"BDAT 30 LAST\r\n" + EVIL + b"NOOP\r\n"], chunking=False
    )
    assert codes(heard)[-2:] == ["502 5.5.1", "250 2.0.0"]
    assert len(conversation.took(Mail)) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"BDAT",
        b"BDAT LAST",
        b"BDAT -1",
        b"BDAT 5 LAST LAST",
        b"BDAT 5LAST",
        b"BDAT 0x5",
        b"BDAT 5 FIRST",
        b"BDAT 5\0",
        b"BDAT " + b"1" * 21,
        b"BDAT 5\n",
        b"BDAT 5 \rLAST",
        b"BDAT " + b"5" * 600,
        b"BDAT " + b"5" * 20_000,
    ],
)
def test_a_bdat_that_cannot_be_read_is_the_end(begin: Begin, line: bytes) -> None:
    """Nobody knows where the next command begins."""
    stream = MAIL + RCPT + line + (b"" if line.endswith(b"\n") else b"\r\n") + EVIL
    for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        heard, conversation = outcome(begin, pieces)
        assert codes(heard)[2][:2] == "50"
        assert codes(heard)[3:] == ["554 5.5.0"]
        assert conversation.session.closing
        assert [event.kind for event in conversation.took(Violation)] == [UNREADABLE_CHUNK]
        assert len(conversation.took(Mail)) == 1


@pytest.mark.parametrize("before", [b"NOOP\n", b"x" * 20_000 + b"\n", b"\n"])
def test_a_bdat_behind_a_line_that_lf_ended_is_the_end(begin: Begin, before: bytes) -> None:
    """Something in front of us that takes LF for an end has let its octets pass as those of a message."""
    stream = MAIL + RCPT + before + b"BDAT %d LAST\r\n" % len(EVIL) + EVIL
    for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        heard, conversation = outcome(begin, pieces)
        assert codes(heard)[2:] == ["500 5.5.2", "500 5.5.2", "554 5.5.0"]
        assert [event.kind for event in conversation.took(Violation)] == [UNREADABLE_CHUNK]
        assert len(conversation.took(Mail)) == 1


@pytest.mark.parametrize(
    "line", [b"DATA", b"RCPT TO:<ann@example.net>", b"MAIL FROM:<>", b"STARTTLS", b"DATA x"]
)
def test_between_chunks(begin: Begin, line: bytes) -> None:
    heard, conversation = outcome(
        begin,
        [MAIL + RCPT + b"BDAT 1\r\na", line + b"\r\n", b"NOOP\r\nBDAT 2 LAST\r\n\r\n"],
        tls_available=True,
    )
    assert codes(heard)[3][:2] == "50"
    assert codes(heard)[4:] == ["250 2.0.0"] * 2
    assert message_of(conversation) == b"a\r\n"


@pytest.mark.parametrize("end", [b"RSET", b"EHLO y"])
def test_a_message_that_is_given_up_between_chunks(begin: Begin, end: bytes) -> None:
    heard, conversation = outcome(begin, [MAIL + RCPT + b"BDAT 1\r\na" + end + b"\r\nBDAT 1 LAST\r\nb"])
    assert codes(heard)[-2][:3] == "250"
    assert codes(heard)[-1] == "503 5.5.1"
    assert len(conversation.took(Reset)) == 1
    assert conversation.took(BodyEnd) == []
    assert codes(conversation.send(MAIL + RCPT + b"BDAT 1 LAST\r\nc"))[-1] == "250 2.0.0"


def test_data_is_not_for_binary(begin: Begin) -> None:
    heard, conversation = outcome(begin, [BINARY + RCPT + b"DATA\r\n", b"BDAT 1 LAST\r\na"])
    assert codes(heard)[2:] == ["503 5.5.1", "250 2.0.0"]
    assert message_of(conversation) == b"a"


OCTETS = bytes(range(256)) + b"\r\n.\r\n\n.\n\r\r\n\n\r" + b"x" * 300


def test_binary_is_kept_byte_by_byte(begin: Begin) -> None:
    head = BINARY + RCPT + b"BDAT %d\r\n" % 200 + OCTETS[:200]
    stream = head + b"BDAT %d LAST\r\n" % (len(OCTETS) - 200) + OCTETS[200:] + b"NOOP\r\n"
    for pieces in every_split(stream):
        heard, conversation = outcome(begin, pieces, max_text_line=100)
        assert codes(heard)[2:] == ["250 2.0.0"] * 3
        assert message_of(conversation) == OCTETS
        assert conversation.took(BodyEnd) == [BodyEnd(len(OCTETS), None, True)]


@pytest.mark.parametrize(
    "octets", [b"a\nb\r\n", b"a\rb\r\n", b"a\r", b"\n.\n", b"\r\n.\r\n\r", b"a\n.\r\n" + EVIL]
)
def test_bare_newlines_are_refused_as_in_data(begin: Begin, octets: bytes) -> None:
    for at in range(len(octets) + 1):
        chunks = b"BDAT %d\r\n%bBDAT %d LAST\r\n%b" % (at, octets[:at], len(octets) - at, octets[at:])
        heard, conversation = outcome(begin, [MAIL + RCPT + chunks + b"NOOP\r\n"])
        assert "550 5.5.2" in codes(heard)[2:4]
        assert codes(heard)[-1] == "250 2.0.0"
        (end,) = conversation.took(BodyEnd)
        assert isinstance(end, BodyEnd)
        assert end.defect == BARE_NEWLINE
        assert len(conversation.took(Mail)) == 1


def test_bare_newlines_may_be_made_whole(begin: Begin) -> None:
    octets = b"a\n.b\rc\r\n\r"
    for at in range(len(octets) + 1):
        chunks = b"BDAT %d\r\n%bBDAT %d LAST\r\n%b" % (at, octets[:at], len(octets) - at, octets[at:])
        _, conversation = outcome(begin, [MAIL + RCPT + chunks], normalise_newlines=True)
        assert message_of(conversation) == b"a\r\n.b\r\nc\r\n\r\n"
        assert conversation.events[-1] == BodyEnd(12, None, True)


@pytest.mark.parametrize("head", [MAIL, BINARY])
def test_what_is_too_big_is_not_kept(begin: Begin, head: bytes) -> None:
    conversation = begin(max_message=1000)
    conversation.say("EHLO x")
    conversation.send(head + RCPT + b"BDAT 5000000\r\n")
    session = conversation.session
    for _ in range(50):
        session.receive((b"x" * 98 + b"\r\n") * 1000)
        conversation.run()
        assert not len(session._intake)
    assert codes(session.bytes_to_send()) == ["552 5.3.4"]
    assert len(message_of(conversation)) <= 1000
    (end,) = conversation.took(BodyEnd)
    assert end == BodyEnd(5_000_000, MESSAGE_TOO_BIG, False)
    assert codes(conversation.send(b"BDAT 3 LAST\r\nabcNOOP\r\n")) == ["503 5.5.1", "250 2.0.0"]


def test_each_message_in_chunks_that_is_refused_is_an_error(begin: Begin) -> None:
    """As each DATA is; nobody sends a thousand of them, LAST and all, to no purpose."""
    conversation = begin(hard_errors=5)
    conversation.say("EHLO x")
    heard = codes(conversation.send(b"BDAT 0 LAST\r\n" * 4))
    assert heard == ["503 5.5.1"] * 4
    assert not conversation.session.closing
    assert codes(conversation.send(b"BDAT 1\r\na")) == ["503 5.5.1", "421 4.7.0"]
    assert conversation.session.closing


def test_a_message_in_chunks_behind_a_refused_sender_is_one_error_however_many_they_are(begin: Begin) -> None:
    """MAIL, RCPT and all chunks come in one go."""
    conversation = begin(hard_errors=7, answers={Mail: replies.SENDER_BLOCKED})
    conversation.say("EHLO x")
    message = MAIL + RCPT + b"BDAT 2\r\nab" * 300 + b"BDAT 0 LAST\r\n"
    for _ in range(2):
        heard = codes(conversation.send(message))
        assert heard == ["550 5.7.1", *["503 5.5.1"] * 302]
        assert conversation.session._exchange.budget.errors <= 6
    assert not conversation.session.closing


def test_chunks_in_the_pipeline_behind_one_that_failed_are_no_errors(begin: Begin) -> None:
    """RFC 3030 section 2: they are under way."""
    chunks = b"BDAT 2\r\nab" * 100 + b"BDAT 2 LAST\r\nab"
    heard, conversation = outcome(
        begin, [MAIL + RCPT + chunks + MAIL + RCPT + b"BDAT 2 LAST\r\n\r\n"], max_message=3
    )
    assert codes(heard)[2:] == [
        "250 2.0.0",
        "552 5.3.4",
        *["503 5.5.1"] * 99,
        "250 2.1.0",
        "250 2.1.5",
        "250 2.0.0",
    ]
    assert not conversation.session.closing


def test_but_not_for_ever(begin: Begin) -> None:
    heard, conversation = outcome(begin, [b"BDAT 1\r\nx" * 3000])
    assert codes(heard)[-1] == "421 4.7.0"
    assert len(codes(heard)) < 1010
    assert conversation.session.closing


LATER = Reply(451, "4.3.0", ("Later",))


def test_where_the_service_does_not_want_it(begin: Begin) -> None:
    stream = MAIL + RCPT + b"BDAT 30\r\n" + EVIL + b"BDAT 2 LAST\r\nab" + MAIL
    for pieces in every_split(stream):
        heard, conversation = outcome(begin, pieces, answers={DataStart: LATER})
        assert codes(heard)[2:] == ["451 4.3.0", "503 5.5.1", "250 2.1.0"]
        assert len(conversation.took(Reset)) == 1
        assert conversation.took(BodyEnd) == []


def test_where_the_service_stops(begin: Begin) -> None:
    heard, conversation = outcome(
        begin, [MAIL + RCPT + b"BDAT 5 LAST\r\nabcde"], answers={DataStart: replies.STOPPING}
    )
    assert codes(heard)[2:] == ["421 4.3.2"]
    assert conversation.session.closing
    assert conversation.events[-1] == Reset()


def test_drain_waits_for_the_last_chunk(greeted: Conversation) -> None:
    greeted.send(MAIL + RCPT + b"BDAT 1\r\na")
    greeted.session.drain()
    assert not greeted.session.closing
    assert codes(greeted.send(b"BDAT 2 LAST\r\n\r\n")) == ["250 2.0.0", "421 4.3.2"]


def test_drain_between_chunks_that_are_given_up(greeted: Conversation) -> None:
    greeted.send(MAIL + RCPT + b"BDAT 1\r\na")
    greeted.session.drain()
    assert codes(greeted.send(b"RSET\r\n")) == ["250 2.0.0", "421 4.3.2"]


def test_time_out_within_a_chunk(greeted: Conversation) -> None:
    greeted.send(MAIL + RCPT + b"BDAT 5\r\na")
    assert greeted.session.in_body
    greeted.session.timed_out()
    assert not greeted.session.in_body
    assert greeted.session.next_event() == Reset()
    assert greeted.send(b"bcdeNOOP\r\n")[:3] == b"421"


PIECES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\r\n.", b"\0"]), max_size=20)


@given(PIECES, st.lists(st.integers(0, 40), max_size=5), st.booleans())
def test_text_in_any_pieces_is_text(pieces: list[bytes], cuts: list[int], normalise: bool) -> None:
    """Compared with the obvious reading of the whole."""
    stream = b"".join(pieces)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    scanner = ChunkedText(30, 6, normalise)
    got = b"".join(scanner.scan(stream[a:b]) for a, b in itertools.pairwise(edges)) + scanner.finish()
    lines = stream.split(b"\r\n")
    bare = any(b"\r" in line or b"\n" in line for line in lines)
    if normalise:
        lines = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    plain = b"\r\n".join(lines)
    plain += b"" if not plain or plain.endswith(b"\r\n") else b"\r\n"
    assert scanner.bare_newline == (bare and not normalise)
    if scanner.bare_newline:
        assert scanner.defect == BARE_NEWLINE
        return
    assert scanner.size == len(plain)
    assert scanner.overlong_line == any(len(line) > 6 for line in lines)
    assert scanner.dot_lines == any(line.startswith(b".") for line in lines)
    if scanner.overlong_line:
        assert scanner.defect == TEXT_LINE_TOO_LONG
    else:
        assert got == plain or scanner.too_big


@given(PIECES, st.lists(st.integers(0, 40), max_size=5))
def test_octets_in_any_pieces_are_octets(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    scanner = ChunkedBinary(1000, 1)
    got = b"".join(scanner.scan(stream[a:b]) for a, b in itertools.pairwise(edges)) + scanner.finish()
    assert got == stream
    assert scanner.defect is None
    assert scanner.dot_lines == any(
        stream[at] == 0x2E and (at == 0 or stream[at - 1] in b"\r\n") for at in range(len(stream))
    )


def test_a_session_ends_once(begin: Begin) -> None:
    heard, conversation = outcome(begin, [b"BDAT x\r\nNOOP\r\n"], hard_errors=1)
    assert codes(heard) == ["501 5.5.4", "421 4.7.0"]
    assert [event.kind for event in conversation.took(Violation)] == [TOO_MANY_ERRORS]
