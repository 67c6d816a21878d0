"""Surrogates of internationalized headers (RFC 6857, RFC 6858; features row P-21)."""

from __future__ import annotations

import time
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value, getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.pop3.downgrade import MAX_LINE_OCTETS, is_internationalized, surrogate

NOBODY = "<invalid@internationalized-address.invalid>"


def downgraded(*fields: str) -> list[str]:
    """The fields of the surrogate, unfolded."""
    header = "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n"
    answer = surrogate(header)
    assert answer.endswith(b"\r\n\r\n") or answer == b"\r\n"
    return answer.decode("ascii").removesuffix("\r\n").replace("\r\n ", " ").splitlines()


def readable(text: str) -> str:
    """As a program that knows RFC 2047 shows it."""
    return str(make_header(decode_header(text)))


def read(header: bytes) -> Message:
    return BytesHeaderParser().parsebytes(header)


# What is one


@pytest.mark.parametrize(
    ("header", "is_one"),
    [
        (b"", False),
        (b"Subject: plain\r\n\r\n", False),
        ("Subject: Grüße\r\n\r\n".encode(), True),
        ("Subject: Grüße\r\n\r\n".encode("latin-1"), False),
        ("Subject: Grüße\r\nTo: ".encode() + b"\xfc@x\r\n\r\n", False),
        (b"Subject: \xc0\xaf\r\n", False),
        (b"Subject: \xed\xa0\x80\r\n", False),
        ("Sübject: x\r\n".encode(), True),
        ("用户".encode(), True),
    ],
)
def test_internationalized_is_what_rfc_6532_says(header: bytes, is_one: bool) -> None:
    assert is_internationalized(header) is is_one
    if not is_one:
        assert surrogate(header) is header


# Addresses


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Jörg <joe@example.net>", "Jörg <joe@example.net>"),
        ("Jörg Q. Müller <joe@example.net>", "Jörg Q. Müller <joe@example.net>"),
        ('"Müller, Jörg" <joe@example.net>', "Müller, Jörg <joe@example.net>"),
        ('"Plain" Jörg <joe@example.net>', '"Plain" Jörg <joe@example.net>'),
        ("joe@exämple.net", "joe@xn--exmple-cua.net"),
        ("Joe <joe@exämple.net>", "Joe <joe@xn--exmple-cua.net>"),
        ("<joe@例子.测试>", "<joe@xn--fsqu00a.xn--0zwm56d>"),
        ("jörg@example.net", f"jörg@example.net {NOBODY}"),
        ("Jörg <jörg@exämple.net>", f"Jörg <jörg@exämple.net> {NOBODY}"),
        ('"A \\"B\\"" <jörg@x.y>', f'A "B" <jörg@x.y> {NOBODY}'),
        ("a@b.c, Zoë <z@x.y>, d@e.f", "a@b.c, Zoë <z@x.y>, d@e.f"),
        ('"X,  Y;" <x@y.z>, é <e@x.y>', '"X,  Y;" <x@y.z>, é <e@x.y>'),
        ("Freunde: a@b.c, ü@x.y, c@d.e;", f"Freunde: a@b.c, ü@x.y {NOBODY}, c@d.e;"),
        ("Grüße: a@b.c;", "Grüße : a@b.c;"),
        ("Grüße:;, x@y.z", "Grüße :;, x@y.z"),
        ("joe@x.y (Jörg)", "joe@x.y (Jörg)"),
        (r"joe@x.y (Jö\) (r\() g)", "joe@x.y (Jö) (r() g)"),
        ("(plain) Jörg <joe@x.y> (é (tief))", "Jörg <joe@x.y> (plain) (é (tief))"),
        ("<@a.b,@c.d:joe@exämple.net>", "<@a.b,@c.d:joe@xn--exmple-cua.net>"),
        ("joe@[é]", f"joe@[é] {NOBODY}"),
        (f"joe@{'ä' * 300}.net", f"joe@{'ä' * 300}.net {NOBODY}"),
        ("é", f"é {NOBODY}"),
        ("é <joe@x.y", "é <joe@x.y>"),
        (", é <e@x.y>", ", é <e@x.y>"),
    ],
)
@pytest.mark.parametrize("name", ["From", "to", "Resent-Reply-To", "Bcc"])
def test_addresses(name: str, value: str, shown: str) -> None:
    (field,) = downgraded(f"{name}: {value}")
    assert field.startswith(f"{name}: ")
    assert readable(field.partition(": ")[2]) == shown


