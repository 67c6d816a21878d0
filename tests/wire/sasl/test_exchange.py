from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.sasl.exchange import decode_base64
from mailsuite.wire.sasl.mechanisms import MECHANISMS
from mailsuite.wire.sasl.steps import Challenge, PasswordClaim, Refusal, Step
from tests.wire.sasl.world import b64, exchange_of


def plain(fields: bytes) -> Step:
    return exchange_of("PLAIN").start(b64(fields))


JOE = PasswordClaim("PLAIN", "", "joe", "secret")


def test_plain_with_initial_response() -> None:
    assert plain(b"\0joe\0secret") == JOE


def test_plain_without_initial_response() -> None:
    exchange = exchange_of("PLAIN")
    assert exchange.start(None) == Challenge(b"")
    assert exchange.respond(b64(b"\0joe\0secret")) == JOE


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        (b"joe\0joe\0secret", PasswordClaim("PLAIN", "joe", "joe", "secret")),
        (b"\0j\xc3\xb6\0\xe2\x82\xac", PasswordClaim("PLAIN", "", "jö", "€")),
        (b"\0" + b"a" * 255 + b"\0" + b"b" * 255, PasswordClaim("PLAIN", "", "a" * 255, "b" * 255)),
        (b"admin\0joe\0secret", Refusal.DENIED),
        (b"JOE\0joe\0secret", Refusal.DENIED),
        (b"\0\0secret", Refusal.DENIED),
        (b"\0joe\0", Refusal.DENIED),
        (b"joe", Refusal.MALFORMED),
        (b"joe\0secret", Refusal.MALFORMED),
        (b"\0joe\0secret\0", Refusal.MALFORMED),
        (b"\0joe\0sec\0ret", Refusal.MALFORMED),
        (b"\0j\xf6\0secret", Refusal.MALFORMED),
        (b"\0joe\0\xff", Refusal.MALFORMED),
        (b"\0" + b"a" * 256 + b"\0b", Refusal.MALFORMED),
        (b"\0a\0" + b"b" * 256, Refusal.MALFORMED),
        (b"a" * 256 + b"\0" + b"a" * 256 + b"\0b", Refusal.MALFORMED),
    ],
)
def test_plain_fields(fields: bytes, step: Step) -> None:
    assert plain(fields) == step


def test_an_empty_initial_response_is_written_as_equals_sign() -> None:
    assert exchange_of("PLAIN").start(b"=") == Refusal.MALFORMED
    assert exchange_of("LOGIN").start(b"=") == Challenge(b"Password:")
    assert exchange_of("LOGIN").start(b"") == Refusal.MALFORMED


def test_equals_sign_is_no_later_response() -> None:
    exchange = exchange_of("LOGIN")
    exchange.start(None)
    assert exchange.respond(b"=") == Refusal.MALFORMED


@pytest.mark.parametrize("initial", [True, False])
def test_login(initial: bool) -> None:
    exchange = exchange_of("LOGIN")
    if initial:
        step = exchange.start(b64(b"joe"))
    else:
        assert exchange.start(None) == Challenge(b"Username:")
        step = exchange.respond(b64(b"joe"))
    assert step == Challenge(b"Password:")
    assert exchange.respond(b64(b"secret")) == PasswordClaim("LOGIN", "", "joe", "secret")


@pytest.mark.parametrize(
    ("name", "password", "step"),
    [
        (b"", b"secret", Refusal.DENIED),
        (b"joe", b"", Refusal.DENIED),
        (b"joe\0root", b"secret", Refusal.MALFORMED),
        (b"joe", b"se\0cret", Refusal.MALFORMED),
        (b"j" * 256, b"secret", Refusal.MALFORMED),
    ],
)
def test_login_fields(name: bytes, password: bytes, step: Step) -> None:
    exchange = exchange_of("LOGIN")
    exchange.start(None)
    exchange.respond(b64(name))
    assert exchange.respond(b64(password)) == step


@pytest.mark.parametrize("mechanism", sorted(MECHANISMS))
def test_cancel_and_nonsense(mechanism: str) -> None:
    for line, refusal in [(b"*", Refusal.CANCELLED), (b"**", Refusal.MALFORMED), (b"?", Refusal.MALFORMED)]:
        exchange = exchange_of(mechanism)
        assert isinstance(exchange.start(None), Challenge)
        assert exchange.respond(line) == refusal


@pytest.mark.parametrize(
    "text",
    [
        b"YQ",
        b"YQ=",
        b"YQ===",
        b"YR==",  # pad bits that are not zero
        b"YQ==YQ==",
        b"Y Q==",
        b"YQ==\n",
        b" YQ==",
        b"YQ*=",
        b"=",
        b"====",
        b"-_-_",
        b"\xc3\xa4==",
    ],
)
def test_what_is_no_base64(text: bytes) -> None:
    assert decode_base64(text) is None


@given(st.binary())
def test_base64_there_and_back(data: bytes) -> None:
    assert decode_base64(b64(data)) == data


@given(st.binary())
def test_only_the_one_spelling_is_taken(text: bytes) -> None:
    decoded = decode_base64(text)
    assert decoded is None or b64(decoded) == text


@given(st.sampled_from(sorted(MECHANISMS)), st.lists(st.binary() | st.binary().map(b64), max_size=4))
def test_any_answers_give_steps(mechanism: str, lines: list[bytes]) -> None:
    exchange = exchange_of(mechanism)
    step = exchange.start(None)
    for line in lines:
        if not isinstance(step, Challenge):
            break
        step = exchange.respond(line)
    assert isinstance(step, Step)


def test_challenges_are_sent_in_base64() -> None:
    assert Challenge(b"Username:").encode() == b"VXNlcm5hbWU6"
    assert Challenge(b"").encode() == b""


def test_a_claim_never_shows_its_password() -> None:
    assert "secret" not in repr(JOE)
    assert "joe" in repr(JOE)
