"""Messages with text beyond ASCII for servers that take none (features row Q-10, RFC 6152 section 3)."""

from __future__ import annotations

import quopri
from email import message_from_bytes
from email.message import Message

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailsuite.relay.seven_bit import MAX_NESTING, MAX_OCTETS, in_lines, quoted_printable, seven_bit

TEXT = "Grüße aus Köln\r\n".encode()
FIELDS = b"Received: from a\r\n\tby b\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
PLAIN = FIELDS + b"Content-Type: text/plain; charset=utf-8\r\n"
EIGHT = b"Content-Transfer-Encoding: 8bit\r\n"


def made(message: bytes) -> bytes:
    """What becomes of it; it is one that can go."""
    found = seven_bit(message)
    assert found is not None
    assert found.isascii()
    assert b"\n" not in found.replace(b"\r\n", b"")
    return found


def leaves(message: Message) -> list[tuple[str, bytes]]:
    """Type and content of each part that has no parts."""
    found = []
    for part in message.walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            found.append((part.get_content_type(), content))
    return found


def multipart(kind: bytes, *parts: bytes, fields: bytes = FIELDS, boundary: bytes = b"=_a") -> bytes:
    inside = b"".join(b"\r\n--" + boundary + b"\r\n" + part for part in parts)
    head = fields + b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n' + EIGHT
    return head + b"\r\nNobody reads this." + inside + b"\r\n--" + boundary + b"--\r\n"


def test_text_is_quoted_and_all_else_stays() -> None:
    assert made(PLAIN + EIGHT + b"X-Last: yes\r\n\r\n" + TEXT + b"a=b\r\n") == (
        PLAIN
        + b"Content-Transfer-Encoding: quoted-printable\r\nX-Last: yes\r\n\r\n"
        + b"Gr=C3=BC=C3=9Fe aus K=C3=B6ln\r\na=3Db\r\n"
    )


def test_what_is_ascii_is_not_touched() -> None:
    message = PLAIN + EIGHT + b"\r\na=b \r\n" + b"x" * 2000
    assert seven_bit(message) is message


@pytest.mark.parametrize(
    "encoding",
    [
        b"",
        b"Content-Transfer-Encoding: 7bit\r\n",
        b"content-transfer-encoding :\r\n 8BIT\r\n",
        b"Content-Transfer-Encoding: binary\r\nContent-Transfer-Encoding: 8bit\r\n",
    ],
)
def test_the_field_is_there_once_and_true(encoding: bytes) -> None:
    found = made(PLAIN + encoding + b"X-Last: yes\r\n\r\n" + TEXT)
    assert found.lower().count(b"content-transfer-encoding") == 1
    message = message_from_bytes(found)
    assert (message["Content-Transfer-Encoding"], message["X-Last"]) == ("quoted-printable", "yes")
    assert leaves(message) == [("text/plain", TEXT)]


def test_text_that_says_nothing_of_itself() -> None:
    """RFC 1428: what its letters are nobody knows."""
    message = message_from_bytes(made(b"Subject: Hello\r\n\r\n" + TEXT))
    assert message["MIME-Version"] == "1.0"
    assert message.get_content_charset() == "unknown-8bit"
    assert leaves(message) == [("text/plain", TEXT)]
    bare = made(b"\r\n\r\n" + TEXT)
    assert bare.startswith(b"MIME-Version: 1.0\r\n")
    assert leaves(message_from_bytes(bare)) == [("text/plain", b"\r\n" + TEXT)]
    typed = made(b"Content-Type: text/html\r\n\r\n" + TEXT)
    assert typed.count(b"Content-Type:") == 1


def test_parts() -> None:
    html = b"Content-Type: text/html; charset=utf-8\r\n" + EIGHT + b"\r\n<p>" + TEXT + b"</p>"
    data = b"Content-Type: application/x-thing\r\n" + EIGHT + b"\r\n" + TEXT * 9
    plain = b"Content-Type: text/plain\r\nContent-ID: <1>\r\n\r\nASCII = ASCII \r\n"
    inner = multipart(b"alternative", plain, html, fields=b"", boundary=b"=_a=b")
    message = multipart(b"mixed", inner, data, b"\r\n" + TEXT)
    found = message_from_bytes(made(message))
    assert leaves(found) == leaves(message_from_bytes(message))
    assert plain in made(message)
    assert [part["Content-Transfer-Encoding"] for part in found.walk()] == [
        "7bit",
        "7bit",
        None,
        "quoted-printable",
        "base64",
        "quoted-printable",
    ]
    assert "MIME-Version" not in list(found.walk())[1]


