"""How a try to tell came to its end, and what follows for the subscription. Pure."""

from __future__ import annotations

import enum
from typing import Final

import attrs

from mailsuite.model.failure import MailFailure, TargetGone, TellingFailed, TellingRefused
from mailsuite.model.subscription import ChannelTerms, Cursor
from mailsuite.notify.outgoing.causes import Cause, NotAllowed, Unreached
from mailsuite.notify.outgoing.destinations import End

MAX_RETRY_AFTER: Final = 86_400.0
"""Seconds: no other side makes us wait longer (RFC 9110 section 10.2.3 sets no limit)."""
MAX_RESULT: Final = 160
"""Characters."""


class Outcome(enum.Enum):
    """In a word, for figures."""

    OK = "ok"
    FAILED = "failed"
    REFUSED = "refused"
    GONE = "gone"


@attrs.frozen
class Ending:
    """Of one try."""

    outcome: Outcome
    result: str = "ok"
    """For its owner; no word of the other side's."""
    code: int = 0
    """HTTP status; 0: there was none."""
    retry_after: float = 0.0
    """Seconds that the other side asked for."""
    was_asked: bool = True
    """Whether the destination had anything to do with it."""

    @property
    def of_destination(self) -> End:
        """What it says of the host: one that answers is there, even where it says no, or redirects: such a
        path may be known to anybody, and the host be that of many others."""
        if not self.was_asked:
            return End.UNKNOWN
        is_trouble = self.outcome is Outcome.FAILED and not 300 <= self.code < 500
        return End.FAILED if is_trouble else End.OK


def ending_of(failure: BaseException) -> Ending:
    """Of what a channel raised. What no channel may raise is a mistake of ours."""
    if isinstance(failure, TargetGone):
        return Ending(Outcome.GONE, _words(failure), failure.code)
    if isinstance(failure, TellingRefused):
        was_asked = not isinstance(failure, NotAllowed)
        return Ending(Outcome.REFUSED, _words(failure), failure.code, was_asked=was_asked)
    if isinstance(failure, TellingFailed):
        was_asked = not (isinstance(failure, Unreached) and failure.cause is Cause.BUSY)
        return Ending(Outcome.FAILED, _words(failure), failure.code, failure.retry_after, was_asked)
    if isinstance(failure, MailFailure):
        return Ending(Outcome.FAILED, _words(failure))
    return Ending(Outcome.FAILED, "a mistake of this server", was_asked=False)


def _words(failure: MailFailure) -> str:
    return failure.reason[:MAX_RESULT]


@attrs.frozen
class Course:
    """What follows from an ending."""

    cursor: Cursor
    """But for ``acked``."""
    is_over: bool
    """What was to be told is over, told or not."""
    given_up: bool = False
    """It is over without having been told."""
    suspends: bool = False
    """The subscription is left alone from now on."""


def course(
    cursor: Cursor,
    ending: Ending,
    terms: ChannelTerms,
    *,
    began: float,
    now: float,
    window: float,
    keeps_order: bool,
    chance: float,
) -> Course:
    """What follows from *ending* of a try that *began* then (seconds since the epoch).

    *keeps_order*: every happening is told by itself, so that one that is given up is out of the way.
    *chance*: a random number from 0 to 1, for the jitter of retries.
    """
    tried = attrs.evolve(cursor, last_try=began, last_result=ending.result)
    if ending.outcome is Outcome.OK:
        well = attrs.evolve(
            tried, due=began + window, fails=0, failing_since=0.0, last_ok=now, sent=cursor.sent + 1
        )
        return Course(well, is_over=True)
    fails = cursor.fails + 1
    failing = attrs.evolve(tried, fails=fails, failing_since=cursor.failing_since or now)
    if ending.outcome is not Outcome.FAILED:
        suspends = ending.outcome is Outcome.GONE or (terms.suspends and fails > len(terms.retries))
        return Course(attrs.evolve(failing, due=began + window), True, given_up=True, suspends=suspends)
    if fails <= len(terms.retries):
        wait = terms.retries[fails - 1] * (1.0 + terms.jitter * (2.0 * chance - 1.0))
        wait = max(wait, min(ending.retry_after, MAX_RETRY_AFTER))
        return Course(attrs.evolve(failing, due=now + wait), is_over=False)
    return give_up(failing, terms, now=now, window=window, keeps_order=keeps_order)


def give_up(cursor: Cursor, terms: ChannelTerms, *, now: float, window: float, keeps_order: bool) -> Course:
    """What follows where all tries were in vain. Of who is suspended and is told the newest only, nothing is
    over: once resumed they are told of all since."""
    is_over = not terms.suspends or (keeps_order and terms.buries)
    waits = attrs.evolve(cursor, due=now + window)
    if not terms.suspends:
        waits = attrs.evolve(waits, fails=0, failing_since=0.0)
    return Course(waits, is_over, given_up=is_over, suspends=terms.suspends)


def longest_wait(terms: ChannelTerms) -> float:
    """Seconds from a failure to the next try, at most."""
    return max(MAX_RETRY_AFTER, max(terms.retries, default=0.0) * (1.0 + terms.jitter))


def end_of_patience(cursor: Cursor, terms: ChannelTerms) -> float:
    """When all retries of one that fails were over, had they been made (seconds since the epoch): who waits
    for a destination that is left alone does not wait for ever."""
    return cursor.failing_since + sum(terms.retries) * (1.0 + terms.jitter)
