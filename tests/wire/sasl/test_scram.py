"""SCRAM (RFC 5802, RFC 7677), each refusal by what the RFC calls it."""

from __future__ import annotations

import hashlib
import hmac
from binascii import a2b_base64

import pytest

from mailsuite.wire.sasl import scram_keys
from mailsuite.wire.sasl.exchange import Exchange
from mailsuite.wire.sasl.scram import Scram
from mailsuite.wire.sasl.steps import (
    Challenge,
    HopelessClaim,
    Refusal,
    ScramClaim,
    ScramHash,
    ScramParameters,
    ScramQuestion,
    Step,
)
from tests.wire.sasl.world import SURROUNDINGS, b64, exchange_of

NONCE = "fyko+d2lbbFgONRv9qkxdawL"
PARAMETERS = ScramParameters(b"salt of the test", 4096)
OFFERED = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
PLUS = "SCRAM-SHA-256-PLUS"
EXPORTER = SURROUNDINGS.bindings["tls-exporter"]


def first(message: str | bytes, mechanism: str = "SCRAM-SHA-256") -> tuple[Exchange, Step]:
    """An exchange that has been sent the client's first message, and what it makes of that."""
    exchange = exchange_of(mechanism, offered=OFFERED)
    octets = message.encode() if isinstance(message, str) else message
    return exchange, exchange.start(b64(octets))


def asked(header: str = "n,,", mechanism: str = "SCRAM-SHA-256") -> tuple[Exchange, str]:
    """An exchange that waits for the proof, and its nonce."""
    exchange, step = first(f"{header}n=joe,r={NONCE}", mechanism)
    assert isinstance(step, ScramQuestion)
    challenge = exchange.answer(PARAMETERS)
    assert isinstance(challenge, Challenge)
    nonce, salt, iterations = challenge.data.decode().split(",")
    assert (salt, iterations) == ("s=c2FsdCBvZiB0aGUgdGVzdA==", "i=4096")
    return exchange, nonce.removeprefix("r=")


def final(exchange: Exchange, message: str | bytes) -> Step:
    return exchange.respond(b64(message.encode() if isinstance(message, str) else message))


def text(octets: bytes) -> str:
    return b64(octets).decode()


def assert_error(exchange: Exchange, step: Step, value: str, reason: str, name: str = "joe") -> None:
    """The log is told why in its words, and the client in RFC 5802's."""
    assert isinstance(step, HopelessClaim)
    assert (step.authcid, step.reason) == (name, reason)
    assert exchange.conclude(False) == Challenge(b"e=" + value.encode())


