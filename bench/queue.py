"""What a large outbound queue costs: ``python -m bench.queue`` from the checkout (features row Q-01).

Fills a queue with ``--messages`` letters of a thousand accounts for ``--destinations`` domains: their rows,
and with ``--files`` their files. Half of them are due, half wait. Opens it in a fresh process, and prints how
long that took, its resident memory, and how many messages a second are put, leased and recorded, 100 at once.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline, Pool
from mailsuite.durable.committer import Committer
from mailsuite.durable.files import Files
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope, OutboundRecipient
from mailsuite.model.outbound import Fate, Lease, Outcome, Room
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.queue.spool.place import SpoolTree, path_of
from mailsuite.queue.sqlite.ledger import Ledger
from mailsuite.queue.sqlite.queue import DATABASE, SPOOL, SqliteQueue
from mailsuite.queue.sqlite.schema import SCHEMA
from mailsuite.sqlite.database import Database
from tests.store.pump import Pump

NOON = 1_700_000_000.0
BATCH = 100
BUSY = Outcome(Fate.DEFERRED, Reply(450, "4.2.0", ("later",)), "mx.example.org [192.0.2.1]", NOON)
TAKEN = Outcome(Fate.RELAYED, Reply(250, "2.0.0", ("thanks",)), "mx.example.org [192.0.2.1]", NOON)
CONTENT = b"Subject: bench\r\n\r\n" + b"x" * 78 + b"\r\n"


def letter(number: int, destinations: int) -> OutboundEnvelope:
    recipient = OutboundRecipient(Address(f"r{number}", f"d{number * 7919 % destinations}.example"))
    account = Address(f"a{number % 1000}", "example.net")
    release = NOON + number if number % 2 else 0.0
    return OutboundEnvelope(
        f"bench{number:09d}", account, (recipient,), account=account, arrived=NOON, release=release
    )


def fill(directory: Path, messages: int, destinations: int, with_files: bool) -> None:
    """Half of it is due now, and half waits."""
    database = Database(directory / DATABASE, SCHEMA, Inline())
    ledger = Ledger(lambda: NOON)
    spool = str(directory / SPOOL)
    SpoolTree(spool, Files()).ensure()

    def put(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        for first in range(0, messages, 10_000):
            connection.execute("BEGIN")
            for number in range(first, min(first + 10_000, messages)):
                name = f"{number:016x}{number * 7919 % 2**32:08x}"
                if with_files:
                    Path(path_of(spool, name)).touch()
                ledger.put(connection, letter(number, destinations), name, len(CONTENT))
            connection.execute("COMMIT")

    run_now(database.run(put))
    run_now(database.close())


def resident() -> float:
    """MiB now, and not at the highest."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    began, cpu = time.perf_counter(), time.process_time()
    yield
    took, used = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"{what}: {count / took:.0f}/s, {used / count * 1000:.3f} CPU s/1000; {resident():.0f} MiB resident"
    )


class Bench:
    def __init__(self, directory: Path) -> None:
        self.pump = Pump()
        committer = Committer(self.pump, Log(), Files())
        pools = [Pool(self.pump, name, size, 1000) for name, size in (("rows", 1), ("files", 4))]
        for each in (committer, *pools):
            each.start()
        self.queue = SqliteQueue(directory, committer, *pools)
        self.ends = [committer, *pools]

    def answer(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.pump.answer(coroutine)

    def together(self, coroutines: list[Coroutine[Any, Any, Any]]) -> None:
        for running in [Deferred.fromCoroutine(each) for each in coroutines]:
            self.pump.result(running)

    async def put(self, envelope: OutboundEnvelope) -> None:
        queuing = self.queue.begin(envelope)
        queuing.write(CONTENT)
        await queuing.prepare()
        await queuing.commit()

    def run(self, messages: int, destinations: int, rounds: int) -> None:
        print(f"before: {resident():.0f} MiB resident")
        began = time.perf_counter()
        self.answer(self.queue.open())
        due = self.answer(self.queue.next_due())
        print(f"open: {time.perf_counter() - began:.3f} s, next due {due}; {resident():.0f} MiB resident")
        count = rounds * BATCH
        with timed("put", count):
            for each in range(rounds):
                numbers = range(messages + each * BATCH, messages + (each + 1) * BATCH)
                self.together([self.put(letter(number * 2, destinations)) for number in numbers])
        leases: list[Lease] = []
        with timed("claim, one at a time", BATCH):
            for _ in range(BATCH):
                leases += self.answer(self.queue.claim(NOON, NOON + 600, 1, Room(20)))
        with timed("claim", count):
            for _ in range(rounds):
                leases += self.answer(self.queue.claim(NOON, NOON + 600, BATCH, Room(20)))
        with timed("claim, while as many become due", count):
            for _ in range(rounds):
                leases += self.answer(self.queue.claim(NOON + messages, NOON + 2 * messages, BATCH, Room(20)))
        with timed("record", len(leases)):
            for first in range(0, len(leases), BATCH):
                self.together(
                    [
                        self.queue.record(lease, {0: BUSY if number % 2 else TAKEN}, NOON + 2 * messages, {})
                        for number, lease in enumerate(leases[first : first + BATCH])
                    ]
                )
        self.answer(self.queue.close())
        for each in self.ends:
            each.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--destinations", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=50, help="of 100 messages each")
    parser.add_argument("--files", action="store_true", help="make the files of the spool, too")
    parser.add_argument("--directory", type=Path, help="where the queue is made")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.fill:
        fill(wish.fill, wish.messages, wish.destinations, wish.files)
        return
    with tempfile.TemporaryDirectory(prefix="ms-bench-", dir=wish.directory) as place:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bench.queue", "--fill", place, *sys.argv[1:]], check=True)
        size = (Path(place) / DATABASE).stat().st_size / 2**20
        print(f"{wish.messages} messages, {wish.destinations} destinations: {size:.0f} MiB of rows,", end=" ")
        print(f"filled in {time.perf_counter() - began:.0f} s")
        Bench(Path(place)).run(wish.messages, wish.destinations, wish.rounds)


if __name__ == "__main__":
    main()
