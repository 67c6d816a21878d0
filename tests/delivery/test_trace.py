"""The trace fields: their form (RFC 5321 section 4.4), and that nobody can break out of it."""

from __future__ import annotations

import email
import email.policy
from ipaddress import ip_address
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.trace import Stamp, delivered_to, received, return_path
from mailsuite.model.address import POSTMASTER, Address, AddressSyntaxError
from mailsuite.model.facts import ConnectionFacts

JOE = Address("joe", "example.net")
TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384"
FACTS = ConnectionFacts(
    "s1", "mx", "smtp", ip_address("192.0.2.1"), 25, helo="client.example.org", esmtp=True
)
STAMP = Stamp("mail.example.net", FACTS, "0a1b2c", 1_700_000_000.9)


def stamped(recipient: Address | None = None, **facts: Any) -> str:
    connection = attrs.evolve(FACTS, **facts)
    return received(attrs.evolve(STAMP, connection=connection, recipient=recipient)).decode()


def test_received_says_who_how_and_when() -> None:
    assert received(attrs.evolve(STAMP, recipient=JOE)) == (
        b"Received: from client.example.org ([192.0.2.1])\r\n"
        b"\tby mail.example.net (mailsuite) with ESMTP id 0a1b2c\r\n"
        b"\tfor <joe@example.net>;\r\n"
        b"\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
    )


def test_received_shows_tls_as_a_comment() -> None:
    assert stamped(tls=TLS) == (
        "Received: from client.example.org ([192.0.2.1])\r\n"
        "\tby mail.example.net (mailsuite) with ESMTPS id 0a1b2c\r\n"
        f"\t({TLS});\r\n"
        "\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("esmtp", "tls", "account", "keyword"),
    [
        (False, "", None, "SMTP"),
        (False, TLS, None, "SMTP"),
        (True, "", None, "ESMTP"),
        (True, TLS, None, "ESMTPS"),
        (True, "", JOE, "ESMTPA"),
        (True, TLS, JOE, "ESMTPSA"),
    ],
)
def test_keywords_of_rfc_3848(esmtp: bool, tls: str, account: Address | None, keyword: str) -> None:
    field = stamped(esmtp=esmtp, tls=tls, account=account)
    assert f" with {keyword} id " in field
    assert "joe" not in field


def test_ipv6_peers_are_tagged_literals() -> None:
    assert "from client.example.org ([IPv6:2001:db8::1])\r\n" in stamped(peer=ip_address("2001:DB8:0::1"))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("", "[192.0.2.1]"),
        ("[192.0.2.77]", "[192.0.2.77]"),
        ("[IPv6:2001:db8::5]", "[IPv6:2001:db8::5]"),
        ("my_host-1.local", "my_host-1.local"),
        ("a)\r\nX-Evil: (yes", "a???X-Evil:??yes"),
        ("a; Mon, 1 Jan 2001", "a??Mon??1?Jan?2001"),
        ("m\u00fcller", "m?ller"),
        ("x" * 5000, "x" * 255),
    ],
)
def test_helo_is_cleaned_and_cut(said: str, shown: str) -> None:
    assert stamped(helo=said).startswith(f"Received: from {shown} ([192.0.2.1])\r\n\tby ")


def test_tls_facts_cannot_close_their_comment() -> None:
    assert "\t(TLS? evil? ?);\r\n" in stamped(tls="TLS) evil( \\")
    assert f"\t({'t' * 80});\r\n" in stamped(tls="t" * 500)


def test_the_bare_postmaster_is_no_path_and_left_out() -> None:
    assert " for " not in stamped(POSTMASTER).replace("\t", " ")


def test_return_path() -> None:
    assert return_path(JOE) == b"Return-Path: <joe@example.net>\r\n"
    assert return_path(None) == b"Return-Path: <>\r\n"
    assert return_path(Address.of('a "b', "example.net")) == b'Return-Path: <"a \\"b"@example.net>\r\n'


def test_delivered_to() -> None:
    assert delivered_to(JOE) == b"Delivered-To: joe@example.net\r\n"
    assert (
        delivered_to(Address.of("j\u00f6", "example.net")) == "Delivered-To: j\u00f6@example.net\r\n".encode()
    )


def test_an_address_made_past_its_check_cannot_break_the_line() -> None:
    assert return_path(Address("a\r\nX: y", "b\0")) == b'Return-Path: <"a??X: y"@b?>\r\n'
    assert delivered_to(Address("\udcff", "b")) == b"Delivered-To: ?@b\r\n"


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    try:
        return Address.of(
            draw(st.text(min_size=1, max_size=64)), draw(st.sampled_from(["a.example", "[::1]"]))
        )
    except AddressSyntaxError:
        return JOE


clients = st.builds(
    ConnectionFacts,
    session=st.just("s1"),
    listener=st.just("mx"),
    service=st.just("smtp"),
    peer=st.ip_addresses(),
    peer_port=st.just(25),
    tls=st.text(max_size=300),
    helo=st.text(max_size=2000),
    esmtp=st.booleans(),
)


@given(client=clients, sender=addresses(), recipient=addresses(), seconds=st.floats(0, 4e9))
def test_no_input_breaks_the_form(
    client: ConnectionFacts, sender: Address, recipient: Address, seconds: float
) -> None:
    stamp = Stamp("mail.example.net", client, "0a1b2c", seconds, recipient)
    head = return_path(sender) + delivered_to(recipient) + received(stamp)

    lines = head.split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        assert len(line) <= 998
        assert not set(line) & {0, 10, 13}
    names = [line.partition(b":")[0] for line in lines if not line.startswith(b"\t")]
    assert names == [b"Return-Path", b"Delivered-To", b"Received"]

    parsed = email.message_from_bytes(head + b"\r\n", policy=email.policy.SMTP)
    assert parsed.keys() == ["Return-Path", "Delivered-To", "Received"]
    assert not parsed.defects
