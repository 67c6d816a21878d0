from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.wire.sasl.exchange import Exchange, decode_base64
from mailsuite.wire.sasl.mechanisms import MECHANISMS
from mailsuite.wire.sasl.steps import (
    Challenge,
    HopelessClaim,
    PasswordClaim,
    Refusal,
    ScramParameters,
    ScramQuestion,
    Step,
)
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
        # The examples of RFC 4616 section 4; nobody acts for others here.
        (b"\0tim\0tanstaaftanstaaf", PasswordClaim("PLAIN", "", "tim", "tanstaaftanstaaf")),
        (b"Ursel\0Kurt\0xipj3plmq", HopelessClaim("PLAIN", "Kurt", "authzid")),
        (b"joe\0joe\0secret", PasswordClaim("PLAIN", "joe", "joe", "secret")),
        (b"\0j\xc3\xb6\0\xe2\x82\xac", PasswordClaim("PLAIN", "", "jö", "€")),
        (b"\0" + b"a" * 255 + b"\0" + b"b" * 255, PasswordClaim("PLAIN", "", "a" * 255, "b" * 255)),
        (b"admin\0joe\0secret", HopelessClaim("PLAIN", "joe", "authzid")),
        (b"JOE\0joe\0secret", HopelessClaim("PLAIN", "joe", "authzid")),
        (b"\0\0secret", HopelessClaim("PLAIN", "", "empty")),
        (b"\0joe\0", HopelessClaim("PLAIN", "joe", "empty")),
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
        (b"", b"secret", HopelessClaim("LOGIN", "", "empty")),
        (b"joe", b"", HopelessClaim("LOGIN", "joe", "empty")),
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
@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        (b"*", Refusal.CANCELLED),
        (b"**", Refusal.MALFORMED),
        (b"?", Refusal.MALFORMED),
        (b"=", Refusal.MALFORMED),
    ],
)
def test_cancel_and_nonsense(mechanism: str, line: bytes, refusal: Refusal) -> None:
    exchange = exchange_of(mechanism)
    assert isinstance(exchange.start(None), Challenge)
    assert exchange.respond(line) == refusal


@pytest.mark.parametrize("mechanism", sorted(MECHANISMS))
def test_a_star_is_no_initial_response(mechanism: str) -> None:
    assert exchange_of(mechanism).start(b"*") == Refusal.MALFORMED


SCRAM_FIRST = b64(b"n,,n=joe,r=x")
SCRAM_FINAL = b64(b"c=biws,r=xAAECAwQFBgcICQoLDA0ODxAR,p=" + b64(bytes(32)))
PARAMETERS = ScramParameters(b"salt", 4096)


def at(turn: str) -> Exchange:
    """An exchange at which something has to come next."""
    exchange = exchange_of("SCRAM-SHA-256")
    steps: dict[str, Callable[[], object]] = {
        "start": lambda: exchange.start(None),
        "respond": lambda: exchange.respond(SCRAM_FIRST),
        "answer": lambda: exchange.answer(PARAMETERS),
        "respond again": lambda: exchange.respond(SCRAM_FINAL),
        "conclude": lambda: exchange.conclude(True, b"signature"),
        "acknowledged": lambda: exchange.acknowledged(b""),
    }
    for step, take in steps.items():
        if step == turn:
            break
        take()
    return exchange


def moves(exchange: Exchange) -> dict[str, Callable[[], object]]:
    return {
        "start": lambda: exchange.start(SCRAM_FIRST),
        "respond": lambda: exchange.respond(SCRAM_FINAL),
        "answer": lambda: exchange.answer(PARAMETERS),
        "conclude": lambda: exchange.conclude(False),
        "acknowledged": lambda: exchange.acknowledged(b""),
    }


