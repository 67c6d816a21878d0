"""CRAM-MD5 (RFC 2195)."""

from __future__ import annotations

import hmac
import re

import pytest

from mailsuite.wire.sasl.steps import Challenge, DigestClaim, HopelessClaim, Refusal, Step
from tests.wire.sasl.world import b64, exchange_of

DIGEST = b"b913a602c7eda7a495b4e6e7334d3890"


def test_the_example_of_section_2() -> None:
    exchange = exchange_of(
        "CRAM-MD5",
        hostname="postoffice.reston.mci.net",
        octets=lambda count: (1896).to_bytes(count, "big"),
        seconds=lambda: 697170952.0,
    )
    step = exchange.start(None)
    assert isinstance(step, Challenge)
    assert step.encode() == b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
    claim = exchange.respond(b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw")
    assert claim == DigestClaim("CRAM-MD5", "tim", step.data, DIGEST.decode())
    assert hmac.new(b"tanstaaftanstaaf", step.data, "md5").hexdigest() == claim.digest
    assert exchange.conclude(True) is None


def test_a_challenge_is_a_message_id_and_never_comes_twice() -> None:
    chances = iter([bytes(16), bytes([1] * 16)])
    challenges = [exchange_of("CRAM-MD5", octets=lambda count: next(chances)).start(None) for _ in range(2)]
    assert challenges[0] != challenges[1]
    for step in challenges:
        assert isinstance(step, Challenge)
        assert re.fullmatch(rb"<[0-9]+\.1700000000@mail\.example\.net>", step.data)


@pytest.mark.parametrize("initial", [b"=", b64(b"joe " + DIGEST)])
def test_the_server_speaks_first(initial: bytes) -> None:
    assert exchange_of("CRAM-MD5").start(initial) == Refusal.MALFORMED


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (b"joe " + DIGEST, "joe"),
        (b"joe doe  " + DIGEST, "joe doe "),
        (b" joe " + DIGEST, " joe"),
        ("jö@exämple.net ".encode() + DIGEST, "jö@exämple.net"),
        (b"j" * 255 + b" " + DIGEST, "j" * 255),
        (b"joe\n" + b" " + DIGEST, "joe\n"),
        (b" " + DIGEST, HopelessClaim("CRAM-MD5", "", "empty")),
        (DIGEST, Refusal.MALFORMED),
        (b"", Refusal.MALFORMED),
        (b"joe", Refusal.MALFORMED),
        (b"joe " + DIGEST.upper(), Refusal.MALFORMED),
        (b"joe " + DIGEST[:-1], Refusal.MALFORMED),
        (b"joe " + DIGEST + b"0", Refusal.MALFORMED),
        (b"joe " + DIGEST + b"\n", Refusal.MALFORMED),
        (b"joe " + DIGEST + b" ", Refusal.MALFORMED),
        (b"joe " + b"g" * 32, Refusal.MALFORMED),
        (b"joe\t" + DIGEST, Refusal.MALFORMED),
        (b"j" * 256 + b" " + DIGEST, Refusal.MALFORMED),
        (b"joe\0root " + DIGEST, Refusal.MALFORMED),
        (b"j\xf6 " + DIGEST, Refusal.MALFORMED),
    ],
)
def test_responses(response: bytes, outcome: str | Refusal) -> None:
    exchange = exchange_of("CRAM-MD5")
    challenge = exchange.start(None)
    assert isinstance(challenge, Challenge)
    step: Step = exchange.respond(b64(response))
    if isinstance(outcome, str):
        assert step == DigestClaim("CRAM-MD5", outcome, challenge.data, DIGEST.decode())
    else:
        assert step == outcome


def test_a_claim_shows_no_digest() -> None:
    exchange = exchange_of("CRAM-MD5")
    exchange.start(None)
    assert DIGEST.decode() not in repr(exchange.respond(b64(b"joe " + DIGEST)))
