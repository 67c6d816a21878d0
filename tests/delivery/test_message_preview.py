"""The first words of a message."""

from __future__ import annotations

import base64
import time
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.message_preview import MAX_CHARACTERS, preview

PLAIN = b"text/plain; charset=utf-8"


def parts(*each: bytes, boundary: bytes = b"cut") -> bytes:
    inner = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in each)
    return b"This is MIME.\r\n" + inner + b"--" + boundary + b"--\r\nepilogue\r\n"


@pytest.mark.parametrize(
    ("type", "encoding", "body", "words"),
    [
        (b"", b"", b"Hello\r\n\r\n  you\r\n", "Hello you"),
        (PLAIN, b"8bit", "Gr\u00fc\u00dfe".encode(), "Gr\u00fc\u00dfe"),
        (b' TEXT/Plain;\r\n\tcharset="ISO-8859-1"', b"8bit", b"Gr\xfc\xdfe", "Gr\u00fc\u00dfe"),
        (PLAIN, b"quoted-printable", b"Gr=C3=BC=\r\n=C3=9Fe =3D", "Gr\u00fc\u00dfe ="),
        (PLAIN, b" BASE64 ", base64.b64encode(b"Hi you"), "Hi you"),
        (PLAIN, b"base64", b"SGkgeW\r\n91", "Hi you"),
        (PLAIN, b"base64", b"SGkgeW91I", "Hi you"),
        (PLAIN, b"base64", b"SGk=", "Hi"),
        (PLAIN, b"", b"> you wrote\r\nYes.\r\n-- \r\nJoe\r\n", "Yes."),
        (b"text/html", b"", b"<b>Hello</b>", ""),
        (b"image/png", b"base64", b"SGk=", ""),
        (b"multipart/mixed", b"", parts(b"\r\nHello"), ""),
        (b"multipart/mixed; boundary=cut", b"", parts(b"\r\nHello"), "Hello"),
        (b'multipart/mixed; boundary="cut here"', b"", parts(b"\r\nHello", boundary=b"cut here"), "Hello"),
        (
            b"multipart/mixed; boundary=cut",
            b"",
            parts(b"Content-Type: text/html\r\n\r\n<b>", b"Content-Type: text/plain\r\n\r\nHello"),
            "Hello",
        ),
        (
            b"multipart/mixed; boundary=cut",
            b"",
            parts(
                b"Content-Type: multipart/alternative; boundary=in\r\n\r\n" + parts(b"\r\nIn", boundary=b"in")
            ),
            "In",
        ),
        (b"multipart/mixed; boundary=cut", b"", parts(b"Content-Type: text/html\r\n\r\n<b>"), ""),
        (b"multipart/mixed; boundary=cut", b"", b"--cut\r\nContent-Type: text/html\r\n\r\n<b", ""),
        (b"multipart/mixed; boundary=cut", b"", b"--cut", ""),
    ],
)
def test_the_words(type: bytes, encoding: bytes, body: bytes, words: str) -> None:
    assert preview(type, encoding, body) == words


def test_two_hundred_characters_at_most() -> None:
    assert preview(PLAIN, b"", b"word " * 1000) == ("word " * 40).rstrip()
    assert len(preview(PLAIN, b"", b"x" * 60_000)) == MAX_CHARACTERS


def test_what_a_common_program_writes() -> None:
    message = EmailMessage(policy=SMTP)
    message.set_content("Gr\u00fc\u00dfe aus K\u00f6ln\n")
    message.add_alternative("<p>nobody sees this</p>", subtype="html")
    message.add_attachment(b"x" * 2000, maintype="image", subtype="png")
    _, _, body = message.as_bytes().partition(b"\r\n\r\n")
    assert preview(message["Content-Type"].encode(), b"", body) == "Gr\u00fc\u00dfe aus K\u00f6ln"


def test_parts_within_parts_come_to_an_end() -> None:
    body = b"\r\nHello"
    for number in range(20):
        body = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%s" % (number, number, body)
    _, _, inner = body.partition(b"\r\n\r\n")
    assert preview(b"multipart/mixed; boundary=b19", b"", inner) == ""


FRAGMENTS = st.sampled_from(
    [
        b"--cut",
        b"\r\n",
        b"--",
        b"Content-Type: multipart/mixed; boundary=cut",
        b"text/plain",
        b":",
        b";",
        b'"',
        b"=",
    ]
)
OCTETS = st.lists(FRAGMENTS | st.binary(max_size=5)).map(b"".join)


@given(OCTETS, st.sampled_from([b"", b"base64", b"quoted-printable", b"x"]), OCTETS)
def test_nothing_fails(type: bytes, encoding: bytes, body: bytes) -> None:
    for wanted in (type, b"multipart/mixed; boundary=cut"):
        words = preview(wanted, encoding, body)
        assert len(words) <= MAX_CHARACTERS
        words.encode("utf-8")


@pytest.mark.parametrize(
    "piece", [b"\r\n--cut\r\n", b"--cut", b"Content-Type: multipart/mixed; boundary=cut\r\n", b"="]
)
def test_sixty_kilobytes_of_anything_take_no_time(piece: bytes) -> None:
    began = time.process_time()
    preview(b"multipart/mixed; boundary=cut", b"", piece * (60 * 1024 // len(piece)))
    preview(b";" * 5000 + b" boundary" * 500, b"", b"")
    preview(PLAIN, b"quoted-printable", piece * (60 * 1024 // len(piece)))
    assert time.process_time() - began < 0.3