def test_an_address_that_cannot_be_said_is_nobodys_and_says_what_it_was() -> None:
    """RFC 6858 section 2.1."""
    (field,) = downgraded("From: Fred Föö <fréd@example.com>")
    (name, address) = getaddresses([field.partition(": ")[2]])[0]
    assert address == "invalid@internationalized-address.invalid"
    assert readable(name) == "Fred Föö <fréd@example.com>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("<jörg@x.y>", NOBODY), ("<joe@exämple.net>", "<joe@xn--exmple-cua.net>"), ("é", NOBODY)],
)
def test_a_return_path_has_no_name(value: str, shown: str) -> None:
    assert downgraded(f"Return-Path: {value}") == [f"Return-Path: {shown}"]


# Text


@pytest.mark.parametrize("name", ["Subject", "X-Whatever", "List-Id", "Comments", "Downgraded-From"])
@pytest.mark.parametrize(
    "value",
    [
        "Grüße",
        "Re: Grüße aus Köln am Rhein, plain words between; and ümore",
        "日本語のとても長い題名です。" * 20,
        "🙂" * 100,
        "a\u00a0b\u3000c\u2028d",
        "é " + "x" * 3000,
    ],
)
def test_text_can_be_read(name: str, value: str) -> None:
    (field,) = downgraded(f"{name}: {value}")
    assert readable(field.removeprefix(f"{name}: ")) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= und mehr ü", "Grüße und mehr ü"),
        ("é =?utf-8?q?Gr=C3=BC=C3=9Fe?= é", "é Grüße é"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?=C3=BC?= é", "Grüßeü é"),
        ("é =?none", "é =?none"),
    ],
)
def test_words_that_were_encoded_already_are_read_with_their_spaces(value: str, shown: str) -> None:
    (field,) = downgraded(f"Subject: {value}")
    assert readable(field) == f"Subject: {shown}"


def test_ascii_words_stay() -> None:
    (field,) = downgraded("Subject: Re: Grüße  aus\t\tKöln, Joe")
    assert field == "Subject: Re: =?utf-8?B?R3LDvMOfZQ==?= aus =?utf-8?B?S8O2bG4s?= Joe"


def test_encoded_words_have_short_lines() -> None:
    """RFC 2047 section 2."""
    answer = surrogate(("Subject: " + "ü" * 200 + " plain " * 50 + "\r\n").encode())
    lines = answer.split(b"\r\n")
    assert len(lines) > 5
    assert max(map(len, lines)) <= 76


def test_no_control_character_comes_out_of_an_encoded_word() -> None:
    (field,) = downgraded("Subject: é\x00\x07\rBcc: x\n\x7f é")
    assert readable(field) == "Subject: é Bcc: x é"


