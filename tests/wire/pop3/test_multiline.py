"""Byte-stuffing and TOP, against references that know nothing of chunks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.pop3.multiline import DotStuffer, TopLimiter, terminator

PIECES = [b"\r\n", b"\r\n", b".", b"\r", b"\n", b"a", b"..", b"\r\n.\r\n", b"\r\n\r\n", b"\0\xff", b"x" * 70]
AWKWARD = st.lists(st.sampled_from(PIECES)).map(b"".join)
"""Texts that are mostly edges, bare CR and LF among them: what must not be there must not break anything."""

MESSAGES = [
    b"",
    b".",
    b".\r\n",
    b"..\r\n",
    b"\r\n",
    b"\r\n.\r\n",
    b"\r\n..\r\n.",
    b"\r\n\r\n.\r\n.\r\n",
    b"Subject: x\r\n\r\n.leading\r\ntext.\r\n..two\r\n.\r\nno end",
    b"a\r.\r\nb\n.c\r\n\r.\r\n",
    b"\r\r\n.\r\n\n.\r\n",
]


def stuffed(message: bytes) -> bytes:
    """RFC 1939 section 3, said once for a whole message."""
    lines = message.split(b"\r\n")
    text = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    ended = not message or message.endswith(b"\r\n")
    return text + (b"" if ended else b"\r\n") + b".\r\n"


def top(message: bytes, lines: int) -> bytes:
    """RFC 1939 section 7, TOP, said once for a whole message."""
    if message.startswith(b"\r\n"):
        header, body = b"\r\n", message[2:]
    else:
        before, blank, body = message.partition(b"\r\n\r\n")
        header = before + blank
        if not blank:
            return message
    return header + b"".join(re.findall(rb"(?s)(?:(?!\r\n).)*\r\n|.+\Z", body)[:lines])


def cut(message: bytes, size: int) -> Iterator[bytes]:
    return (message[at : at + size] for at in range(0, len(message), size))


def stuff(chunks: Iterator[bytes] | list[bytes]) -> bytes:
    stuffer = DotStuffer()
    return b"".join([*map(stuffer.feed, chunks)]) + stuffer.finish()


def limit(chunks: Iterator[bytes] | list[bytes], lines: int) -> bytes:
    limiter = TopLimiter(lines)
    return b"".join([*map(limiter.feed, chunks)])


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("size", range(1, 65))
def test_stuffing_at_every_chunk_size(message: bytes, size: int) -> None:
    """features row P-09: dots at the start and at every possible edge."""
    assert stuff(cut(message, size)) == stuffed(message)


@given(AWKWARD, st.integers(1, 64))
def test_stuffing_equals_the_reference(message: bytes, size: int) -> None:
    assert stuff(cut(message, size)) == stuffed(message)


@given(st.lists(st.one_of(AWKWARD, st.binary(max_size=3))))
def test_stuffing_in_uneven_chunks(chunks: list[bytes]) -> None:
    assert stuff(chunks) == stuffed(b"".join(chunks))


@given(AWKWARD)
def test_a_client_gets_the_message_back(message: bytes) -> None:
    """What comes before the first CRLF.CRLF, dots undone, is the message with a line end at its end."""
    sent = b"\r\n" + stuff([message])
    assert sent.index(b"\r\n.\r\n") == len(sent) - 5
    received = sent[:-3].replace(b"\r\n..", b"\r\n.")[2:]
    assert received == (message if not message or message.endswith(b"\r\n") else message + b"\r\n")


@pytest.mark.parametrize(
    ("after_line_end", "octets"), [(True, b".\r\n"), (False, b"\r\n.\r\n")], ids=["whole", "open"]
)
def test_terminator(after_line_end: bool, octets: bytes) -> None:
    assert terminator(after_line_end) == octets


def test_a_chunk_without_dots_is_not_copied() -> None:
    chunk = b"No dot begins a line here.\r\n" * 2000
    assert DotStuffer().feed(chunk) is chunk


TOPS = [
    (b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\nz\r\n", 0, b"A: 1\r\nB: 2\r\n\r\n"),
    (b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\nz\r\n", 1, b"A: 1\r\nB: 2\r\n\r\nx\r\n"),
    (b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\nz\r\n", 2, b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n"),
    (b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\nz\r\n", 3, b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\nz\r\n"),
    (b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\nz\r\n", 10**90, b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\nz\r\n"),
    (b"A: 1\r\n\r\nx\r\nno end", 1, b"A: 1\r\n\r\nx\r\n"),
    (b"A: 1\r\n\r\nx\r\nno end", 2, b"A: 1\r\n\r\nx\r\nno end"),
    (b"A: 1\r\n\r\n", 0, b"A: 1\r\n\r\n"),
    (b"A: 1\r\n\r\n", 5, b"A: 1\r\n\r\n"),
    (b"A: 1\r\nB: 2\r\n", 0, b"A: 1\r\nB: 2\r\n"),
    (b"A: 1\r\nB: 2", 3, b"A: 1\r\nB: 2"),
    (b"\r\nbody\r\nmore\r\n", 0, b"\r\n"),
    (b"\r\nbody\r\nmore\r\n", 1, b"\r\nbody\r\n"),
    (b"\r\n\r\n\r\nx", 1, b"\r\n\r\n"),
    (b"A: 1\r\n\r\n\r\n\r\n\r\n", 2, b"A: 1\r\n\r\n\r\n\r\n"),
    (b"A: 1\r\n\r\na\nb\rc\r\nd\r\n", 1, b"A: 1\r\n\r\na\nb\rc\r\n"),
    (b"A: 1\r\n\r\n\n\r\n", 1, b"A: 1\r\n\r\n\n\r\n"),
    (b"", 4, b""),
]


@pytest.mark.parametrize(("message", "lines", "answer"), TOPS)
@pytest.mark.parametrize("size", [*range(1, 12), 1000])
def test_top_at_every_chunk_size(message: bytes, lines: int, answer: bytes, size: int) -> None:
    """features row P-10."""
    assert limit(cut(message, size), lines) == answer


@given(AWKWARD, st.integers(0, 6), st.integers(1, 64))
def test_top_equals_the_reference(message: bytes, lines: int, size: int) -> None:
    assert limit(cut(message, size), lines) == top(message, lines)


@given(st.lists(st.one_of(AWKWARD, st.binary(max_size=3))), st.integers(0, 6))
def test_top_in_uneven_chunks(chunks: list[bytes], lines: int) -> None:
    assert limit(chunks, lines) == top(b"".join(chunks), lines)


@pytest.mark.parametrize(("lines", "chunks"), [(0, 1), (1, 2), (2, 3), (3, 4)])
def test_top_tells_when_it_has_enough(lines: int, chunks: int) -> None:
    """No more of the file is read than is needed."""
    limiter = TopLimiter(lines)
    message = [b"A: 1\r\n\r\n", b"one\r\n", b"two\r\n", b"three\r\n", b"four\r\n"]
    enough = []
    for chunk in message:
        limiter.feed(chunk)
        enough.append(limiter.enough)
    assert enough == [count >= chunks for count in range(1, 6)]
    assert limiter.feed(b"five\r\n") == b""
