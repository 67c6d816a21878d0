"""Sessions between two messages, kept for a moment in case there is more for the same place."""

from __future__ import annotations

from collections.abc import Hashable

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.relay.session import RelaySession

KEPT_SECONDS = 2.0
"""How long a session waits for more (Postfix: connection_cache_time_limit). A place at another server is
somebody else's, too."""
MAX_MAILS = 100
"""Messages by one session (features row Q-06)."""
MAX_SECONDS = 300.0
"""How long one session lasts (features row Q-06)."""


@attrs.define(eq=False)
class _Kept:
    session: RelaySession
    ends: IDelayedCall


@attrs.define(eq=False)
class Pool:
    """Idle sessions by where they lead and what they are good for."""

    clock: IReactorTime
    tasks: Tasks
    """Owns those that say goodbye."""
    _kept: dict[Hashable, list[_Kept]] = attrs.field(factory=dict, init=False)

    def take(self, key: Hashable) -> RelaySession | None:
        """The session that came last, for nobody else to use; None where there is none."""
        kept = self._kept.pop(key, [])
        session = None
        while kept and session is None:
            last = kept.pop()
            last.ends.cancel()
            if last.session.usable:
                session = last.session
            else:
                self.dismiss(last.session)
        if kept:
            self._kept[key] = kept
        return session

    def give(self, key: Hashable, session: RelaySession) -> None:
        """Keep it, unless it has done enough or cannot go on."""
        if not session.usable or session.mails >= MAX_MAILS or session.seconds >= MAX_SECONDS:
            self.dismiss(session)
            return
        kept = _Kept(session, self.clock.callLater(KEPT_SECONDS, self._end, key, session))
        self._kept.setdefault(key, []).append(kept)

    def dismiss(self, session: RelaySession) -> None:
        """Let it go, without waiting for that."""
        self.tasks.start(session.leave())

    def close(self) -> None:
        """Let all go."""
        for key in list(self._kept):
            while (session := self.take(key)) is not None:
                self.dismiss(session)

    def _end(self, key: Hashable, session: RelaySession) -> None:
        left = [each for each in self._kept.pop(key, []) if each.session is not session]
        if left:
            self._kept[key] = left
        self.dismiss(session)
