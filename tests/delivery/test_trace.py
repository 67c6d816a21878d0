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

from mailsuite.delivery.header_results import OwnResults
from mailsuite.delivery.trace import (
    Stamp,
    authentication_results,
    delivered_to,
    original_to,
    received,
    return_path,
)
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


def unfolded(field: str) -> str:
    return field.replace("\r\n\t", " ")


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
    ("tls", "account", "letters"), [("", None, ""), (TLS, None, "S"), ("", JOE, "A"), (TLS, JOE, "SA")]
)
@pytest.mark.parametrize("service", ["smtp", "submission", "lmtp"])
def test_keywords_of_rfc_3848(service: str, tls: str, account: Address | None, letters: str) -> None:
    """And of RFC 6531 section 4.3, where MAIL said SMTPUTF8."""
    connection = attrs.evolve(FACTS, service=service, tls=tls, account=account)
    ascii_only = attrs.evolve(STAMP, connection=connection)
    plain, beyond = ("LMTP", "UTF8LMTP") if service == "lmtp" else ("ESMTP", "UTF8SMTP")
    for stamp, keyword in ((ascii_only, plain), (attrs.evolve(ascii_only, smtputf8=True), beyond)):
        field = received(stamp).decode()
        assert f" with {keyword}{letters} id 0a1b2c" in unfolded(field)
        assert "joe" not in field


@pytest.mark.parametrize("tls", ["", TLS])
def test_helo_is_smtp(tls: str) -> None:
    assert " with SMTP id " in stamped(esmtp=False, tls=tls)


def test_the_name_by_dns_stands_with_the_address() -> None:
    assert stamped(host="host.example.org").startswith(
        "Received: from client.example.org (host.example.org [192.0.2.1])\r\n\tby "
    )
    assert "(h????X:?y? [192.0.2.1])" in stamped(host="h)\r\n X: y(")


def test_a_hidden_client_leaves_no_trace() -> None:
    connection = attrs.evolve(FACTS, service="submission", tls=TLS, account=JOE, host="pc.example.org")
    stamp = attrs.evolve(STAMP, connection=connection, hide_client=True)
    field = received(stamp).decode()
    assert field.startswith("Received: from hidden.invalid\r\n\tby mail.example.net (mailsuite) with ESMTPSA")
    for secret in ("client", "pc.example", "192.0.2.1", "joe"):
        assert secret not in field
        assert secret not in authentication_results(stamp).decode()


def test_who_logged_in_is_shown_where_that_is_wanted() -> None:
    connection = attrs.evolve(FACTS, service="submission", account=JOE)
    stamp = attrs.evolve(STAMP, connection=connection, show_account=True)
    assert b"\r\n\t(authenticated as joe@example.net);\r\n" in received(stamp)
    evil = attrs.evolve(connection, account=Address.of("a)\\(b", "example.net"))
    assert b'(authenticated as "a????b"@example.net)' in received(attrs.evolve(stamp, connection=evil))
    assert b"authenticated" not in received(attrs.evolve(stamp, connection=FACTS))


@pytest.mark.parametrize(
    ("facts", "show", "hide", "results"),
    [
        ({}, False, False, []),
        ({}, True, False, []),
        ({"account": JOE}, False, False, ["auth=pass"]),
        ({"account": JOE}, True, False, ["auth=pass smtp.auth=joe@example.net"]),
        ({"host": "h.example"}, False, False, ["iprev=pass policy.iprev=192.0.2.1 (h.example)"]),
        (
            {"host": "h.example", "peer": ip_address("2001:db8::1")},
            False,
            False,
            ['iprev=pass policy.iprev="2001:db8::1" (h.example)'],
        ),
        ({"host": "h.example"}, False, True, []),
        (
            {"host": "h)\r\n;", "account": JOE},
            False,
            False,
            ["auth=pass", "iprev=pass policy.iprev=192.0.2.1 (h????)"],
        ),
    ],
)
def test_authentication_results(facts: dict[str, Any], show: bool, hide: bool, results: list[str]) -> None:
    connection = attrs.evolve(FACTS, **facts)
    stamp = attrs.evolve(STAMP, connection=connection, show_account=show, hide_client=hide)
    lines = ";\r\n\t".join(["Authentication-Results: mail.example.net", *results]) + "\r\n"
    assert authentication_results(stamp).decode() == (lines if results else "")


def test_our_own_results_would_not_come_in_again() -> None:
    connection = attrs.evolve(FACTS, host="h.example")
    field = authentication_results(attrs.evolve(STAMP, connection=connection))
    assert OwnResults.of("mail.example.net").claimed_by(field.partition(b":")[2])


def test_lines_are_short_where_that_can_be() -> None:
    long = "x" * 60 + ".example.org"
    stamp = Stamp("mail." + "y" * 40 + ".example.net", attrs.evolve(FACTS, helo=long, host=long), "0a1b2c", 0)
    assert (
        received(stamp)
        == (
            f"Received: from\r\n\t{long}\r\n\t({long} [192.0.2.1])\r\n"
            f"\tby mail.{'y' * 40}.example.net (mailsuite)\r\n\twith ESMTP id 0a1b2c;\r\n"
            "\tThu, 01 Jan 1970 00:00:00 +0000\r\n"
        ).encode()
    )


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
    assert unfolded(stamped(helo=said)).startswith(f"Received: from {shown} ([192.0.2.1]) by ")


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


def test_original_to() -> None:
    tagged, alias = Address("Joe+shop", "example.net"), Address("sales", "example.org")
    assert original_to(tagged, JOE) == b"X-Original-To: Joe+shop@example.net\r\n"
    assert original_to(alias, JOE) == b"X-Original-To: sales@example.org\r\n"
    assert original_to(POSTMASTER, JOE) == b"X-Original-To: postmaster\r\n"
    assert original_to(Address("JOE", "example.net"), JOE) == b""


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
    host=st.text(max_size=300),
    account=st.none() | addresses(),
)


@given(client=clients, sender=addresses(), recipient=addresses(), seconds=st.floats(0, 4e9))
def test_no_input_breaks_the_form(
    client: ConnectionFacts, sender: Address, recipient: Address, seconds: float
) -> None:
    stamp = Stamp("mail.example.net", client, "0a1b2c", seconds, recipient, show_account=True)
    head = return_path(sender) + original_to(recipient, sender) + delivered_to(recipient)
    head += authentication_results(stamp) + received(stamp)

    lines = head.split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        assert len(line) <= 998
        assert not set(line) & {0, 10, 13}
    names = [line.partition(b":")[0] for line in lines if not line.startswith(b"\t")]
    expected = [b"Return-Path", b"Delivered-To", b"Received"]
    if recipient.canonical != sender.canonical:
        expected.insert(1, b"X-Original-To")
    if client.account or client.host:
        expected.insert(-1, b"Authentication-Results")
    assert names == expected

    parsed = email.message_from_bytes(head + b"\r\n", policy=email.policy.SMTP)
    assert parsed.keys() == [name.decode() for name in expected]
    assert not parsed.defects
