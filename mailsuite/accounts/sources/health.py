"""Whether a source answers, and how often it is asked while it does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, OVERLOADED
from mailsuite.observe.log import Log

MAX_UNDER_WAY = 64
"""Questions to one source at the same time; our own limit, far above what a login rush of a few hundred
people makes of answers that take some milliseconds."""
FAILURES_UNTIL_SPARED = 3


@attrs.define(eq=False)
class Health:
    """Counts the failures of one source, and tells the log when it goes down and comes up again.

    After three failures without an answer between, one question at a time goes to it, which is how we
    learn that it is up; the others fail at once instead of waiting for nothing.
    """

    name: str
    log: Log
    failures: int = attrs.field(default=0, init=False)
    """Since the last answer."""
    under_way: int = attrs.field(default=0, init=False)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Around one question. Raises TemporaryFailure where it must not be asked now."""
        if self.under_way >= MAX_UNDER_WAY:
            raise TemporaryFailure(OVERLOADED, f"{self.name}: {self.under_way} questions are under way")
        if self.failures >= FAILURES_UNTIL_SPARED and self.under_way:
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, f"{self.name}: is down")
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def answered(self) -> None:
        """It said yes or no."""
        if self.failures:
            self.log.info("source.up", source=self.name, failures=self.failures)
        self.failures = 0

    def failed(self, reason: str) -> None:
        """It did not."""
        self.failures += 1
        if self.failures == 1:
            self.log.warning("source.down", source=self.name, reason=reason)
