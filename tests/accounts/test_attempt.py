"""Credentials as twisted.cred wants them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.credentials import ICredentials, IUsernameHashedPassword, IUsernamePassword
from zope.interface.verify import verifyObject

from mailsuite.accounts.attempt import Granted, IScramProof, LoginRules, attempt_of, octets
from mailsuite.accounts.names import Named
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.retention import Retention
from mailsuite.model.view import Box, View
from mailsuite.wire.sasl.scram_keys import salted_password, server_key, stored_key
from mailsuite.wire.sasl.steps import DigestClaim, NtlmClaim, PasswordClaim, ScramClaim
from tests.accounts.fakes import SECRET, attempt, digest, facts_of, scram

FACTS = facts_of()
RULES = LoginRules("example.net")

APOP = DigestClaim("APOP", "mrose", b"<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fb")
"""RFC 1939 section 7; the secret is tanstaaf."""
CRAM_MD5 = DigestClaim(
    "CRAM-MD5",
    "tim",
    b"<1896.697170952@postoffice.reston.mci.net>",
    "b913a602c7eda7a495b4e6e7334d3890",
)
"""RFC 2195 section 2; the secret is tanstaaftanstaaf."""
NTLM = NtlmClaim(
    "NTLM",
    "User@Domain",
    "User",
    "Domain",
    bytes.fromhex("0123456789abcdef"),
    bytes.fromhex("68cd0ab851e51c96aabc927bebef6a1c"),
    bytes.fromhex(
        "0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000"
        "02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000"
    ),
)
"""MS-NLMP section 4.2.4; the password is Password."""
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SCRAM = ScramClaim(
    "SCRAM-SHA-256",
    "user",
    "sha256",
    f"n=user,r={NONCE[:20]},r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}".encode(),
    base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
)
"""RFC 7677 section 3; the password is pencil."""


def test_it_is_a_user_name_and_a_password_in_octets():
    credentials = attempt("jo\u00eb", "pa\u00df")
    verifyObject(IUsernamePassword, credentials)
    assert credentials.username == b"jo\xc3\xab"
    assert credentials.password == b"pa\xc3\x9f"
    assert credentials.checkPassword(b"pa\xc3\x9f")
    assert not credentials.checkPassword(b"pa")


@pytest.mark.parametrize(
    ("claim", "secret"),
    [(APOP, b"tanstaaf"), (CRAM_MD5, b"tanstaaftanstaaf"), (NTLM, b"Password")],
    ids=lambda value: getattr(value, "mechanism", None),
)
def test_a_digest_is_held_against_passwords(claim, secret):
    credentials = attempt_of(claim, RULES, FACTS)
    verifyObject(IUsernameHashedPassword, credentials)
    assert not IUsernamePassword.providedBy(credentials)
    assert credentials.username == claim.authcid.encode()
    assert credentials.checkPassword(secret) is True
    for wrong in (b"", secret[:-1], secret + b"x", secret.swapcase(), b"\xff"):
        assert credentials.checkPassword(wrong) is False


def test_an_apop_digest_is_no_cram_digest():
    for claim, secret in ((APOP, b"tanstaaf"), (CRAM_MD5, b"tanstaaftanstaaf")):
        mechanism = {"APOP": "CRAM-MD5", "CRAM-MD5": "APOP"}[claim.mechanism]
        other = DigestClaim(mechanism, claim.authcid, claim.challenge, claim.digest)
        assert not attempt_of(other, RULES, FACTS).checkPassword(secret)


@pytest.mark.parametrize("shown", ["", "c4c9", "C4C9334BAC560ECC979E58001B3E22FB", "\u00e9" * 32])
def test_a_digest_of_another_form_fits_nothing(shown):
    claim = DigestClaim("APOP", "mrose", APOP.challenge, shown)
    assert not attempt_of(claim, RULES, FACTS).checkPassword(b"tanstaaf")


def test_a_scram_proof_is_held_against_stored_keys():
    credentials = attempt_of(SCRAM, RULES, FACTS)
    verifyObject(IScramProof, credentials)
    salted = salted_password("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096, "sha256")
    stored, server = stored_key(salted, "sha256"), server_key(salted, "sha256")
    assert credentials.hash == "sha256"
    expected = base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert credentials.server_signature(stored, server) == expected
    assert credentials.server_signature(bytes(32), server) is None
    assert credentials.server_signature(server, stored) is None


@pytest.mark.parametrize("claim", [PasswordClaim("PLAIN", "", "joe", "x"), APOP, NTLM, SCRAM])
def test_what_everybody_brings(claim):
    credentials = attempt_of(claim, RULES, FACTS)
    assert ICredentials.providedBy(credentials)
    assert (credentials.name, credentials.mechanism) == (claim.authcid, claim.mechanism)
    assert (credentials.rules, credentials.facts) == (RULES, FACTS)
    assert (credentials.named, credentials.granted) == (None, None)
    assert credentials in {credentials}


def test_neither_name_nor_anything_secret_is_shown():
    parameters = type("Parameters", (), {"salt": b"salt", "iterations": 1})
    for credentials in (
        attempt("canary-name"),
        digest("canary-name", SECRET),
        digest("canary-name", SECRET, mechanism="CRAM-MD5"),
        scram("canary-name", SECRET, parameters),
        attempt_of(NTLM, RULES, FACTS),
    ):
        text = repr(credentials)
        assert "canary" not in text
        assert "claim" not in text
        assert "User" not in text
        assert "192.0.2.9" in text
    granted = Granted(Address("joe", "example.net"), Device("d1", "Eudora", b"canary"), b"canary")
    assert "canary" not in repr(granted)


def test_a_domain_may_have_its_own_word_on_apop():
    rules = LoginRules(apop="offer", domain_apop={"example.org": "require"})
    assert rules.apop_of("example.net") == "offer"
    assert rules.apop_of("example.org") == "require"
    assert LoginRules().apop_of("example.net") == "off"


def test_a_domain_may_have_its_own_word_on_delays_and_retention():
    rules = LoginRules(
        login_delay=60.0,
        domain_login_delay={"example.org": 0.0},
        retention=Retention(86400.0),
        domain_retention={"example.org": Retention()},
    )
    assert (rules.login_delay_of("example.net"), rules.login_delay_of("example.org")) == (60.0, 0.0)
    assert rules.retention_of("example.net") == Retention(86400.0)
    assert rules.retention_of("example.org") == Retention()


def test_the_view_is_what_was_named_and_granted():
    credentials = attempt("joe+trash@example.net")
    joe = Address("joe", "example.net")
    credentials.named = Named(joe, Box.TRASH)
    assert credentials.view == View(), "no checker of ours knows that name"
    credentials.granted = Granted(joe)
    assert credentials.view == View(Box.TRASH)
    credentials.granted = Granted(joe, Device("d1", "Phone", b"x"))
    assert credentials.view == View(Box.TRASH)
    credentials.granted = Granted(joe, Device("d1", "Phone", b"x", view=True))
    assert credentials.view == View(Box.TRASH, "d1")
    credentials.named = Named(joe)
    assert credentials.view == View(Box.INBOX, "d1")


@pytest.mark.parametrize(("text", "coded"), [("\udc80", b"\x80"), ("\ud800", b"\xed\xa0\x80"), ("", b"")])
def test_text_that_is_no_unicode_has_octets_too(text, coded):
    assert octets(text) == coded


@given(st.binary())
def test_octets_of_any_kind_come_back(data):
    assert octets(data.decode("utf-8", "surrogateescape")) == data


@pytest.mark.parametrize(
    ("apop", "domains", "somewhere", "everywhere"),
    [
        ("off", {}, False, False),
        ("off", {"a": "off"}, False, False),
        ("off", {"a": "offer"}, True, False),
        ("off", {"a": "require"}, True, False),
        ("offer", {}, True, False),
        ("offer", {"a": "require"}, True, False),
        ("require", {}, True, True),
        ("require", {"a": "require"}, True, True),
        ("require", {"a": "require", "b": "offer"}, True, False),
        ("require", {"a": "off"}, True, False),
    ],
)
def test_apop_somewhere_and_everywhere(apop, domains, somewhere, everywhere):
    rules = LoginRules(apop=apop, domain_apop=domains)
    assert (rules.apop_somewhere, rules.apop_everywhere) == (somewhere, everywhere)
