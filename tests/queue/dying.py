"""A process that forks others, which use a queue and die by SIGKILL at the step that the test names.

Reads lines from its standard input: a directory, and the number of the step (file operations, and beginnings
and ends of transactions, before and after they are done). Writes what each child has had acknowledged, a line
each, then ``steps`` with how many there were where it lived to the end, or ``died``.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from mailsuite.concurrent.threads import Inline
from mailsuite.durable.committer import Committer
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope, OutboundRecipient
from mailsuite.model.outbound import Fate, Outcome, Room
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.queue.sqlite.queue import SqliteQueue
from tests.store.pump import Pump
from tests.store.recording import RecordingFiles

NOON = 1_700_000_000.0
TAKEN = Outcome(Fate.RELAYED, Reply(250, "2.0.0", ("thanks",)), "mx.example.org", NOON)
BUSY = Outcome(Fate.DEFERRED, Reply(450, "", ("later",)), "mx.example.org", NOON)
CONTENTS = {"a": b"first\r\n", "b": b"second\r\n" * 9, "c": b"x" * 300_000}
SENDER = Address("joe", "example.net")


class Steps:
    """Counts, and ends everything at the step that is fatal."""

    def __init__(self, fatal: int) -> None:
        self.count, self.fatal = 0, fatal

    def step(self) -> None:
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def files(self, root: str) -> RecordingFiles:
        steps = self

        class DyingFiles(RecordingFiles):
            def _do(self, operation, path, act):
                steps.step()
                result = super()._do(operation, path, act)
                steps.step()
                return result

        return DyingFiles(root)

    def connection(self) -> type[sqlite3.Connection]:
        steps = self

        class DyingConnection(sqlite3.Connection):
            def execute(self, statement, *values):
                if not statement.startswith(("BEGIN", "COMMIT")):
                    return super().execute(statement, *values)
                steps.step()
                result = super().execute(statement, *values)
                steps.step()
                return result

        return DyingConnection


def letter(id: str, count: int) -> OutboundEnvelope:
    recipients = (OutboundRecipient(Address(f"r{number}", "example.org")) for number in range(count))
    return OutboundEnvelope(id, SENDER, tuple(recipients), arrived=NOON)


def live(root: str, fatal: int) -> None:
    steps, pump = Steps(fatal), Pump()
    files = steps.files(root)
    committer = Committer(pump, Log(), files)
    committer.start()
    queue = SqliteQueue(
        Path(root), committer, Inline(), Inline(), files=files, factory=steps.connection(), clock=lambda: NOON
    )

    def acknowledged(what: str) -> None:
        os.write(1, what.encode() + b"\n")

    def put(id: str, count: int) -> None:
        queuing = queue.begin(letter(id, count))
        queuing.write(CONTENTS[id])
        pump.answer(queuing.prepare())
        pump.answer(queuing.commit())
        acknowledged(f"put {id}")

    def claim():
        leases = pump.answer(queue.claim(NOON, NOON + 60, 1, Room(1)))
        acknowledged(f"claimed {leases[0].message.id}")
        return leases[0]

    pump.answer(queue.open())
    put("a", 2)
    put("b", 1)
    lease = claim()
    pump.answer(queue.record(lease, {0: TAKEN, 1: BUSY}, NOON + 9, {1: NotifyOn.DELAY}))
    acknowledged("recorded a")
    pump.answer(queue.record(claim(), {0: TAKEN}, NOON + 9, {}))
    acknowledged("over b")
    put("c", 1)
    pump.answer(queue.told(pump.answer(queue.owed(9))[0]))
    acknowledged("told a")
    os.write(1, b"steps %d\n" % steps.count)


def forks(live: Callable[[str, int], None]) -> None:
    """Do what each line of the standard input says: *live*, with a place and the step that is fatal."""
    for line in sys.stdin:
        place, _, fatal = line.strip().rpartition(" ")
        child = os.fork()
        if not child:
            try:
                live(place, int(fatal))
            finally:
                os._exit(0)
        if os.waitpid(child, 0)[1]:
            os.write(1, b"died\n")


if __name__ == "__main__":
    forks(live)
