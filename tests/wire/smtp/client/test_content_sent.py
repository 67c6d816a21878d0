"""The message as it goes on the wire: pure CRLF, stuffed or framed, however it was cut (row M-08)."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailsuite.wire.smtp.body import BodyScanner
from mailsuite.wire.smtp.client.content import CHUNK_OCTETS, Chunks, Content, DotStuffed, PureLines

_OCTETS = st.sampled_from([b"\r", b"\n", b".", b"a", b"\0"])
TEXTS = st.binary(max_size=40) | st.lists(_OCTETS, max_size=12).map(b"".join)


def normalised(content: bytes) -> bytes:
    """As the documentation has it: each line end is CRLF, the last one too."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    return lines if not lines or lines.endswith(b"\r\n") else lines + b"\r\n"


def sent(content: Content, *pieces: bytes) -> bytes:
    out = [octets for piece in pieces for octets in content.add(piece)]
    return b"".join((*out, *content.finish()))


def cuts(content: bytes) -> list[list[bytes]]:
    """Whole, octet by octet, and cut in two at each place."""
    two = [[content[:at], content[at:]] for at in range(1, len(content))]
    return [[content], [content[at : at + 1] for at in range(len(content))], *two]


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"..\r\n.a\r\n", b"...\r\n..a\r\n.\r\n"),
        (b"a.\r\nb.c\r\n", b"a.\r\nb.c\r\n.\r\n"),
        (b"\r\n.\r\n", b"\r\n..\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r", b"a\r\n.\r\n"),
        (b"a\r\r\n.\r", b"a\r\n\r\n..\r\n.\r\n"),
        (b"a\n\r\n\r.", b"a\r\n\r\n\r\n..\r\n.\r\n"),
        (b"\xff\0\r\n", b"\xff\0\r\n.\r\n"),
    ],
)
def test_dot_stuffed(content: bytes, wire: bytes) -> None:
    for pieces in cuts(content):
        assert sent(DotStuffed(), *pieces) == wire


@given(st.lists(TEXTS, max_size=6))
@example([b"a\r", b"\n.", b"\r", b".\r\n"])
def test_our_server_takes_it_for_what_it_was(pieces: list[bytes]) -> None:
    """And nobody can take anything but the end for the end."""
    wire = sent(DotStuffed(), *pieces)
    assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire)
    scanner = BodyScanner(10**6, 10**6)
    content = scanner.scan(wire + b"QUIT\r\n")
    assert scanner.ended
    assert scanner.rest == b"QUIT\r\n"
    assert scanner.defect is None
    assert content == normalised(b"".join(pieces))


@given(st.lists(TEXTS, max_size=6))
def test_text_in_chunks(pieces: list[bytes]) -> None:
    content = normalised(b"".join(pieces))
    assert sent(Chunks(PureLines()), *pieces) == b"BDAT %d LAST\r\n" % len(content) + content


@given(st.lists(TEXTS, max_size=6))
def test_binary_goes_as_it_is(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    assert sent(Chunks(None), *pieces) == b"BDAT %d LAST\r\n" % len(content) + content


def test_a_chunk_goes_when_there_is_more_behind_it() -> None:
    chunks = Chunks(None)
    half = b"x" * (CHUNK_OCTETS // 2)
    assert chunks.add(half) == chunks.add(half) == ()
    assert chunks.add(b"y") == (b"BDAT %d\r\n" % CHUNK_OCTETS, half, half)
    assert chunks.add(half) == ()
    assert chunks.finish() == (b"BDAT %d LAST\r\n" % (len(half) + 1), b"y", half)
