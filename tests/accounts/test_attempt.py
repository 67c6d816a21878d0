"""Credentials as twisted.cred wants them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.credentials import IUsernamePassword
from zope.interface.verify import verifyObject

from mailsuite.accounts.attempt import octets
from tests.accounts.fakes import SECRET, attempt


def test_it_is_a_user_name_and_a_password_in_octets():
    credentials = attempt("jo\u00eb", "pa\u00df")
    verifyObject(IUsernamePassword, credentials)
    assert credentials.username == b"jo\xc3\xab"
    assert credentials.password == b"pa\xc3\x9f"
    assert credentials.checkPassword(b"pa\xc3\x9f")
    assert not credentials.checkPassword(b"pa")


def test_neither_name_nor_password_is_shown():
    text = repr(attempt("canary-name"))
    assert "canary" not in text
    assert SECRET not in text
    assert "192.0.2.9" in text


@pytest.mark.parametrize(("text", "coded"), [("\udc80", b"\x80"), ("\ud800", b"\xed\xa0\x80"), ("", b"")])
def test_text_that_is_no_unicode_has_octets_too(text, coded):
    assert octets(text) == coded


@given(st.binary())
def test_octets_of_any_kind_come_back(data):
    assert octets(data.decode("utf-8", "surrogateescape")) == data