@pytest.mark.parametrize(
    ("name", "hash", "ours", "messages"),
    [
        (  # RFC 5802 section 5
            "SCRAM-SHA-1",
            "sha1",
            "3rfcNHYJY1ZVvWVs7j",
            [
                "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ],
        ),
        (  # RFC 7677 section 3
            "SCRAM-SHA-256",
            "sha256",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            [
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ],
        ),
    ],
)
def test_the_examples_of_the_rfcs(name: str, hash: ScramHash, ours: str, messages: list[str]) -> None:
    client_first, server_first, client_final, server_final = messages
    salt = ScramParameters(a2b_base64(server_first.split(",s=")[1].split(",")[0]), 4096)
    exchange = Exchange(Scram(name, hash, lambda: ours))
    assert exchange.start(b64(client_first.encode())) == ScramQuestion("user", hash)
    assert exchange.answer(salt) == Challenge(server_first.encode())
    claim = final(exchange, client_final)
    assert isinstance(claim, ScramClaim)
    assert (claim.mechanism, claim.authcid, claim.hash) == (name, "user", hash)
    salted = scram_keys.salted_password("pencil", salt.salt, salt.iterations, hash)
    assert scram_keys.proves(scram_keys.stored_key(salted, hash), claim.auth_message, claim.proof, hash)
    signature = scram_keys.server_signature(scram_keys.server_key(salted, hash), claim.auth_message, hash)
    assert exchange.conclude(True, signature) == Challenge(server_final.encode())
    assert exchange.acknowledged(b"")


def test_without_an_initial_response() -> None:
    exchange = exchange_of("SCRAM-SHA-256")
    assert exchange.start(None) == Challenge(b"")
    assert exchange.respond(b64(b"n,,n=joe,r=x")) == ScramQuestion("joe", "sha256")


def test_our_part_of_the_nonce() -> None:
    _, nonce = asked()
    assert nonce == NONCE + text(bytes(range(18)))


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("n,,n=joe,r=x", "joe"),
        ("n,a=joe,n=joe,r=x", "joe"),
        ("n,a=,n=joe,r=x", "joe"),  # as gsasl -z "" has it
        ("n,a=jo\u00ade,n=joe,r=x", "joe"),
        ("n,,n=I\u00adX,r=x", "IX"),
        ("n,,n=\u00aa,r=x", "a"),
        ("n,,n=jörg@exämple.net,r=x", "jörg@exämple.net"),
        ("n,,n=a=2Cb=3Dc=3D2C,r=x", "a,b=c=2C"),
        ("n,,n=joe,r=!~+/=", "joe"),
        ("n,,n=joe,r=x,z=later,Z==,q=ö", "joe"),
        ("n,,n=" + "j" * 255 + ",r=" + "x" * 512, "j" * 255),
    ],
)
def test_first_messages(message: str, name: str) -> None:
    _, step = first(message, "SCRAM-SHA-1")
    assert step == ScramQuestion(name, "sha1")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "n",
        "n,,",
        "n,n=joe,r=x",
        ",,n=joe,r=x",
        "N,,n=joe,r=x",
        "q,,n=joe,r=x",
        "nn,,n=joe,r=x",
        "p,,n=joe,r=x",
        "p=,,n=joe,r=x",
        "p=tls_exporter,,n=joe,r=x",
        "F,n,,n=joe,r=x",
        "n,joe,n=joe,r=x",
        "n,a=j=oe,n=joe,r=x",
        "n,,r=x",
        "n,,n=joe",
        "n,,r=x,n=joe",
        "n,,N=joe,r=x",
        "n,,n=,r=x",
        "n,,n=joe,r=",
        "n,,n=joe,,r=x",
        "n,,n=joe,r=x,",
        "n,,n=joe,r=x,z",
        "n,,n=joe,r=x,z=",
        "n,,n=joe,r=x,1=a",
        "n,,n=joe,r=x,zz=a",
        "n,,n=joe,r=x,n=ann",
        "n,,n=joe,r=x,r=y",
        "n,,n=joe,r=x,a=ann",
        "n,,n=joe,r=x,z=1,p=1",
        "n,,n=joe,r=x,z=\0",
        "n,,n=joe,r=x y",
        "n,,n=joe,r=ö",
        "n,,n=joe,r=\x7f",
        "n,,n=joe,r=x\n",
        "n,,n=joe,r=" + "x" * 513,
        "n,,n=jo\0e,r=x",
        "n,,n=jo=e,r=x",
        "n,,n=jo=2ce,r=x",
        "n,,n=joe=,r=x",
        "n,,m=,n=joe,r=x",
        b"n,,n=j\xf6e,r=x",
        b"\xff",
    ],
)
def test_first_messages_that_break_the_grammar(message: str | bytes) -> None:
    assert first(message)[1] == Refusal.MALFORMED


@pytest.mark.parametrize(
    ("message", "name", "reason"),
    [
        ("n,a=ann,n=joe,r=x", "joe", "authzid"),
        ("n,a=JOE,n=joe,r=x", "joe", "authzid"),
        ("n,a=\x07,n=joe,r=x", "joe", "authzid"),
        ("n,,n=\u00ad,r=x", "", "impossible-name"),  # nothing is left of it
        ("n,,n=joe\x07,r=x", "", "impossible-name"),
        ("n,,n=\u0627a,r=x", "", "impossible-name"),
        ("n,,n=" + "j" * 256 + ",r=x", "", "impossible-name"),
        ("n,,n=" + "\ufdfa" * 15 + ",r=x", "", "impossible-name"),  # eighteen letters each
    ],
)
def test_names_that_no_account_has(message: str, name: str, reason: str) -> None:
    exchange, step = first(message)
    assert step == HopelessClaim("SCRAM-SHA-256", name, reason)
    assert exchange.conclude(False) is None