def test_a_letter_in_a_letter() -> None:
    inner = b"Subject: inner\r\n\r\n" + TEXT
    message = multipart(b"mixed", b"Content-Type: message/rfc822\r\n" + EIGHT + b"\r\n" + inner)
    (kind, text), = leaves(message_from_bytes(made(message)))  # fmt: skip
    assert (kind, text.rstrip()) == ("text/plain", TEXT.rstrip())
    digest = multipart(b"digest", b"\r\n" + inner)
    assert b"=C3=BC" in made(digest)


def test_what_nobody_is_shown_loses_what_is_beyond_ascii() -> None:
    part = b"Content-Type: text/plain\r\n\r\n" + TEXT
    message = multipart(b"mixed", part).replace(b"Nobody", "Nöbody".encode()) + "Ende ä".encode()
    found = made(message)
    assert b"N??body" in found
    assert found.endswith(b"Ende ??")


def test_odd_delimiters() -> None:
    head = FIELDS + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    body = b"--b\r\n--b \t\r\n\r\n" + TEXT + b"\r\n--bb\r\n--b--x\r\n--b\r\n\r\nend"
    found = made(head + body)
    assert leaves(message_from_bytes(found)) == leaves(message_from_bytes(head + body))
    assert b"\r\n--bb\r\n" in found


