"""What a submitted message gets (RFC 6409 section 8)."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.header_addresses import read_addresses
from mailsuite.delivery.header_fields import read_header
from mailsuite.delivery.letterhead import Letterhead, from_field, new_token, sender_field
from mailsuite.model.address import Address

JOE = Address("joe", "example.net")


def completed(block: bytes) -> bytes:
    header = read_header(block, 100)
    Letterhead(JOE, "mail.example.net", 1_700_000_000.9, token="cafe").complete(header)
    return header.octets(b"\r\n")


def test_only_what_is_missing() -> None:
    assert completed(b"From: x\r\nDate: y\r\nMESSAGE-ID : z") == b"From: x\r\nDate: y\r\nMESSAGE-ID : z\r\n"
    assert completed(b"Date: y\r\nMessage-ID: z") == (
        b"Date: y\r\nMessage-ID: z\r\nFrom: joe@example.net\r\n"
    )
    assert completed(b"From: x\r\nMessage-ID: z").endswith(b"\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n")
    assert completed(b"From: x\r\nDate: y").endswith(b"\r\nMessage-ID: <cafe@mail.example.net>\r\n")


def test_without_an_author_nobody_is_written_into_from() -> None:
    header = read_header(b"Bcc: x\r\nTo: y", 100)
    Letterhead(None, "mail.example.net", 1_700_000_000.9, token="cafe").complete(header)
    assert header.octets(b"\r\n") == (
        b"To: y\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <cafe@mail.example.net>\r\n"
    )


def test_nobody_is_put_into_a_message_that_names_nobody() -> None:
    assert b"To:" not in completed(b"Bcc: ann@example.org")


def test_ids_are_unguessable() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 32 and token.isalnum() for token in tokens)
    assert Letterhead(JOE, "a.example", 0.0).token != Letterhead(JOE, "a.example", 0.0).token


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("", b"From: joe@example.net"),
        (" \t\r\n", b"From: joe@example.net"),
        ("Joe Doe", b"From: Joe Doe <joe@example.net>"),
        ("Joe  R\r\nBcc: x", b'From: "Joe R Bcc: x" <joe@example.net>'),
        ("Doe, Joe", b'From: "Doe, Joe" <joe@example.net>'),
        ('J. "\\" D', b'From: "J. \\"\\\\\\" D" <joe@example.net>'),
        ("=?utf-8?Q?x?=", b'From: "=?utf-8?Q?x?=" <joe@example.net>'),
        ("Jörg", b"From: =?utf-8?B?SsO2cmc=?= <joe@example.net>"),
        ("J\0\x85\ud800", b"From: J <joe@example.net>"),
    ],
)
def test_from(name: str, field: bytes) -> None:
    assert from_field(JOE, name) == field


def test_letters_of_an_address_stay() -> None:
    jo = Address("jö", "example.net")
    assert from_field(jo, "Jo") == "From: Jo <jö@example.net>".encode()
    assert sender_field(jo) == "Sender: jö@example.net".encode()


@given(st.text(max_size=400))
def test_no_name_breaks_the_field(name: str) -> None:
    field = from_field(JOE, name)
    assert read_addresses(field.partition(b":")[2]) == (JOE,)
    assert len(read_header(field, 100).fields) == 1
    assert max(map(len, field.split(b"\r\n"))) < 998
    shown = email.message_from_bytes(field + b"\r\n\r\n", policy=email.policy.SMTP)["From"]
    assert [str(one.addr_spec) for one in shown.addresses] == ["joe@example.net"]
