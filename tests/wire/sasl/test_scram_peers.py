"""SCRAM with a client that we did not write: scramp."""

from __future__ import annotations

import os

import pytest
import scramp
import scramp.utils
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.wire.sasl import scram_keys
from mailsuite.wire.sasl.exchange import Exchange
from mailsuite.wire.sasl.mechanisms import MECHANISMS, Surroundings
from mailsuite.wire.sasl.saslprep import saslprep
from mailsuite.wire.sasl.steps import Challenge, HopelessClaim, ScramClaim, ScramParameters, ScramQuestion
from tests.wire.sasl.world import b64

ITERATIONS = 4096
BINDINGS = {"tls-server-end-point": b"certificate" * 3, "tls-unique": b"finished"}


def surroundings(*offered: str) -> Surroundings:
    return Surroundings("mail.example.net", os.urandom, lambda: 0.0, BINDINGS, offered)


def is_prepared(text: str) -> bool:
    """What both sides take: scramp refuses what Unicode 3.2 did not know."""
    try:
        return bool(saslprep(text, stored=True))
    except ValueError:
        return False


CHARACTERS = st.characters(exclude_characters="\u200b")
"""Without the zero-width space, which scramp maps to nothing, and libidn to a space, as we do."""
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20).filter(is_prepared)
SALTS = st.binary(min_size=12, max_size=20)


def log_in(exchange: Exchange, client: scramp.ScramClient, password: str, salt: bytes) -> str:
    """The name of whoever has been let in; *password* is what we know. Raises PermissionError for others."""
    question = exchange.start(b64(client.get_client_first().encode()))
    assert isinstance(question, ScramQuestion)
    server_first = exchange.answer(ScramParameters(salt, ITERATIONS))
    assert isinstance(server_first, Challenge)
    client.set_server_first(server_first.data.decode())
    claim = exchange.respond(b64(client.get_client_final().encode()))
    assert isinstance(claim, ScramClaim)
    hash = claim.hash
    salted = scram_keys.salted_password(password, salt, ITERATIONS, hash)
    true = scram_keys.proves(scram_keys.stored_key(salted, hash), claim.auth_message, claim.proof, hash)
    signature = scram_keys.server_signature(scram_keys.server_key(salted, hash), claim.auth_message, hash)
    last_words = exchange.conclude(true, signature)
    if last_words is None:
        raise PermissionError
    client.set_server_final(last_words.data.decode())
    assert exchange.acknowledged(b"")
    return claim.authcid


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
@settings(max_examples=40, deadline=None)
@given(name=TEXTS, password=TEXTS, salt=SALTS)
def test_logins(mechanism: str, name: str, password: str, salt: bytes) -> None:
    exchange = Exchange(MECHANISMS[mechanism](surroundings(mechanism)))
    client = scramp.ScramClient([mechanism], name, password)
    assert log_in(exchange, client, password, salt) == saslprep(name)


@pytest.mark.parametrize("kind", sorted(BINDINGS))
@settings(max_examples=20, deadline=None)
@given(name=TEXTS, password=TEXTS, salt=SALTS)
def test_bound_logins(kind: str, name: str, password: str, salt: bytes) -> None:
    mechanism = "SCRAM-SHA-256-PLUS"
    exchange = Exchange(MECHANISMS[mechanism](surroundings(mechanism)))
    client = scramp.ScramClient([mechanism], name, password, channel_binding=(kind, BINDINGS[kind]))
    assert log_in(exchange, client, password, salt) == saslprep(name)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_a_wrong_password(mechanism: str) -> None:
    exchange = Exchange(MECHANISMS[mechanism](surroundings(mechanism)))
    client = scramp.ScramClient([mechanism], "joe", "guess")
    with pytest.raises(PermissionError):
        log_in(exchange, client, "secret", b"salt of the test")


def test_somebody_in_between() -> None:
    """The client sees another certificate than we have shown."""
    mechanism = "SCRAM-SHA-256-PLUS"
    exchange = Exchange(MECHANISMS[mechanism](surroundings(mechanism)))
    binding = ("tls-server-end-point", b"another certificate")
    client = scramp.ScramClient([mechanism], "joe", "secret", channel_binding=binding)
    exchange.start(b64(client.get_client_first().encode()))
    server_first = exchange.answer(ScramParameters(b"salt of the test", ITERATIONS))
    assert isinstance(server_first, Challenge)
    client.set_server_first(server_first.data.decode())
    claim = exchange.respond(b64(client.get_client_final().encode()))
    assert isinstance(claim, HopelessClaim)
    refusal = exchange.conclude(False)
    assert isinstance(refusal, Challenge)
    with pytest.raises(scramp.ScramException) as refused:
        client.set_server_final(refusal.data.decode())
    assert refused.value.server_error.value == "channel-bindings-dont-match"


def test_a_list_without_plus_is_noticed() -> None:
    """The client can bind and was shown no -PLUS, so its flag is ``y``; we have offered one."""
    exchange = Exchange(MECHANISMS["SCRAM-SHA-256"](surroundings("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")))
    binding = ("tls-unique", b"finished")
    client = scramp.ScramClient(["SCRAM-SHA-256"], "joe", "secret", channel_binding=binding)
    claim = exchange.start(b64(client.get_client_first().encode()))
    assert isinstance(claim, HopelessClaim)
    refusal = exchange.conclude(False)
    assert isinstance(refusal, Challenge)
    with pytest.raises(scramp.ScramException) as refused:
        client.set_server_first(refusal.data.decode())
    assert refused.value.server_error.value == "server-does-support-channel-binding"


@settings(max_examples=300, deadline=None)
@given(st.text(CHARACTERS, max_size=20))
def test_saslprep_agrees(text: str) -> None:
    try:
        theirs = scramp.utils.saslprep(text)
    except scramp.ScramException:
        with pytest.raises(ValueError, match="there is"):
            saslprep(text, stored=True)
    else:
        assert saslprep(text, stored=True) == theirs
