"""Asks the server whether there is new mail: what makes a forged knock harmless.

RFC 4146 proves nothing (section 5), so a knock is no news but a reason to look. Nothing new, nothing
shown.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.client.kept import Kept
from mailsuite.client.news import News
from mailsuite.client.pop3 import LoginRefused, Look, TryLater
from mailsuite.client.trouble import in_words

POLL_SECONDS: Final = 300.0
BASE_SECONDS: Final = 6 * 3600.0
"""Between two looks while the stream is there."""
GRACE_SECONDS: Final = 2.0
"""What was found beside the stream is told this much later: it may be what the stream is about to tell."""
RETRIES: Final = (5.0, 15.0, 45.0)
"""Seconds after which a look that a knock asked for is tried again; then the next poll will see."""


class Why(enum.Enum):
    """What asks for a look."""

    POLL = "poll"
    KNOCK = "knock"
    GAP = "gap"
    """The stream does not know what came before it, or has missed something."""
    BASE = "base"
    """Nothing is to be told: to know what is there, for a time without the stream."""


_ASKED_FOR: Final = frozenset({Why.KNOCK, Why.GAP})
"""Somebody has reason to believe that there is something."""


@attrs.define
class Counters:
    looks: int = 0
    failures: int = 0
    spurious: int = 0
    """Looks for a knock that found nothing new."""


@attrs.define(eq=False)
class Verifier:
    """Looks at one account when asked, and every now and then as poll_for() was told. One look at a time.

    *news* hears of new mail, *trouble* of a look that failed, in words; None after the next that did not.
    """

    clock: IReactorTime
    look: Callable[[], Awaitable[Look]]
    kept: Kept
    account: str
    news: Callable[[News], None]
    trouble: Callable[[str | None], None]
    poll: float = POLL_SECONDS
    _polling: Why | None = attrs.field(default=None, init=False)
    counters: Counters = attrs.field(factory=Counters, init=False)
    _wanted: Why | None = attrs.field(default=None, init=False)
    _wake: Deferred[None] | None = attrs.field(default=None, init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)
    _delay: float = attrs.field(default=0.0, init=False)
    """What the server asks for between two logins."""
    _tries: int = attrs.field(default=0, init=False)
    _has_ended: bool = attrs.field(default=False, init=False)

    def ask(self, why: Why) -> None:
        """Look now, or once more after the present look. What a knock asked for stays a knock's."""
        if self._wanted in (None, Why.BASE) or why in _ASKED_FOR:
            self._wanted = why
        self._rouse()

    def poll_for(self, why: Why) -> None:
        """POLL: look at once, and then every *poll* seconds. BASE: every BASE_SECONDS."""
        if why is self._polling:
            return
        self._polling = why
        if why is Why.POLL:
            self.ask(Why.POLL)
        elif not self._tries:
            self._sleep(BASE_SECONDS, why)

    async def run(self) -> None:
        """Until cancelled. Raises LoginRefused."""
        try:
            while True:
                await self._next()
                why, self._wanted = self._wanted or Why.POLL, None
                again = await self._look(why)
                self._sleep(again, why)
        finally:
            self._has_ended = True
            self._stop_timer()

    async def _next(self) -> None:
        while self._wanted is None:
            self._wake = Deferred()
            await self._wake

    async def _look(self, why: Why) -> float:
        """One look; answers the seconds until the next, 0 for none."""
        self.counters.looks += 1
        try:
            found = await self.look()
        except (LoginRefused, CancelledError):
            raise
        except Exception as error:  # whatever the network is up to: the next look will see
            self.counters.failures += 1
            self.trouble(in_words(error))
            return self._after_failure(why, error)
        self.trouble(None)
        self._tries, self._delay = 0, found.login_delay
        if why is Why.GAP and self._polling is Why.BASE:
            await self._pause_for(GRACE_SECONDS)
        if why is Why.BASE and self._polling is Why.BASE:  # the stream may have gone meanwhile
            self.kept.looked_silently(found.messages)
            fresh = 0
        else:
            fresh = self.kept.looked(found.messages, stream_goes_on=self._polling is Why.BASE)
        self.kept.write()
        if fresh:
            self.news(News(self.account, count=fresh))
        elif why is Why.KNOCK:
            self.counters.spurious += 1
        return self._pause

    async def _pause_for(self, seconds: float) -> None:
        over: Deferred[None] = Deferred()
        timer = self.clock.callLater(seconds, over.callback, None)
        try:
            await over
        finally:
            if timer.active():
                timer.cancel()

    @property
    def _pause(self) -> float:
        """Seconds until the next look that nobody asks for; 0: there is none."""
        if self._polling is None:
            return 0.0
        return BASE_SECONDS if self._polling is Why.BASE else max(self.poll, self._delay)

    def _after_failure(self, why: Why, error: Exception) -> float:
        """A look that was asked for is tried again soon, but not for ever."""
        after = error.after if isinstance(error, TryLater) else 0.0
        if why in _ASKED_FOR and self._tries < len(RETRIES):
            soon = RETRIES[self._tries]
            self._tries += 1
            return max(after, soon)
        self._tries = 0
        return max(after, self._pause) if self._polling is not None else 0.0

    def _sleep(self, seconds: float, why: Why) -> None:
        self._stop_timer()
        if seconds and not self._has_ended:
            again = why if self._tries else self._polling or Why.POLL
            self._timer = self.clock.callLater(seconds, self._due, again)

    def _due(self, why: Why) -> None:
        if why in _ASKED_FOR or why is self._polling:
            self.ask(why)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.callback(None)
