"""Threads that work when the test says so."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IThreads


@implementer(IThreads)
class HeldThreads:
    """Keeps the work in the order it came. As with a Pool, cancelling the caller does not stop the work."""

    def __init__(self):
        self.held = []

    async def run(self, work):
        done = Deferred()
        self.held.append((done, work))
        return await done

    def work(self):
        """Do the oldest piece in its thread; answers what brings the outcome back to the reactor."""
        done, work = self.held.pop(0)
        try:
            outcome = work()
        except Exception:
            outcome = Failure()

        def deliver():
            if not done.called:
                done.callback(outcome)

        return deliver

    def release(self):
        self.work()()