@pytest.mark.parametrize(
    ("mechanism", "header", "value", "reason"),
    [
        ("SCRAM-SHA-256", "y,,", "server-does-support-channel-binding", "downgrade"),
        ("SCRAM-SHA-1", "y,,", "server-does-support-channel-binding", "downgrade"),
        (PLUS, "y,,", "server-does-support-channel-binding", "channel-binding"),
        (PLUS, "n,,", "server-does-support-channel-binding", "channel-binding"),
        ("SCRAM-SHA-256", "p=tls-exporter,,", "channel-binding-not-supported", "channel-binding"),
        ("SCRAM-SHA-1", "p=tls-exporter,,", "channel-binding-not-supported", "channel-binding"),
        (PLUS, "p=tls-unique,,", "unsupported-channel-binding-type", "channel-binding"),
        (PLUS, "p=TLS-EXPORTER,,", "unsupported-channel-binding-type", "channel-binding"),
        ("SCRAM-SHA-256", "n,,m=1,", "extensions-not-supported", "extension"),
    ],
)
def test_first_messages_that_are_answered_by_an_error(
    mechanism: str, header: str, value: str, reason: str
) -> None:
    assert_error(*first(f"{header}n=joe,r=x", mechanism), value, reason)


def test_an_error_about_nobody() -> None:
    assert_error(*first("y,,n=joe\x07,r=x"), "server-does-support-channel-binding", "downgrade", name="")


def test_a_mandatory_extension_in_the_place_of_an_optional_one() -> None:
    assert_error(*first("n,,n=joe,r=x,z=1,m=2"), "extensions-not-supported", "extension")


@pytest.mark.parametrize("offered", [(), ("SCRAM-SHA-256",), ("SCRAM-SHA-256", "SCRAM-SHA-1")])
def test_who_could_bind_is_welcome_where_that_is_not_offered(offered: tuple[str, ...]) -> None:
    exchange = exchange_of("SCRAM-SHA-256", offered=offered)
    assert exchange.start(b64(b"y,,n=joe,r=x")) == ScramQuestion("joe", "sha256")


@pytest.mark.parametrize("kind", ["tls-exporter", "tls-server-end-point"])
def test_a_bound_login(kind: str) -> None:
    header = f"p={kind},,"
    exchange, nonce = asked(header, PLUS)
    bound = text(header.encode() + SURROUNDINGS.bindings[kind])
    claim = final(exchange, f"c={bound},r={nonce},p={text(bytes(32))}")
    assert isinstance(claim, ScramClaim)
    assert claim.mechanism == PLUS
    assert claim.auth_message == (
        f"n=joe,r={NONCE},r={nonce},s=c2FsdCBvZiB0aGUgdGVzdA==,i=4096,c={bound},r={nonce}".encode()
    )


@pytest.mark.parametrize(
    ("header", "mechanism", "bound"),
    [
        ("n,,", "SCRAM-SHA-256", b"y,,"),
        ("n,,", "SCRAM-SHA-256", b"n,"),
        ("n,,", "SCRAM-SHA-256", b"n,a=joe,"),
        ("n,a=joe,", "SCRAM-SHA-256", b"n,,"),
        ("n,,", "SCRAM-SHA-256", b"n,," + EXPORTER),
        ("p=tls-exporter,,", PLUS, b"p=tls-exporter,,"),
        ("p=tls-exporter,,", PLUS, b"p=tls-exporter,," + EXPORTER[:-1] + b"e"),
        ("p=tls-exporter,,", PLUS, b"p=tls-server-end-point,," + EXPORTER),
        ("p=tls-exporter,,", PLUS, b"p=tls-exporter,," + SURROUNDINGS.bindings["tls-server-end-point"]),
        ("p=tls-exporter,,", PLUS, b"n,,"),
    ],
)
def test_bindings_that_do_not_match(header: str, mechanism: str, bound: bytes) -> None:
    """Somebody in between has another TLS channel, or has changed the first message."""
    exchange, nonce = asked(header, mechanism)
    step = final(exchange, f"c={text(bound)},r={nonce},p={text(bytes(32))}")
    assert_error(exchange, step, "channel-bindings-dont-match", "channel-binding")


@pytest.mark.parametrize(
    ("message", "value", "reason"),
    [
        ("c=biws,r={nonce}x,p={proof}", "other-error", "nonce"),
        ("c=biws,r={theirs},p={proof}", "other-error", "nonce"),
        ("c=biws,r={ours},p={proof}", "other-error", "nonce"),
        ("c=biws,r={nonce},p=AAA", "invalid-encoding", "encoding"),
        ("c=biws,r={nonce},p=AB==", "invalid-encoding", "encoding"),
        ("c=biws,r={nonce},m=1,p={proof}", "extensions-not-supported", "extension"),
        ("c=biw=,r={nonce},p={proof}", "channel-bindings-dont-match", "channel-binding"),
    ],
)
def test_proofs_that_are_answered_by_an_error(message: str, value: str, reason: str) -> None:
    exchange, nonce = asked()
    parts = {
        "nonce": nonce,
        "theirs": NONCE,
        "ours": nonce.removeprefix(NONCE),
        "proof": text(bytes(32)),
    }
    assert_error(exchange, final(exchange, message.format(**parts)), value, reason)