# Other fields


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("Date: Fri, 20 Nov 2026 09:30:00 +0000 (Küche)", ["Date: Fri, 20 Nov 2026 09:30:00 +0000 (Küche)"]),
        ("MIME-Version: (é) 1.0", ["MIME-Version: (é) 1.0"]),
        ("Date: Frü", []),
        ("Keywords: a, grün, zwei wörter", ["Keywords: a , grün , zwei wörter"]),
        ("Message-ID: <é@x.y>", ["Downgraded-Message-ID: <é@x.y>"]),
        ("References: <a@b> <é@x>", ["Downgraded-References: <a@b> <é@x>"]),
        (
            "Received: from mail.exämple.net (é) by mx.x.y with UTF8SMTP id é for <é@x.y>; Fri, 20 Nov",
            ["Received: from mail.xn--exmple-cua.net (é) by mx.x.y with UTF8SMTP; Fri, 20 Nov"],
        ),
        ("Received: for é", ["Received:"]),
        ("Received: for é; x", ["Received: x"]),
        ("Received: by x.y for é; for é; id é;", ["Received: by x.y;"]),
        ("To: é,,;,", [f"To: é {NOBODY},,;,"]),
        ("Received: by é@x; Fri", []),
        (f"Received: by {'ä' * 300}", []),
        ("Content-Type: text/plain; charset=utf-8; name=é", [None]),
        ("Content-Type: text/plän; charset=utf-8", []),
        ("Content-Type: text/plain; nämé=x;; charset=utf-8", ["Content-Type: text/plain; charset=utf-8"]),
        ("Content-Type: text/plain; name*=é; x=y", ["Content-Type: text/plain; x=y"]),
        ("Content-Type: text/plain; é", ["Content-Type: text/plain"]),
        ("Content-Type: text/plain; ; é; x=y", ["Content-Type: text/plain; x=y"]),
        (
            'Content-Type: multipart/mixed; é; boundary="=_a;b"',
            ['Content-Type: multipart/mixed; boundary="=_a;b"'],
        ),
        ("Content-Type: text/plain (é); x=y", ["Content-Type: text/plain; x=y (é)"]),
        ("Sübject: x", []),
        ("From é Fri Nov 20", []),
        (": é", []),
        ("Subject : é", ["Subject: é"]),
        ("Subject:é", ["Subject: é"]),
        ("To: " + "x" * 999 + "@x.y, é@x.y", []),
    ],
)
def test_other_fields(field: str, shown: list[str | None]) -> None:
    answer = downgraded(field)
    if shown != [None]:
        assert [readable(each) for each in answer] == shown


@pytest.mark.parametrize(
    "filename",
    ["é.txt", "Grüße aus Köln.pdf", "日本語" * 30 + ".txt", 'a"b\\é;c,d.txt', "é" * 18, "é" * 19],
)
@pytest.mark.parametrize(
    "name", ["Content-Disposition: attachment; filename", "Content-Type: text/plain; name"]
)
def test_names_of_files_can_be_read(name: str, filename: str) -> None:
    quoted = filename.replace("\\", "\\\\").replace('"', '\\"')
    header = surrogate(f'{name}="{quoted}"; size=7\r\n\r\n'.encode())
    field, _, parameter = name.partition(": ")
    message = read(header)
    value = message.get_param(parameter.rpartition("; ")[2], header=field)
    assert collapse_rfc2231_value(value) == filename
    assert message.get_param("size", header=field) == "7"


def test_an_unquoted_value_is_taken_as_well() -> None:
    message = read(surrogate("Content-Disposition: attachment; filename = é b.txt\r\n\r\n".encode()))
    assert message.get_filename() == "é b.txt"


# The whole

HEADER = """\
Received: by x.y\r
From: =?utf-8?q?J=C3=B6rg?= <joe@x.y>\r
To: plain@x.y,\r
\tother@x.y\r
Subject: Grüße\r
 aus Köln\r
X-Odd:   as   it\tis\r
DKIM-Signature: v=1; b=abc\r
"""


def test_fields_in_ascii_stay_octet_by_octet() -> None:
    answer = surrogate(HEADER.encode() + b"\r\n").decode("ascii")
    before, _, after = HEADER.partition("Subject: Grüße\r\n aus Köln\r\n")
    assert answer.startswith(before)
    assert answer.endswith(after + "\r\n")


@pytest.mark.parametrize("end", ["", "\r\n", "\r\n\r\n", "\r\n\r\nBödy: é\r\n.\r\n"])
def test_the_end_stays_as_it_is(end: str) -> None:
    """The body, where it comes along, is not looked at."""
    answer = surrogate(("Subject: é" + end).encode())
    assert answer == b"Subject: =?utf-8?B?w6k=?=" + end.encode()


NAMES = st.sampled_from(
    [
        *(
            "From",
            "To",
            "Cc",
            "Subject",
            "Received",
            "Content-Type",
            "Content-Disposition",
            "Date",
            "Keywords",
        ),
        *("Message-ID", "Return-Path", "X-Any", "Ü", ""),
    ]
)
PIECES = st.sampled_from(
    [
        *(
            '"',
            "\\",
            "(",
            ")",
            "<",
            ">",
            ",",
            ":",
            ";",
            "@",
            "[",
            "]",
            "=",
            "?",
            "%",
            "'",
            "*",
            " ",
            "\t",
            ".",
        ),
        *(
            "é",
            "ü@x.y",
            "a@b.c",
            "x" * 80,
            "日本語" * 9,
            "\r\n ",
            "\r\n\t",
            "\r",
            "\n",
            "\0",
            "name=",
            "for ",
        ),
        *("=?utf-8?q?x?=", "\u2028", "\x85", "\U0001f642", "text/plain"),
    ]
)
VALUES = st.lists(PIECES, max_size=12).map("".join)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(
    lambda fields: "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
)


