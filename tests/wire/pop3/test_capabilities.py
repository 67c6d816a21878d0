"""CAPA, to the line, in every standing (features rows P-13, P-17, P-18, P-21)."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.model.retention import Terms
from mailsuite.wire.pop3.capabilities import Standing, capabilities
from mailsuite.wire.pop3.settings import SessionSettings

ALWAYS = ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER")
BOTH = ("PLAIN", "LOGIN")
UTF8 = ("UTF8 USER",)
CLEAR = Standing()
SECURED = Standing(tls_active=True)
WORKING = Standing(terms=Terms())


@pytest.mark.parametrize("terms", [None, Terms()])
@pytest.mark.parametrize(
    ("settings", "tls", "more"),
    [
        (SessionSettings("h"), False, ()),
        (SessionSettings("h"), True, ("USER",)),
        (SessionSettings("h", plaintext_login=True), False, ("USER",)),
        (SessionSettings("h", tls_available=True), True, ("USER",)),
        (SessionSettings("h", sasl_mechanisms=BOTH), False, ()),
        (SessionSettings("h", sasl_mechanisms=BOTH), True, ("USER", "SASL PLAIN LOGIN")),
        (SessionSettings("h", sasl_mechanisms=("PLAIN",)), True, ("USER", "SASL PLAIN")),
        (
            SessionSettings("h", plaintext_login=True, sasl_mechanisms=BOTH),
            False,
            ("USER", "SASL PLAIN LOGIN"),
        ),
    ],
)
def test_ways_in(settings: SessionSettings, tls: bool, more: tuple[str, ...], terms: Terms | None) -> None:
    """RFC 2449 section 5: what AUTHORIZATION announces stays announced after login."""
    assert capabilities(settings, Standing(tls, terms=terms)) == ALWAYS + more + UTF8


def test_binding_is_offered_where_there_is_something_to_bind_to() -> None:
    settings = SessionSettings("h", sasl_mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"))
    assert "SASL SCRAM-SHA-256" in capabilities(settings, SECURED)
    bound = capabilities(settings, Standing(True, {"tls-exporter": b"x"}))
    assert "SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256" in bound


def test_nobody_logs_in_before_the_tls_that_is_required() -> None:
    settings = SessionSettings(
        "h", tls_available=True, tls_required=True, sasl_mechanisms=("SCRAM-SHA-256", "PLAIN")
    )
    assert capabilities(settings, CLEAR) == (*ALWAYS, *UTF8, "STLS")
    assert capabilities(settings, SECURED) == (*ALWAYS, "USER", "SASL SCRAM-SHA-256 PLAIN", *UTF8)


@pytest.mark.parametrize(
    ("standing", "shown"),
    [
        (CLEAR, True),
        (SECURED, False),
        (WORKING, False),
        (attrs.evolve(SECURED, terms=Terms()), False),
        (Standing(utf8=True), False),
        (attrs.evolve(SECURED, utf8=True), False),
    ],
)
def test_stls_is_announced_where_it_can_be_given(standing: Standing, shown: bool) -> None:
    settings = SessionSettings("h", tls_available=True)
    assert ("STLS" in capabilities(settings, standing)) is shown


@pytest.mark.parametrize("standing", [CLEAR, SECURED, WORKING, Standing(utf8=True)])
@pytest.mark.parametrize("offered", [False, True])
def test_utf8_is_announced_in_both_states_or_never(standing: Standing, offered: bool) -> None:
    """RFC 6856 section 2: "both / no"."""
    lines = capabilities(SessionSettings("h", utf8=offered), standing)
    assert [line for line in lines if line.startswith("UTF8")] == (["UTF8 USER"] if offered else [])


def test_who_we_are_is_told_after_the_login_alone() -> None:
    settings = SessionSettings("h", implementation="mailsuite 1")
    assert not [line for line in capabilities(settings, SECURED) if line.startswith("IMPL")]
    assert capabilities(settings, WORKING)[-1] == "IMPLEMENTATION mailsuite 1"
    assert not [line for line in capabilities(SessionSettings("h"), WORKING) if line.startswith("IMPL")]


TERMS = [
    (Terms(), False, ["EXPIRE NEVER"]),
    (Terms(), True, ["EXPIRE NEVER"]),
    (Terms(30), False, ["EXPIRE 30"]),
    (Terms(30), True, ["EXPIRE 30 USER"]),
    (Terms(0), False, ["EXPIRE 0"]),
    (Terms(0), True, ["EXPIRE 0 USER"]),
    (Terms(None, 60), False, ["EXPIRE NEVER", "LOGIN-DELAY 60"]),
    (Terms(None, 60), True, ["EXPIRE NEVER", "LOGIN-DELAY 60 USER"]),
    (Terms(7, 1), True, ["EXPIRE 7 USER", "LOGIN-DELAY 1 USER"]),
    (Terms(tells_expire=False), False, []),
]


@pytest.mark.parametrize(("offer", "vary", "lines"), TERMS)
def test_terms_before_the_login(offer: Terms, vary: bool, lines: list[str]) -> None:
    """RFC 2449 sections 6.5 and 6.7: USER says that the account's own may differ."""
    assert _terms(SessionSettings("h", offer=offer, terms_vary=vary), SECURED) == lines


@pytest.mark.parametrize(
    ("terms", "lines"),
    [
        (Terms(), ["EXPIRE NEVER"]),
        (Terms(0), ["EXPIRE 0"]),
        (Terms(90, 600), ["EXPIRE 90", "LOGIN-DELAY 600"]),
    ],
)
def test_terms_of_the_account_after_it(terms: Terms, lines: list[str]) -> None:
    settings = SessionSettings("h", offer=Terms(5, 30), terms_vary=True)
    assert _terms(settings, Standing(terms=terms)) == lines


def _terms(settings: SessionSettings, standing: Standing) -> list[str]:
    return [line for line in capabilities(settings, standing) if line.startswith(("EXPIRE", "LOGIN-DELAY"))]