@pytest.mark.parametrize(
    "message",
    [
        FIELDS + "X-Name: Köln\r\n\r\nHello\r\n".encode(),
        PLAIN + "no end: ä".encode(),
        PLAIN + b"Content-Transfer-Encoding: base64\r\n\r\n" + TEXT,
        PLAIN + b"Content-Transfer-Encoding: x-own\r\n\r\n" + TEXT,
        multipart(b"signed; micalg=x", b"\r\n" + TEXT, b"\r\nsignature"),
        multipart(b"encrypted", b"\r\n" + TEXT),
        multipart(b"mixed", multipart(b"signed", b"\r\n" + TEXT, fields=b"", boundary=b"s")),
        multipart(b"mixed", "Content-Type: text/plain; name=ä\r\n\r\nx".encode()),
        multipart(b"mixed", "no header: ä".encode()),
        FIELDS + b"Content-Type: multipart/mixed\r\n\r\n" + TEXT,
        FIELDS + b"Content-Type: multipart/mixed; boundary*=utf-8''%C3%A4\r\n\r\n" + TEXT,
        FIELDS + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + TEXT,
        FIELDS + b"Content-Type: message/partial; id=x\r\n\r\n" + TEXT,
        FIELDS + b"Content-Type: message/global\r\n\r\n" + TEXT,
        FIELDS + b"Content-Type: multipart/mixed; boundary*=\0''b\r\n\r\n--b\r\n\r\n" + TEXT,
        b"Content-Type: message/rfc822\r\n\r\n" * (MAX_NESTING + 2) + TEXT,
        PLAIN + EIGHT + b"\r\n" + TEXT * (MAX_OCTETS // len(TEXT)),
    ],
)
def test_what_cannot_go(message: bytes) -> None:
    assert seven_bit(message) is None


def test_mail_signed_by_dkim_goes() -> None:
    assert b"DKIM-Signature: v=1" in made(b"DKIM-Signature: v=1; b=x\r\n" + PLAIN + EIGHT + b"\r\n" + TEXT)


LINES = st.lists(st.binary(max_size=200).map(lambda some: some.translate(None, b"\r\n")), max_size=8)


@given(LINES, st.booleans())
@example([b"x" * 75 + b" ", b"\xff" * 100, b".", b"From here", b"\t"], True)
@example([b"\xff" * 100], False)
def test_quoting(lines: list[bytes], ended: bool) -> None:
    text = b"\r\n".join(lines) + b"\r\n" * ended
    found = quoted_printable(text)
    assert found.isascii()
    assert b"\n" not in found.replace(b"\r\n", b"")
    assert all(len(line) <= 76 and line == line.rstrip(b" \t") for line in found.split(b"\r\n"))
    assert quopri.decodestring(found) == text


@given(st.binary(max_size=300), LINES)
def test_no_input_breaks_it(noise: bytes, lines: list[bytes]) -> None:
    for message in (noise, multipart(b"mixed", noise, *lines), PLAIN + b"\r\n".join(lines)):
        found = seven_bit(message)
        assert found is None or found.isascii()


BINARY = b"Content-Transfer-Encoding: binary\r\n"
PNG = b"Content-Type: image/png\r\n" + BINARY
OCTETS = bytes(range(256)) * 5


def in_lines_of(message: bytes) -> bytes:
    """What becomes of a binary message; it is one that can go."""
    found = in_lines(message)
    assert found is not None
    assert found.isascii()
    assert b"\0" not in found
    assert b"\n" not in found.replace(b"\r\n", b"")
    assert max(map(len, found.split(b"\r\n"))) <= 998
    assert b"binary" not in found.lower()
    return found


def test_octets_are_base64_and_text_is_quoted() -> None:
    text = b"Content-Type: text/plain\r\n" + BINARY + b"\r\n" + TEXT
    found = in_lines_of(multipart(b"mixed", text, PNG + b"\r\n" + OCTETS))
    message = message_from_bytes(found)
    assert leaves(message) == [("text/plain", TEXT), ("image/png", OCTETS)]
    encodings = [part["Content-Transfer-Encoding"] for part in message.walk()]
    assert encodings == ["7bit", "quoted-printable", "base64"]


def test_what_is_lines_is_called_so() -> None:
    found = in_lines_of(PLAIN + BINARY + b"\r\nHello\r\n")
    assert found == PLAIN + b"Content-Transfer-Encoding: 7bit\r\n\r\nHello\r\n"
    for said in (b"Hello\r\n", b"\r\nContent-Transfer-Encoding: binary\r\nis what it said\r\n"):
        message = PLAIN + b"\r\n" + said
        assert in_lines(message) == message


@pytest.mark.parametrize("text", [b"one\ntwo\r\n", b"one\rtwo", b"\r"])
def test_text_with_line_ends_that_are_none_is_octets(text: bytes) -> None:
    found = in_lines_of(PLAIN + BINARY + b"\r\n" + text)
    assert b"Content-Transfer-Encoding: base64" in found
    assert leaves(message_from_bytes(found)) == [("text/plain", text)]


@pytest.mark.parametrize("text", [b"x" * 5000, b"\0" + TEXT])
def test_text_that_is_no_line(text: bytes) -> None:
    found = in_lines_of(PLAIN + BINARY + b"\r\n" + text)
    assert leaves(message_from_bytes(found)) == [("text/plain", text)]


def test_what_stands_around_binary_parts() -> None:
    parts = multipart(b"mixed", PNG + b"\r\n" + OCTETS)
    head, _, rest = parts.partition(b"\r\n\r\n")
    message = head + b"\r\n\r\nshown\nto nobody" + rest + b"\r\nnor\nthis"
    found = in_lines_of(message)
    assert leaves(message_from_bytes(found)) == [("image/png", OCTETS)]
    assert b"nobody" not in found


def test_lines_of_the_longest_kind_take_no_longer() -> None:
    text = (b"x" * 998 + b"\r\n") * (MAX_OCTETS // 1100)
    found = in_lines_of(PLAIN + BINARY + b"\r\n" + text)
    assert found.endswith(b"7bit\r\n\r\n" + text)


def test_base64_beside_it_stays() -> None:
    other = b"Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\naGFsbG8=\r\n"
    found = in_lines_of(multipart(b"mixed", other, PNG + b"\r\n" + OCTETS))
    assert other in found


@pytest.mark.parametrize(
    "message",
    [
        FIELDS + b"X-Name: a\nb\r\n" + PNG + b"\r\n" + OCTETS,
        multipart(b"signed; micalg=x", PNG + b"\r\n" + OCTETS, b"\r\nsignature"),
        FIELDS + b"Content-Type: message/partial; id=x\r\n" + BINARY + b"\r\n" + OCTETS,
        FIELDS + b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + OCTETS,
        FIELDS + b"X-Long: " + b"x" * 999 + b"\r\n" + PNG + b"\r\n" + OCTETS,
        PLAIN + BINARY + b"\r\n" + b"x" * MAX_OCTETS,
    ],
)
def test_what_binary_cannot_go(message: bytes) -> None:
    assert in_lines(message) is None


@given(st.binary(max_size=300), LINES)
def test_nothing_binary_breaks_it(noise: bytes, lines: list[bytes]) -> None:
    for message in (noise, multipart(b"mixed", noise, *lines), PNG + b"\r\n" + noise):
        found = in_lines(message)
        assert found is None or (found.isascii() and b"\n" not in found.replace(b"\r\n", b""))
