"""SASL from the client's side, against our own server's side and against scramp's."""

from __future__ import annotations

import pytest
import scramp

from mailsuite.wire.sasl.client import (
    CramMd5Client,
    Credentials,
    Derive,
    LoginClient,
    PlainClient,
    Surrender,
)
from mailsuite.wire.sasl.client_mechanisms import BEST_FIRST, CLIENT_MECHANISMS, choose
from mailsuite.wire.sasl.client_scram import MAX_ITERATIONS, ScramClient
from mailsuite.wire.sasl.steps import DigestClaim, PasswordClaim
from tests.wire.sasl.world import b64, exchange_of

JOE = Credentials("joe@example.net", "secret word")
NONCE = bytes(range(18))
OURS = b64(NONCE).decode()
SALT = b64(b"salt").decode()


@pytest.mark.parametrize(
    ("name", "password"),
    [("", "x"), ("joe", ""), ("jo\0e", "x"), ("joe", "x\0"), ("ö" * 128, "x"), ("j", "x" * 256)],
)
def test_credentials_that_nobody_takes(name: str, password: str) -> None:
    with pytest.raises(ValueError, match="of a login") as caught:
        Credentials(name, password)
    assert "öö" not in str(caught.value)
    assert "xx" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    shown = f"{JOE!r} {PlainClient(JOE)!r} {ScramClient(JOE, 'sha256', NONCE)!r}"
    assert JOE.password not in shown
    assert repr(NONCE) not in shown


def test_plain_and_login_are_read_by_our_server() -> None:
    claim = PasswordClaim("PLAIN", "", JOE.name, JOE.password)
    assert exchange_of("PLAIN").start(b64(PlainClient(JOE).start() or b"")) == claim
    client, exchange = LoginClient(JOE), exchange_of("LOGIN")
    assert client.start() is None
    exchange.start(None)
    exchange.respond(b64(client.respond(b"Username:")))
    assert exchange.respond(b64(client.respond(b"Password:"))) == PasswordClaim(
        "LOGIN", "", JOE.name, JOE.password
    )
    assert client.respond(b"More?") is Surrender.MALFORMED
    assert PlainClient(JOE).respond(b"") is Surrender.MALFORMED


def test_cram_md5_is_read_by_our_server() -> None:
    client, exchange = CramMd5Client(JOE), exchange_of("CRAM-MD5")
    assert client.start() is None
    challenge = exchange.start(None)
    claim = exchange.respond(b64(client.respond(challenge.data)))
    assert isinstance(claim, DigestClaim)
    assert claim.authcid == JOE.name
    assert client.respond(b"again") is Surrender.MALFORMED


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
@pytest.mark.parametrize("name", ["joe", "jo,e=", "jörg"])
def test_scram_with_a_server_that_we_did_not_write(mechanism: str, name: str) -> None:
    known = scramp.ScramMechanism(mechanism)
    salt, stored_key, server_key, iterations = known.make_auth_info("pässword", iteration_count=4096)
    server = known.make_server(
        lambda who: (salt, stored_key, server_key, iterations) if who == name else None
    )
    client = CLIENT_MECHANISMS[mechanism](Credentials(name, "pässword"), lambda count: NONCE)
    assert isinstance(client, ScramClient)
    server.set_client_first((client.start() or b"").decode())
    derive = client.respond(server.get_server_first().encode())
    assert isinstance(derive, Derive)
    server.set_client_final(client.derived(derive.salted_password()).decode())
    assert not client.proven
    assert client.respond(server.get_server_final().encode()) == b""
    assert client.proven


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"e=other-error",
        b"\xff",
        f"m=x,r={OURS}S,s={SALT},i=4096".encode(),
        f"r={OURS},s={SALT},i=4096".encode(),  # nothing of its own
        f"r=X{OURS}S,s={SALT},i=4096".encode(),
        f"r={OURS}S,s=,i=4096".encode(),
        f"r={OURS}S,s=!,i=4096".encode(),
        f"r={OURS}S,s={SALT}".encode(),
        f"r={OURS}S,s={SALT},i=4095".encode(),
        f"r={OURS}S,s={SALT},i={MAX_ITERATIONS + 1}".encode(),
        f"r={OURS}S,s={SALT},i=-1".encode(),
        f"r={OURS}{'S' * 1024},s={SALT},i=4096".encode(),
    ],
)
def test_a_server_first_message_that_is_none(challenge: bytes) -> None:
    client = ScramClient(JOE, "sha256", NONCE)
    client.start()
    assert client.respond(challenge) is Surrender.MALFORMED


def proved() -> ScramClient:
    client = ScramClient(JOE, "sha256", NONCE)
    client.start()
    derive = client.respond(f"r={OURS}S,s={SALT},i=4096,x=extension".encode())
    assert isinstance(derive, Derive)
    client.derived(derive.salted_password())
    return client


@pytest.mark.parametrize("challenge", [b"", b"e=invalid-proof", b"v=", b"x=1,v=aaaa"])
def test_a_server_final_message_that_is_none(challenge: bytes) -> None:
    assert proved().respond(challenge) is Surrender.MALFORMED


@pytest.mark.parametrize("challenge", [b"v=!", b"v=YQ==", b"v=YQ==,x=1"])
def test_an_impostor(challenge: bytes) -> None:
    client = proved()
    assert client.respond(challenge) is Surrender.IMPOSTOR
    assert not client.proven


def test_scram_says_nothing_twice() -> None:
    client = ScramClient(JOE, "sha256", NONCE)
    first = f"r={OURS}S,s={SALT},i=4096".encode()
    assert isinstance(client.respond(first), Derive)
    assert client.respond(first) is Surrender.MALFORMED


@pytest.mark.parametrize(("name", "password"), [("joe\x07", "x"), ("joe", "x\u202e")])
def test_what_saslprep_prohibits(name: str, password: str) -> None:
    with pytest.raises(ValueError, match="SASLprep"):
        ScramClient(Credentials(name, password), "sha256", NONCE)


def test_the_choice() -> None:
    def chosen(wanted: tuple[str, ...], offered: tuple[str, ...], plaintext: bool = True) -> str:
        found = choose(JOE, wanted, offered, plaintext, lambda count: NONCE)
        return found[0] if found else ""

    assert chosen(BEST_FIRST, tuple(reversed(BEST_FIRST))) == "SCRAM-SHA-256"
    assert chosen(BEST_FIRST, ("LOGIN", "PLAIN")) == "PLAIN"
    assert chosen(BEST_FIRST, ("LOGIN", "PLAIN", "CRAM-MD5"), plaintext=False) == "CRAM-MD5"
    assert chosen(BEST_FIRST, ("LOGIN", "PLAIN"), plaintext=False) == ""
    assert chosen(("NTLM", "LOGIN"), ("NTLM", "LOGIN")) == "LOGIN"
    assert chosen((), BEST_FIRST) == ""
