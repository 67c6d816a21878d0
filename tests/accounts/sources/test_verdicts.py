"""What is remembered of a source's answers, for how long, and what empties it."""

import pytest
from twisted.internet.task import Clock

from mailsuite.accounts.sources.verdicts import Verdicts
from tests.accounts.sources.fakes import ANN, JOE


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def verdicts(clock):
    return Verdicts(clock.seconds, accepted=300, refused=10, max_entries=3)


def test_what_was_never_asked_is_unknown(verdicts):
    verdicts.remember(JOE, b"right", True, 0)
    verdicts.remember(JOE, b"wrong", False, 0)
    assert verdicts.recall(JOE, b"right") is True
    assert verdicts.recall(JOE, b"wrong") is False
    assert verdicts.recall(JOE, b"other") is None
    assert verdicts.recall(ANN, b"right") is None


def test_each_verdict_has_its_own_life_and_asking_prolongs_nothing(verdicts, clock):
    verdicts.remember(JOE, b"right", True, 0)
    verdicts.remember(JOE, b"wrong", False, 0)
    clock.advance(9.9)
    assert verdicts.recall(JOE, b"wrong") is False
    clock.advance(0.1)
    assert verdicts.recall(JOE, b"wrong") is None
    clock.advance(289.9)
    assert verdicts.recall(JOE, b"right") is True
    clock.advance(0.1)
    assert verdicts.recall(JOE, b"right") is None


def test_the_last_answer_counts(verdicts):
    verdicts.remember(JOE, b"x", False, 0)
    verdicts.remember(JOE, b"x", True, 0)
    assert verdicts.recall(JOE, b"x") is True
    verdicts.remember(JOE, b"x", False, 0)
    assert verdicts.recall(JOE, b"x") is False


def test_no_life_is_no_memory(clock):
    verdicts = Verdicts(clock.seconds, accepted=0, refused=0)
    verdicts.remember(JOE, b"x", True, 0)
    verdicts.remember(JOE, b"y", False, 0)
    assert verdicts.recall(JOE, b"x") is None
    assert verdicts.recall(JOE, b"y") is None
    assert len(verdicts) == 0


def test_a_clock_that_is_set_back_makes_nothing_live_longer(verdicts, clock):
    clock.advance(1000)
    verdicts.remember(JOE, b"x", True, 0)
    clock.rightNow -= 500
    assert verdicts.recall(JOE, b"x") is None


def test_it_is_bounded_and_wrong_passwords_drive_out_no_right_one(verdicts):
    verdicts.remember(ANN, b"right", True, 0)
    for number in range(100):
        verdicts.remember(JOE, b"%d" % number, False, 0)
    assert len(verdicts) == 4
    assert verdicts.recall(ANN, b"right") is True
    assert verdicts.recall(JOE, b"99") is False
    assert verdicts.recall(JOE, b"0") is None


def test_a_change_empties_what_was_said_about_the_account_alone(verdicts):
    for account in (JOE, ANN):
        verdicts.remember(account, b"right", True, 0)
        verdicts.remember(account, b"wrong", False, 0)
    verdicts.forget(JOE)
    assert verdicts.recall(JOE, b"right") is None
    assert verdicts.recall(JOE, b"wrong") is None
    assert verdicts.recall(ANN, b"right") is True
    assert verdicts.recall(ANN, b"wrong") is False


def test_an_answer_to_a_question_from_before_a_change_is_not_kept(verdicts):
    before = verdicts.forgotten
    verdicts.forget(JOE)
    verdicts.remember(JOE, b"old", True, before)
    assert verdicts.recall(JOE, b"old") is None
    verdicts.remember(JOE, b"new", True, verdicts.forgotten)
    assert verdicts.recall(JOE, b"new") is True


def test_no_password_is_in_its_repr_or_its_memory(verdicts):
    verdicts.remember(JOE, b"canary", True, 0)
    assert "canary" not in repr(verdicts)
    assert not any(b"canary" in digest for side in verdicts._sides.values() for _, digest in side.asked_at)
