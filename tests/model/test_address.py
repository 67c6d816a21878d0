import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.address import (
    POSTMASTER,
    Address,
    AddressSyntaxError,
    normalise_domain,
)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.net", "example.net"),
        ("EXAMPLE.Net", "example.net"),
        ("localhost", "localhost"),
        ("a-b.c", "a-b.c"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("MÜNCHEN.example", "xn--mnchen-3ya.example"),
        ("XN--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("mu\u0308nchen.example", "xn--mnchen-3ya.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("d" * 63 + ".example", "d" * 63 + ".example"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[IPv6:2001:DB8:0:0::1]", "[IPv6:2001:db8::1]"),
        ("[ipv6:::1]", "[IPv6:::1]"),
    ],
)
def test_domains(text: str, domain: str) -> None:
    assert normalise_domain(text) == domain
    assert normalise_domain(domain) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "a_b",
        "a b",
        "a@b",
        "a\n",
        "d" * 64,
        ".".join(["d" * 63] * 4) + ".d",
        "ä" * 300,
        "☃.example",
        "-ä.example",
        "\ud800.example",
        "xn--",
        "[",
        "[]",
        "[192.0.2.1",
        "[192.0.2]",
        "[192.0.2.256]",
        "[192.0.2.1]x",
        "[2001:db8::1]",
        "[IPv6:]",
        "[IPv6:192.0.2.1]",
        "[IPv6:fe80::1%eth0]",
        "[IPv6:fe80::1%<x>]",
    ],
)
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(AddressSyntaxError):
        normalise_domain(text)


def test_a_look_alike_is_another_domain() -> None:
    assert normalise_domain("ex\u0430mple.net") != normalise_domain("example.net")


@pytest.mark.parametrize(
    ("local", "written"),
    [
        ("joe", "joe"),
        ("Joe.Q+tag", "Joe.Q+tag"),
        ("joe q", '"joe q"'),
        ("a@b", '"a@b"'),
        ("a..b", '"a..b"'),
        (".a", '".a"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("jö", "jö"),
        ("ö" * 32, "ö" * 32),
    ],
)
def test_writing(local: str, written: str) -> None:
    assert str(Address.of(local, "example.net")) == f"{written}@example.net"


@pytest.mark.parametrize(
    "local", ["", "a\0", "a\n", "a\x7f", "a\x85", "a\udcff", "\ud800", "j" * 65, "ö" * 33]
)
def test_what_is_no_local_part(local: str) -> None:
    with pytest.raises(AddressSyntaxError):
        Address.of(local, "example.net")


def test_what_people_type() -> None:
    assert Address.parse("Joe@EXAMPLE.net") == Address("Joe", "example.net")
    for text in (
        "joe",
        "@example.net",
        "joe@",
        "a b@example.net",
        "a@b@example.net",
        '"a"@example.net',
        "<a@b>",
    ):
        with pytest.raises(AddressSyntaxError):
            Address.parse(text)


def test_the_canonical_form_is_in_lower_case() -> None:
    assert Address("Joe", "example.net").canonical == Address("joe", "example.net")
    assert Address("jo\u0308", "example.net").canonical == Address("j\u00f6", "example.net")


def test_ascii() -> None:
    assert Address("joe", "example.net").is_ascii
    assert not Address("jö", "example.net").is_ascii


def test_bare_postmaster() -> None:
    assert str(POSTMASTER) == "postmaster"


def test_order_is_by_local_part_then_domain() -> None:
    assert Address("a", "z") < Address("b", "a") < Address("b", "b")


@given(st.text(max_size=70), st.text(max_size=80))
def test_any_text_is_an_address_or_refused(local: str, domain: str) -> None:
    try:
        address = Address.of(local, domain)
    except AddressSyntaxError:
        return
    assert address.domain.isascii()
    assert Address.of(address.local, address.domain) == address
    assert "\n" not in str(address)
