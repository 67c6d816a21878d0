"""What follows from how a try ended, one case on a line."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.model.failure import (
    TargetGone,
    TellingFailed,
    TellingRefused,
    TemporaryFailure,
)
from mailsuite.model.notice import Level
from mailsuite.model.reply import NO_ANSWER
from mailsuite.model.subscription import ChannelTerms, Cursor
from mailsuite.notify.endings import (
    MAX_RESULT,
    MAX_RETRY_AFTER,
    Course,
    Ending,
    Outcome,
    course,
    end_of_patience,
    ending_of,
    give_up,
)
from mailsuite.notify.outgoing.causes import Cause, NotAllowed, Unreached
from mailsuite.notify.outgoing.destinations import End

TERMS = ChannelTerms(Level.PREVIEW, 10.0, each=False, retries=(5.0, 60.0), jitter=0.2)
CURSOR = Cursor("s1", acked=7, sent=3)
FAILED = Ending(Outcome.FAILED, "words", 500)
REFUSED, GONE = Ending(Outcome.REFUSED, "words", 400), Ending(Outcome.GONE, "words", 410)


@pytest.mark.parametrize(
    ("failure", "ending", "end"),
    [
        (TellingFailed("http 503", 503, 9.0), Ending(Outcome.FAILED, "http 503", 503, 9.0), End.FAILED),
        (TellingFailed("http 429", 429, 9.0), Ending(Outcome.FAILED, "http 429", 429, 9.0), End.OK),
        (TellingFailed("http 302", 302), Ending(Outcome.FAILED, "http 302", 302), End.OK),
        (TellingFailed("refused"), Ending(Outcome.FAILED, "refused"), End.FAILED),
        (TellingRefused("http 413", 413), Ending(Outcome.REFUSED, "http 413", 413), End.OK),
        (TargetGone("http 410", 410), Ending(Outcome.GONE, "http 410", 410), End.OK),
        (TemporaryFailure(NO_ANSWER, "dns"), Ending(Outcome.FAILED, "dns"), End.FAILED),
        (
            ValueError("secret"),
            Ending(Outcome.FAILED, "a mistake of this server", was_asked=False),
            End.UNKNOWN,
        ),
        (
            NotAllowed("10.0.0.1 is local"),
            Ending(Outcome.REFUSED, "not-allowed: 10.0.0.1 is local", was_asked=False),
            End.UNKNOWN,
        ),
        (
            Unreached(Cause.BUSY, "too much is under way"),
            Ending(Outcome.FAILED, "busy: too much is under way", was_asked=False),
            End.UNKNOWN,
        ),
        (
            Unreached(Cause.REFUSED, "nobody listens there"),
            Ending(Outcome.FAILED, "refused: nobody listens there"),
            End.FAILED,
        ),
    ],
)
def test_what_a_channel_raised(failure: Exception, ending: Ending, end: End) -> None:
    assert ending_of(failure) == ending
    assert ending.of_destination is end
    assert len(ending_of(TellingFailed("x" * 1000)).result) == MAX_RESULT


def follow(ending: Ending, cursor: Cursor = CURSOR, terms: ChannelTerms = TERMS, **more: object) -> Course:
    values = {"began": 100.0, "now": 101.0, "window": 10.0, "keeps_order": False, "chance": 0.5, **more}
    return course(cursor, ending, terms, **values)  # type: ignore[arg-type]


def test_all_went_well() -> None:
    failing = attrs.evolve(CURSOR, fails=2, failing_since=50.0)
    then = follow(Ending(Outcome.OK), failing)
    assert (then.is_over, then.given_up, then.suspends) == (True, False, False)
    assert then.cursor == Cursor("s1", 7, due=110.0, last_ok=101.0, last_try=100.0, last_result="ok", sent=4)


@pytest.mark.parametrize(
    ("fails", "chance", "retry_after", "due"),
    [
        (0, 0.5, 0.0, 106.0),
        (0, 0.0, 0.0, 105.0),
        (0, 1.0, 0.0, 107.0),
        (1, 0.5, 0.0, 161.0),
        (1, 0.5, 30.0, 161.0),
        (0, 0.5, 30.0, 131.0),
        (0, 0.5, 1e9, 101.0 + MAX_RETRY_AFTER),
    ],
)
def test_it_is_tried_again(fails: int, chance: float, retry_after: float, due: float) -> None:
    failing = attrs.evolve(CURSOR, fails=fails, failing_since=99.0 if fails else 0.0)
    then = follow(attrs.evolve(FAILED, retry_after=retry_after), failing, chance=chance)
    assert (then.is_over, then.given_up, then.suspends) == (False, False, False)
    assert then.cursor.fails == fails + 1
    assert then.cursor.due == pytest.approx(due)
    assert then.cursor.failing_since == (99.0 if fails else 101.0)
    assert then.cursor.last_result == "words"


@pytest.mark.parametrize(
    ("suspends", "buries", "keeps_order", "is_over"),
    [
        (True, False, False, False),
        (True, True, False, False),
        (True, True, True, True),
        (True, False, True, False),
        (False, False, False, True),
        (False, True, True, True),
    ],
)
def test_it_is_given_up(suspends: bool, buries: bool, keeps_order: bool, is_over: bool) -> None:
    """Whoever is told of the newest only is told of all once more when he is resumed, so that nothing is
    over."""
    terms = attrs.evolve(TERMS, suspends=suspends, buries=buries)
    failing = attrs.evolve(CURSOR, fails=2, failing_since=50.0)
    then = follow(FAILED, failing, terms, keeps_order=keeps_order)
    assert (then.suspends, then.is_over, then.given_up) == (suspends, is_over, is_over)
    assert then.cursor.fails == (3 if suspends else 0)
    assert (
        then.cursor
        == give_up(
            attrs.evolve(failing, fails=3, last_try=100.0, last_result="words"),
            terms,
            now=101.0,
            window=10.0,
            keeps_order=keeps_order,
        ).cursor
    )


@pytest.mark.parametrize(
    ("ending", "fails", "suspends"), [(REFUSED, 0, False), (REFUSED, 2, True), (GONE, 0, True)]
)
def test_it_is_over_untold(ending: Ending, fails: int, suspends: bool) -> None:
    then = follow(ending, attrs.evolve(CURSOR, fails=fails))
    assert (then.is_over, then.given_up, then.suspends) == (True, True, suspends)
    assert then.cursor.fails == fails + 1
    assert not follow(REFUSED, attrs.evolve(CURSOR, fails=9), attrs.evolve(TERMS, suspends=False)).suspends


def test_nobody_waits_for_ever() -> None:
    assert end_of_patience(attrs.evolve(CURSOR, failing_since=100.0), TERMS) == pytest.approx(178.0)
