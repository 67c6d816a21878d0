"""The half of a reactor that a pool of threads needs, turned by the test."""

from __future__ import annotations

import queue

PATIENCE = 30
"""Seconds until a test gives up on a thread; never waited for when all is well."""


class Turns:
    """The half of a reactor that a pool needs; the test says when its turn comes."""

    def __init__(self):
        self.calls = queue.Queue()

    def callFromThread(self, callable, *args):
        self.calls.put((callable, args))

    def turn(self):
        """Wait for the next call from a thread, and make it."""
        callable, args = self.calls.get(timeout=PATIENCE)
        callable(*args)
