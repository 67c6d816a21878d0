"""What all listeners share, over memory: for tests that look at one listener, or at none."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from mailsuite.accounts.terms import OwnRetentions
from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import FileWatch
from mailsuite.directory.bans import MemoryBans
from mailsuite.frontends.premises import Premises
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.observe.protocol_log import Watches
from mailsuite.policy.access_files import AccessLists
from mailsuite.policy.bans import Bans

NOW = 1_795_000_000.0
"""Where *clock* stands at 0, in seconds since the epoch."""


def premises_of(clock: IReactorTime, log: Log, store: MemoryBans | None = None) -> Premises:
    """Whose access lists, bans and figures are empty still."""

    def now() -> float:
        return NOW + clock.seconds()

    return Premises(
        clock=clock,
        threads=Inline(),
        log=log,
        bans=Bans(store or MemoryBans(), now, log),
        access=AccessLists(Inline(), FileWatch(Inline(), clock, log), log),
        metrics=Metrics(),
        watches=Watches(now),
        own_retentions=OwnRetentions(),
    )
