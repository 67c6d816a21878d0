"""When a message is tried again, and when it is given up (RFC 5321 section 4.5.4.1).

All times are seconds since the epoch. The age of a message counts from its arrival, or from the time that its
sender has held it back to (RFC 4865).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from mailsuite.config.queue import RetryTimes
from mailsuite.model.outbound import QueuedMessage

JITTER: Final = 0.2
"""By how much a wait is longer or shorter at random: what failed together does not come back together."""
_MAX_DOUBLINGS: Final = 40


def born(message: QueuedMessage) -> float:
    """When its age begins to count."""
    return max(message.arrived, message.release)


def expiry(times: RetryTimes, message: QueuedMessage) -> float:
    """When it is given up: an attempt that fails from then on is the last."""
    return born(message) + (times.give_up if message.sender is not None else times.give_up_null)


def is_over(times: RetryTimes, message: QueuedMessage, now: float) -> bool:
    """Whether an attempt that has failed now was the last."""
    return now >= expiry(times, message)


def next_try(
    times: RetryTimes,
    message: QueuedMessage,
    tries: int,
    now: float,
    *,
    random: Callable[[], float],
    no_later: float = math.inf,
) -> float:
    """When to try again what has failed *tries* times, the last time now; for what is not over.

    The last attempt is at the very time when the message is given up, and one is when a warning is due; with
    ``fixed`` waits they all come in their time. *no_later*: when a rest of the whole destination ends, for
    what was not tried because of that. *random* gives numbers from 0 up to 1.
    """
    if times.fixed is not None:
        return min(now + times.fixed, expiry(times, message))
    due = now + wait(times.first, times.longest, tries, random())
    warnings = [born(message) + age for age in times.warn if born(message) + age > now]
    return min(due, no_later, expiry(times, message), *warnings)


def wait(first: float, longest: float, count: int, chance: float) -> float:
    """The wait behind the *count*-th failure: each twice as long as the one before, up to the longest, a
    fifth shorter or longer by *chance*, which is from 0 up to 1."""
    doubled = first * 2.0 ** min(count - 1, _MAX_DOUBLINGS)
    return min(doubled * (1 - JITTER + 2 * JITTER * chance), longest * (1 - JITTER + JITTER * chance))


def longest_rest(times: RetryTimes) -> float:
    """How many seconds a destination may be left alone. With fixed waits less than any of them, so that each
    message is tried in its time."""
    return times.longest if times.fixed is None else min(60.0, times.fixed / 2)
