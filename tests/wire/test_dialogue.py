"""The way of an exchange, whatever protocol carries it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailsuite.wire.dialogue import Answer, Dialogue, not_given
from mailsuite.wire.sasl.mechanisms import Surroundings
from mailsuite.wire.sasl.steps import (
    Challenge,
    HopelessClaim,
    PasswordClaim,
    Refusal,
    ScramClaim,
    ScramQuestion,
)
from tests.wire.proofs import PARAMETERS, ScramClient, judged

SURROUNDINGS = Surroundings("h", lambda count: b"7" * count, lambda: 0.0)


def encoded(message: bytes) -> bytes:
    return Challenge(message).encode()


def proved(password: str = "secret word") -> tuple[Dialogue, ScramClaim]:
    """A dialogue that has come to a claim."""
    dialogue, client = Dialogue(), ScramClient(password=password)
    step = dialogue.start("SCRAM-SHA-256", encoded(client.first()), SURROUNDINGS)
    assert step == ScramQuestion("joe", "sha256")
    challenge = dialogue.answer(PARAMETERS)
    assert isinstance(challenge, Challenge)
    claim = dialogue.respond(encoded(client.final(challenge.data)))
    assert isinstance(claim, ScramClaim)
    assert dialogue.active
    return dialogue, claim


def spoken(accepted: bool) -> tuple[Dialogue, Challenge]:
    """A dialogue that has come to last words."""
    if accepted:
        dialogue, claim = proved()
        last_words = dialogue.conclude(True, judged(claim) or b"")
    else:
        dialogue = Dialogue()
        step = dialogue.start(
            "SCRAM-SHA-256", encoded(ScramClient(header="p=tls-unique,,").first()), SURROUNDINGS
        )
        assert isinstance(step, HopelessClaim)
        last_words = dialogue.conclude(False)
    assert last_words is not None
    return dialogue, last_words


@pytest.mark.parametrize(
    ("accepted", "line", "answer"),
    [
        (True, b"", Answer.ACCEPTANCE),
        (True, b"=", Answer.ACCEPTANCE),
        (True, b"*", Answer.PROTEST),
        (True, b"QUIT", Answer.PROTEST),
        (False, b"", Answer.RESIGNATION),
        (False, b"*", Answer.RESIGNATION),
    ],
)
def test_last_words(accepted: bool, line: bytes, answer: Answer) -> None:
    dialogue, last_words = spoken(accepted)
    assert last_words.data.startswith(b"v=" if accepted else b"e=")
    assert dialogue.active
    assert dialogue.respond(line) is answer
    assert not dialogue.active


@pytest.mark.parametrize(("accepted", "answer"), [(True, Answer.PROTEST), (False, Answer.RESIGNATION)])
def test_a_line_that_is_none_after_last_words(accepted: bool, answer: Answer) -> None:
    dialogue, _ = spoken(accepted)
    assert dialogue.spoil() is answer
    assert not dialogue.active


def test_a_line_that_is_none_before_a_claim() -> None:
    dialogue = Dialogue()
    assert dialogue.start("PLAIN", None, SURROUNDINGS) == Challenge(b"")
    assert dialogue.spoil() is Refusal.MALFORMED
    assert not dialogue.active


def test_an_exchange_behind_another_begins_anew() -> None:
    dialogue, _ = spoken(False)
    dialogue.respond(b"")
    assert dialogue.start("PLAIN", None, SURROUNDINGS) == Challenge(b"")
    assert dialogue.respond(b"*") is Refusal.CANCELLED
    assert not dialogue.active


def test_a_wrong_proof_is_refused_without_last_words() -> None:
    dialogue, _ = proved("guess")
    assert dialogue.conclude(False) is None
    assert not dialogue.active


@pytest.mark.parametrize("accepted", [False, True])
def test_mechanisms_without_last_words(accepted: bool) -> None:
    dialogue = Dialogue()
    claim = dialogue.start("PLAIN", encoded(b"\0joe\0x"), SURROUNDINGS)
    assert claim == PasswordClaim("PLAIN", "", "joe", "x")
    assert dialogue.conclude(accepted) is None
    assert not dialogue.active
    assert dialogue.conclude(accepted) is None, "of a claim that came another way"


@pytest.mark.parametrize(
    "act", [lambda dialogue: dialogue.respond(b""), lambda dialogue: dialogue.answer(PARAMETERS)]
)
def test_nothing_is_under_way(act: Callable[[Dialogue], object]) -> None:
    with pytest.raises(RuntimeError, match="no exchange"):
        act(Dialogue())


def test_no_randomness_is_invented() -> None:
    with pytest.raises(RuntimeError, match="randomness"):
        not_given(16)
