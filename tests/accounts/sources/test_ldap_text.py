"""Names and filters of LDAP: what is escaped, and what cannot be said by an address."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldaptor.protocols import pureldap

from mailsuite.accounts.sources.ldap_text import FilterError, escaped, filled, parse_filter


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("joe", "joe"),
        ("joe.doe-2_x@example.net", "joe.doe-2_x@example.net"),
        ("*)(uid=*", r"\2a\29\28uid\3d\2a"),
        ("joe,ou=admins", r"joe\2cou\3dadmins"),
        ('+"\\<>;#', r"\2b\22\5c\3c\3e\3b\23"),
        (" x ", r"\20x\20"),
        ("\0", r"\00"),
        ("Lučić", r"Lu\c4\8di\c4\87"),  # RFC 4514 section 4, RFC 4515 section 4
    ],
)
def test_what_means_something_is_escaped(value, text):
    assert escaped(value) == text


def test_a_value_is_no_pattern():
    assert filled("uid={local},o={domain}", "{domain}@x", "{domain}", "x") == r"uid=\7bdomain\7d,o=x"
    assert filled("(|(mail={address})(uid={local}))", "a@b", "a", "b") == "(|(mail=a@b)(uid=a))"


@given(st.text())
def test_an_address_is_one_value_of_a_filter(value):
    found = parse_filter(filled("(mail={address})", value, "", ""))
    expected = pureldap.LDAPFilter_equalityMatch(
        attributeDesc=pureldap.LDAPAttributeDescription(b"mail"),
        assertionValue=pureldap.LDAPAssertionValue(value.encode("utf-8", "surrogateescape")),
    )
    assert found.toWire() == expected.toWire()


@given(st.text())
def test_an_address_is_one_value_of_a_name(value):
    text = escaped(value)
    assert set(text) <= set(string.ascii_letters + string.digits + ".-_@\\")
    octets = re.sub(rb"\\(..)", lambda found: bytes.fromhex(found[1].decode()), text.encode())
    assert octets == value.encode()


@pytest.mark.parametrize(
    ("text", "wire"),  # by ldapsearch of OpenLDAP 2.5
    [
        ("(uid=joe)", "a30a0403756964 04036a6f65"),
        ("(uid=*)", "8703756964"),
        ("(uid>=1)", "a5080403756964 040131"),
        ("(uid<=1)", "a6080403756964 040131"),
        ("(uid~=1)", "a8080403756964 040131"),
        ("(!(uid=1))", "a20aa3080403756964 040131"),
        ("(&(uid=1)(uid=2))", "a014a3080403756964040131a3080403756964040132"),
        ("(|(uid=1))", "a10aa3080403756964 040131"),
        ("(uid=a*b*c)", "a410 0403756964 3009 800161 810162 820163"),
        ("(uid=*b*)", "a40a 0403756964 3003 810162"),
        (r"(uid=\2a\5C)", "a309 0403756964 04022a5c"),
        ("(uid:caseExactMatch:=x)", "a918 810e 6361736545786163744d61746368 8203756964 830178"),
        ("(uid:dn:=x)", "a90b 8203756964 830178 8401ff"),
        ("(:dn:2.5.13.5:=x)", "a910 8108322e352e31332e35 830178 8401ff"),
    ],
)
def test_what_a_filter_means(text, wire):
    assert parse_filter(text).toWire() == bytes.fromhex(wire.replace(" ", ""))


@pytest.mark.parametrize(
    "text",
    [
        *("", "uid=joe", "(uid=joe", "uid=joe)", "(uid=joe))", "(uid=joe)(uid=ann)", "()", "(&)", "(!)"),
        *("(=x)", "(uid)", "(uid=(x)", r"(uid=\2)", "(uid=\\)", r"(uid=\zz)", "(uid>=a*)", "(:=x)"),
        *("(uid:a:b:=x)", "(uid:dn=x)", "(!(uid=1)(uid=2))", "(" * 3000, "(!" * 30 + "(a=b)" + ")" * 30),
    ],
)
def test_what_is_no_filter(text):
    with pytest.raises(FilterError, match=r"^[a-z]|^there"):
        parse_filter(text)
