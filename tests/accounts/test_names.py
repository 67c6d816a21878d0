"""Whose account a login name means, and which names are nobody's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.accounts.names import MAX_NAME_OCTETS, account_address
from mailsuite.model.address import Address, AddressSyntaxError

JOE = Address("joe", "example.net")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("joe@example.net", JOE),
        ("JOE@Example.NET", JOE),
        ("joe", JOE),
        ("Joe", JOE),
        ("joe.doe+list", Address("joe.doe+list", "example.net")),
        ("joe@MÜNCHEN.example", Address("joe", "xn--mnchen-3ya.example")),
        ("joe@xn--mnchen-3ya.example", Address("joe", "xn--mnchen-3ya.example")),
        ("joe@ex\u0430mple.net", Address("joe", "xn--exmple-4nf.net")),
        ("o'brien@example.org", Address("o'brien", "example.org")),
        ("a" * 64, Address("a" * 64, "example.net")),
    ],
)
def test_a_name_means_an_account(name, address):
    assert account_address(name, "example.net") == address


@pytest.mark.parametrize(
    "name",
    [
        "",
        "@",
        "joe@",
        "@example.net",
        "joe@@example.net",
        "joe@doe@example.net",
        ".",
        "..",
        "../joe",
        "joe/../ann",
        "joe/doe",
        "/etc/passwd",
        "joe@../../etc",
        "joe@example.net/x",
        "joe\\doe",
        "joe..doe",
        ".joe",
        "joe.",
        "joe\0",
        "joe\0@example.net",
        "joe@example.net\0",
        "joe@example\0.net",
        "joe\n",
        "joe@example.net\n",
        "joe@example.net\r",
        "joe\x7f",
        "joe\t",
        " joe",
        "joe ",
        "joe doe",
        "*",
        "j*e",
        "j?e",
        "[j]oe",
        "*@example.net",
        "joe@*",
        "joe@example.*",
        '"joe"',
        '"joe"@example.net',
        "<joe@example.net>",
        "joe,ann",
        "jo\u00eb",
        "jo\u0435",
        "\u212aoe",  # the Kelvin sign becomes an ASCII k in lower case
        "\udc80",
        "joe@\udc80",
        "joe@[192.0.2.1",
        "a" * 65,
        "a" * 64 + "@" + "a." * 130 + "net",
        "a" * 1_000_000,
    ],
)
def test_such_a_name_is_nobody_s(name):
    with pytest.raises(AddressSyntaxError):
        account_address(name, "example.net")


def test_without_a_default_domain_a_bare_name_is_nobody_s():
    with pytest.raises(AddressSyntaxError):
        account_address("joe")


def test_the_longest_name_of_all_is_read():
    domain = ".".join(["d" * 63] * 3 + ["d" * 63])
    name = "a" * 64 + "@" + domain
    assert len(name) == MAX_NAME_OCTETS
    assert account_address(name) == Address("a" * 64, domain)


@given(st.text(max_size=400), st.sampled_from(["", "example.net"]))
def test_any_text_is_an_account_or_refused(text, default_domain):
    try:
        address = account_address(text, default_domain)
    except AddressSyntaxError:
        return
    assert address == address.canonical == Address.parse(str(address))
    assert str(address).isascii()
    assert not set(str(address)) & set("/*?\\\0")
