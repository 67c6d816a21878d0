"""A reactor's thread for tests: calls from threads wait in a queue until the test lets them run."""

from __future__ import annotations

import queue

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

PATIENCE = 30
"""Seconds after which a test gives up; never waited where the code is right."""


class Pump:
    """callFromThread() as the reactor has it, and the test's own turn of the reactor."""

    def __init__(self):
        self.calls = queue.SimpleQueue()
        self.handed_over = 0

    def callFromThread(self, call, *args):
        self.calls.put((call, args))

    def turn(self):
        """Wait for one call from a thread, and run it."""
        call, args = self.calls.get(timeout=PATIENCE)
        self.handed_over += 1
        call(*args)

    def until(self, condition):
        while not condition():
            self.turn()

    def start(self, coroutine):
        """Run *coroutine* until it first waits; answers its Deferred."""
        return Deferred.fromCoroutine(coroutine)

    def result(self, deferred):
        """What *deferred* fires with, or what it fails with, raised."""
        outcome = []
        deferred.addBoth(outcome.append)
        self.until(lambda: outcome)
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]

    def answer(self, coroutine):
        return self.result(self.start(coroutine))