@pytest.mark.parametrize("octets", [3, 20, 33])
def test_a_proof_of_another_length_is_a_wrong_one(octets: int) -> None:
    exchange, nonce = asked()
    claim = final(exchange, f"c=biws,r={nonce},p={text(bytes(octets))}")
    assert isinstance(claim, ScramClaim)
    assert claim.proof == bytes(octets)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "c=biws",
        "c=biws,r={nonce}",
        "c=biws,p={proof}",
        "r={nonce},c=biws,p={proof}",
        "c=,r={nonce},p={proof}",
        "c=biws,r=,p={proof}",
        "c=biws,r={nonce},p=",
        "c=biws,r={nonce},p={proof},",
        "c=biws,r={nonce},p={proof},z=1",
        "c=biws,r={nonce},p={proof},p={proof}",
        "c=biws,r={nonce},r={nonce},p={proof}",
        "c=biws,r={nonce},n=ann,p={proof}",
        "c=biws,r={nonce},z,p={proof}",
        "c=bi ws,r={nonce},p={proof}",
        "c=biws,r={nonce},p={proof}\n",
        "C=biws,r={nonce},p={proof}",
    ],
)
def test_proofs_that_break_the_grammar(message: str) -> None:
    exchange, nonce = asked()
    assert final(exchange, message.format(nonce=nonce, proof=text(bytes(32)))) == Refusal.MALFORMED


def test_a_proof_that_is_no_utf8() -> None:
    exchange, _ = asked()
    assert final(exchange, b"c=biws,r=x,z=\xff,p=AAAA") == Refusal.MALFORMED


def test_what_the_proof_is_about_includes_extensions() -> None:
    exchange, step = first("n,,n=j=3Do\u00ade,r=x,z=later")
    assert step == ScramQuestion("j=oe", "sha256")
    exchange.answer(PARAMETERS)
    nonce = "x" + text(bytes(range(18)))
    claim = final(exchange, f"c=biws,r={nonce},q=ö,p={text(bytes(32))}")
    assert isinstance(claim, ScramClaim)
    assert claim.auth_message.decode() == (
        f"n=j=3Do\u00ade,r=x,z=later,r={nonce},s=c2FsdCBvZiB0aGUgdGVzdA==,i=4096,c=biws,r={nonce},q=ö"
    )


def test_an_empty_authzid_counts_in_the_binding() -> None:
    """It is what the client has sent (RFC 5802 section 5.1)."""
    exchange, nonce = asked("n,a=,")
    claim = final(exchange, f"c={text(b'n,a=,')},r={nonce},p={text(bytes(32))}")
    assert isinstance(claim, ScramClaim)


def test_a_wrong_proof_is_refused_without_last_words() -> None:
    exchange, nonce = asked()
    claim = final(exchange, f"c=biws,r={nonce},p={text(bytes(32))}")
    assert isinstance(claim, ScramClaim)
    assert "AAAA" not in repr(claim)
    assert exchange.conclude(False, b"never shown") is None


@pytest.mark.parametrize("hash", ["sha1", "sha256"])
def test_keys(hash: ScramHash) -> None:
    salted = scram_keys.salted_password("I\u00adX", b"salt", 2, hash)
    assert salted == hashlib.pbkdf2_hmac(hash, b"IX", b"salt", 2)
    client_key = hmac.digest(salted, b"Client Key", hash)
    stored = scram_keys.stored_key(salted, hash)
    signature = hmac.digest(stored, b"message", hash)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    assert scram_keys.proves(stored, b"message", proof, hash)
    assert not scram_keys.proves(stored, b"massage", proof, hash)
    assert not scram_keys.proves(bytes(len(stored)), b"message", proof, hash)
    assert not scram_keys.proves(stored, b"message", proof[:-1], hash)
    assert not scram_keys.proves(stored, b"message", proof + b"\0", hash)
    assert not scram_keys.proves(stored, b"message", b"", hash)


def test_a_password_that_saslprep_prohibits_has_no_keys() -> None:
    with pytest.raises(ValueError, match="prohibits"):
        scram_keys.salted_password("pass\x07word", b"salt", 1, "sha256")