@given(st.one_of(HEADERS, st.text(max_size=60)))
def test_a_surrogate_is_ascii_in_short_lines(header: str) -> None:
    octets = header.encode("utf-8", "replace")
    head, empty_line, _ = octets.partition(b"\r\n\r\n")
    octets = b"" if octets.startswith(b"\r\n") else head + empty_line
    answer = surrogate(octets)
    assert answer.isascii()
    assert surrogate(answer) is answer
    if not octets.isascii():
        long = {line for line in octets.split(b"\r\n") if len(line) > MAX_LINE_OCTETS}
        assert {line for line in answer.split(b"\r\n") if len(line) > MAX_LINE_OCTETS} <= long
    assert field_names(answer) <= field_names(octets)


def field_names(header: bytes) -> set[bytes]:
    lines = (line for line in header.split(b"\r\n") if not line.startswith((b" ", b"\t")))
    return {line.partition(b":")[0].strip().lower().removeprefix(b"downgraded-") for line in lines} | {b""}


ADDRESS = st.tuples(
    st.text(
        st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs"), blacklist_characters="=?"),
        max_size=30,
    ),
    st.from_regex(r"[a-z]{1,9}@[a-z]{1,9}\.[a-z]{2,3}", fullmatch=True),
)


@given(st.lists(ADDRESS, min_size=1, max_size=8))
def test_recipients_in_ascii_are_all_kept(recipients: list[tuple[str, str]]) -> None:
    quoted = [name.replace("\\", "\\\\").replace('"', '\\"') for name, _ in recipients]
    value = ", ".join(f'"{name}" <{each[1]}>' for name, each in zip(quoted, recipients, strict=True))
    message = read(surrogate(f"To: {value}\r\nSubject: é\r\n\r\n".encode()))
    answer = message["To"].replace("\r\n", "")
    assert [address for _, address in getaddresses([answer])] == [address for _, address in recipients]


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="=?"), max_size=200))
def test_any_subject_can_be_read(subject: str) -> None:
    words = " ".join(word for word in subject.split(" ") if word)
    message = read(surrogate(f"Subject: {subject}\r\nX: é\r\n\r\n".encode()))
    assert readable(message["Subject"].replace("\r\n", "")).split(" ") == words.split(
        " "
    ) or not subject.strip(" ")


@pytest.mark.parametrize(
    "piece",
    ['"', "(", "\\", "<", ",", "[", "é,", "é ", "(é", '"é', "a=é;", "=?", "ü@ä.é,", "\r\n é", ":", ";é"],
)
@pytest.mark.parametrize("name", ["To", "Subject", "Content-Type", "Received", "Date"])
def test_no_header_takes_long(name: str, piece: str) -> None:
    header = f"{name}: é{piece * (20_000 // len(piece))}\r\n\r\n".encode()
    began = time.process_time()
    assert surrogate(header).isascii()
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        ("Subject: ", "é"),
        ("X: é\r\n", " \r\n"),
        ("Subject: é\r\n", " é\r\n"),
        ("To: é", ","),
        ("To: é@x", ";"),
        ("To: ", "é@x.y,"),
        ("To: é", "<"),
        ("To: é", "()"),
        ("To: é", "("),
        ("Received: ", "é for x; "),
        ("Content-Type: a/b; ", "a=é;"),
        ("", "a:é\r\n"),
    ],
)
def test_thirty_times_as_much_takes_thirty_times_as_long(start: str, piece: str) -> None:
    """Not 900 times, as what is put together by appending to what grows; the machine may be busy."""

    def seconds(octets: int) -> float:
        header = (start + piece * (octets // len(piece.encode())) + "\r\n\r\n").encode()
        began = time.process_time()
        assert surrogate(header).isascii()
        return time.process_time() - began

    small = max(seconds(4_000) for _ in range(3))
    assert seconds(120_000) < 300 * small + 0.05