@pytest.mark.parametrize("move", ["start", "respond", "answer", "conclude", "acknowledged"])
@pytest.mark.parametrize(
    "turn", ["start", "respond", "answer", "respond again", "conclude", "acknowledged", "nothing"]
)
def test_what_is_done_out_of_turn_is_our_mistake(turn: str, move: str) -> None:
    take = moves(at(turn))[move]
    if turn.startswith(move):
        take()
    else:
        with pytest.raises(RuntimeError, match="out of turn"):
            take()


@pytest.mark.parametrize("line", [b"*", b"?", b64(b"joe")])
def test_nothing_follows_a_refusal(line: bytes) -> None:
    exchange = exchange_of("PLAIN")
    exchange.start(None)
    assert isinstance(exchange.respond(line), Refusal)
    for move in moves(exchange).values():
        with pytest.raises(RuntimeError, match="out of turn"):
            move()


def test_nothing_follows_the_verdict_on_a_password() -> None:
    exchange = exchange_of("PLAIN")
    exchange.start(b64(b"\0joe\0secret"))
    assert exchange.conclude(True, b"unused") is None
    for move in moves(exchange).values():
        with pytest.raises(RuntimeError, match="out of turn"):
            move()


@pytest.mark.parametrize(
    ("line", "acknowledged"),
    [(b"", True), (b"=", True), (b"*", False), (b" ", False), (b"==", False), (b"QUIT", False)],
)
def test_last_words_are_answered_by_nothing(line: bytes, acknowledged: bool) -> None:
    exchange = at("conclude")
    assert exchange.conclude(True, b"signature") == Challenge(b"v=c2lnbmF0dXJl")
    assert exchange.acknowledged(line) is acknowledged


def test_nothing_follows_the_verdict_on_a_wrong_proof() -> None:
    """RFC 5802 section 7 lets the server's last message be left out, and some clients cannot read ``e=``."""
    exchange = at("conclude")
    assert exchange.conclude(False, b"never shown") is None
    for move in moves(exchange).values():
        with pytest.raises(RuntimeError, match="out of turn"):
            move()


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


_SCRAM = st.text("nypcrapmevi=,A+/\0öxz- 2C3D", max_size=30).map(str.encode) | st.sampled_from(
    [b"n,,n=joe,r=x", b"p=tls-exporter,,n=joe,r=x", b"c=biws,r=xAAECAwQFBgcICQoLDA0ODxAR,p=AAAA"]
)
_NTLM = st.builds(
    lambda kind, rest: b"NTLMSSP\0" + kind.to_bytes(4, "little") + rest,
    st.integers(0, 4),
    st.binary(max_size=120)
    | st.lists(st.integers(0, 120), max_size=60).map(lambda ns: struct.pack(f"<{len(ns)}H", *ns)),
)
_LINES = st.binary() | (st.binary() | _SCRAM | _NTLM).map(b64) | st.just(b"")


@settings(max_examples=500)
@given(st.sampled_from(sorted(MECHANISMS)), st.none() | _LINES, st.lists(_LINES, max_size=4))
def test_any_answers_give_steps(mechanism: str, initial: bytes | None, lines: list[bytes]) -> None:
    exchange = exchange_of(mechanism)
    step = exchange.start(initial)
    while lines and not isinstance(step, Refusal):
        assert isinstance(step, Step)
        match step:
            case Challenge():
                step = exchange.respond(lines.pop())
            case ScramQuestion():
                step = exchange.answer(PARAMETERS)
            case _:
                last_words = exchange.conclude(False)
                if last_words is not None:
                    assert isinstance(step, HopelessClaim)
                    assert mechanism.startswith("SCRAM")
                    assert last_words.data.startswith(b"e=")
                return
    assert isinstance(step, Step)


def test_challenges_are_sent_in_base64() -> None:
    assert Challenge(b"Username:").encode() == b"VXNlcm5hbWU6"
    assert Challenge(b"").encode() == b""


def test_a_claim_never_shows_its_password() -> None:
    assert "secret" not in repr(JOE)
    assert "joe" in repr(JOE)
