"""Nothing but CR LF . CR LF ends a message, however it is cut (features rows M-03 and M-08)."""

from __future__ import annotations

import itertools
import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.reply import BARE_NEWLINE
from mailsuite.wire.smtp.body import BodyScanner
from mailsuite.wire.smtp.events import BodyChunk, BodyEnd, Mail
from mailsuite.wire.smtp.text import with_crlf
from tests.wire.smtp.conftest import Begin, Conversation

LINE_ENDS = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\r",
    b"\r\r\n",
    b"\r\n\n",
    b"\r\0\n",
    b"\r\n\0",
    b"\0\r\n",
    b"\0",
    b"\x85",
]
FALSE_ENDS = [
    before + b"." + after
    for before, after in itertools.product(LINE_ENDS, LINE_ENDS)
    # What ends with CRLF before the dot and begins with it behind is the true end.
    if not (before.endswith(b"\r\n") and after.startswith(b"\r\n"))
]
LOGIN = f"AUTH PLAIN {b64encode(b'.joe.secret'.replace(b'.', bytes(1))).decode()}"
ENVELOPE = ("MAIL FROM:<ann@example.org>", "RCPT TO:<joe@example.net>", "DATA")


def in_data(begin: Begin, service: str, normalise: bool) -> Conversation:
    """A conversation after 354."""
    if service == "smtp":
        conversation = begin(tls_available=True, normalise_newlines=normalise)
        conversation.say("EHLO x", *ENVELOPE)
    else:
        conversation = begin(
            True,
            tls_required=True,
            auth_required=True,
            auth_mechanisms=("PLAIN",),
            normalise_newlines=normalise,
        )
        conversation.say("EHLO x", LOGIN, *ENVELOPE)
    assert conversation.session.in_body
    return conversation


def every_segmentation(stream: bytes) -> list[list[bytes]]:
    """Whole, octet by octet, and cut in two at each place."""
    cut = [[stream[:at], stream[at:]] for at in range(1, len(stream))]
    return [[stream], [stream[at : at + 1] for at in range(len(stream))], *cut]


@pytest.mark.parametrize("normalise", [False, True], ids=["refuse", "normalise"])
@pytest.mark.parametrize("service", ["smtp", "submission"])
@pytest.mark.parametrize("mark", FALSE_ENDS, ids=repr)
def test_a_false_end_is_no_end(begin: Begin, mark: bytes, service: str, normalise: bool) -> None:
    inside = b"a" + mark + b"RSET\r\n"
    bare = re.search(rb"\r(?!\n)|(?<!\r)\n", inside) is not None
    lines = inside.split(b"\r\n")
    message = b"\r\n".join(line.removeprefix(b".") for line in lines)
    message = re.sub(rb"\r\n|\r|\n", b"\r\n", message) if normalise else message
    for pieces in every_segmentation(inside + b".\r\nQUIT\r\n"):
        conversation = in_data(begin, service, normalise)
        heard = conversation.send(*pieces).decode()
        refused = bare and not normalise
        assert [line[:9] for line in heard.split("\r\n")] == [
            "550 5.5.2" if refused else "250 2.0.0",
            "221 2.0.0",
            "",
        ]
        (end,) = conversation.took(BodyEnd)
        assert len(conversation.took(Mail)) == 1
        if not refused:
            assert b"".join(chunk.data for chunk in conversation.took(BodyChunk)) == message
            dots = any(line.startswith(b".") for line in message.split(b"\r\n"))
            assert end == BodyEnd(len(message), None, dots)
        else:
            assert end.defect == BARE_NEWLINE


@pytest.mark.parametrize("mark", FALSE_ENDS, ids=repr)
def test_what_a_false_end_became_is_stuffed_by_whoever_sends_it_on(mark: bytes) -> None:
    """A dot that begins a line now is told of: the maildrop and the courier stuff it."""
    scanner = BodyScanner(1000, 1000, True)
    message = scanner.scan(b"a" + mark + b"b\r\n.\r\n")
    assert scanner.dot_lines == (b"\r\n." in message)
    assert scanner.defect is None
    assert scanner.size == len(message)


@given(
    st.lists(
        st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"bc", b"\r\n.", b"\0"]), max_size=30
    ),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_normalising_is_that_of_a_plain_reading(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces) + b"\r\n.\r\nQUIT"
    head, _, rest = (b"\r\n" + stream).partition(b"\r\n.\r\n")
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    scanner, got = BodyScanner(1000, 4, True), b""
    for a, b in itertools.pairwise(edges):
        if scanner.ended:
            scanner.rest += stream[a:b]
        else:
            got += scanner.scan(stream[a:b])
    assert scanner.rest == rest
    lines = head.split(b"\r\n")[1:]
    plain = with_crlf(b"".join(line.removeprefix(b".") + b"\r\n" for line in lines))
    assert scanner.size == len(plain)
    assert not scanner.bare_newline
    on_the_wire = with_crlf(b"".join(line + b"\r\n" for line in lines)).split(b"\r\n")
    assert scanner.overlong_line == any(len(line) > 4 for line in on_the_wire)
    assert scanner.dot_lines == any(line.startswith(b".") for line in plain.split(b"\r\n"))
    if not scanner.overlong_line:
        assert got == plain


@pytest.mark.parametrize("octets", [998, 999, 4096, 65535, 65536])
def test_long_lines_are_taken_whole(begin: Begin, octets: int) -> None:
    conversation = in_data(begin, "smtp", False)
    line = b"x" * octets + b"\r\n"
    assert conversation.send(line, b".\r\n").startswith(b"250 ")
    assert b"".join(chunk.data for chunk in conversation.took(BodyChunk)) == line


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b""], ids=repr)
@pytest.mark.parametrize("size", [1000, 65537, 200_000])
def test_a_line_beyond_the_limit_never_leads_back_to_commands(begin: Begin, end: bytes, size: int) -> None:
    conversation = in_data(begin, "smtp", False)
    stream = b"x" * 65537 + end + b"MAIL FROM:<evil@example.net>\r\n.\r\nNOOP\r\n"
    heard = conversation.send(*(stream[at : at + size] for at in range(0, len(stream), size)))
    defect = b"500 5.6.0" if end in (b"\r\n", b"") else b"550 5.5.2"
    assert [line[:9] for line in heard.splitlines()] == [defect, b"250 2.0.0"]
    assert len(conversation.took(Mail)) == 1


def test_the_limit_is_a_setting(begin: Begin) -> None:
    for octets, code in ((20, "250 2.0.0"), (21, "500 5.6.0")):
        conversation = begin(max_text_line=20)
        assert conversation.say("EHLO x", *ENVELOPE, "x" * octets, ".").startswith(code)
