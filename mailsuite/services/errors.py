"""What went wrong last in each service, for whoever asks how it is (features row S-I01)."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs
from twisted.python.failure import Failure

from mailsuite.observe.log import Log

SERVICES = ("smtp", "submission", "lmtp", "pop3", "notify")
"""What can be stopped and started alone, each with all of its listeners."""


@attrs.frozen
class LastError:
    at: float
    """Seconds since the epoch."""
    words: str


@attrs.define
class LastErrors:
    """One for each service: the log has them all."""

    now: Callable[[], float] = time.time
    _errors: dict[str, LastError] = attrs.field(factory=dict, init=False)

    def record(self, service: str, words: str) -> None:
        """Something is wrong; nothing is kept of what is no service."""
        if service in SERVICES:
            self._errors[service] = LastError(self.now(), words)

    def of(self, service: str) -> LastError | None:
        return self._errors.get(service)


@attrs.frozen
class ServiceLog(Log):
    """A log whose failures of services (``pop3.failed``) are the last errors of these, too.

    The words name the kind of exception alone: what it says belongs into the log.
    """

    errors: LastErrors = attrs.field(factory=LastErrors, kw_only=True)

    def failure(self, event: str, failure: Failure, **fields: object) -> None:
        super().failure(event, failure, **fields)
        kind = "" if failure.type is None else failure.type.__name__
        self.errors.record(event.partition(".")[0], f"a mistake of ours, {kind}; the log tells where")
