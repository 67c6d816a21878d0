"""The embedded outbound queue: queue.db says who is still to get what, ``spool/`` holds it (DESIGN
section 8).

A message goes in by its file first: written, synced, renamed, its directory synced; then by its rows. It goes
out by its rows first. So a crash leaves a file without rows at worst, which sweeping.py removes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.durable.committer import Committer
from mailsuite.durable.files import Files
from mailsuite.durable.parcel import Parcel
from mailsuite.interfaces import IOutboundQueue, IThreads
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope
from mailsuite.model.failure import MailFailure, TemporaryFailure
from mailsuite.model.outbound import Lease, Outcome, Owed, Room
from mailsuite.model.reply import MESSAGE_GONE, STORE_UNAVAILABLE
from mailsuite.model.retention import Usage
from mailsuite.observe.log import Log
from mailsuite.queue.parts import DestinationOf
from mailsuite.queue.spool.content import SpooledContent
from mailsuite.queue.spool.place import SpoolPlace, SpoolTree, fresh_name, path_of
from mailsuite.queue.sqlite import schema, sending
from mailsuite.queue.sqlite import statements as sql
from mailsuite.queue.sqlite.ledger import Ledger
from mailsuite.queue.sqlite.queuing import Queuing
from mailsuite.sqlite.database import Database
from mailsuite.sqlite.group_commit import GroupCommit

T = TypeVar("T")

DATABASE = "queue.db"
SPOOL = "spool"


@implementer(IOutboundQueue)
@attrs.define(eq=False)
class SqliteQueue:
    """One for each state directory, which nobody else uses meanwhile. Used between open() and close(), while
    the committer runs."""

    directory: Path
    committer: Committer
    rows_thread: IThreads
    """Runs one piece of work at a time: it belongs to queue.db."""
    threads: IThreads
    """For files."""
    log: Log = attrs.field(factory=Log)
    clock: Callable[[], float] = time.time
    files: Files = attrs.field(factory=Files)
    factory: type[sqlite3.Connection] = sqlite3.Connection
    underway: set[str] = attrs.field(factory=set, init=False)
    """Names of files that have no rows yet, or none any more."""
    opened_at: float = attrs.field(default=0.0, init=False)
    _database: Database = attrs.field(init=False)
    _commits: GroupCommit = attrs.field(init=False)
    ledger: Ledger = attrs.field(init=False)
    _tree: SpoolTree = attrs.field(init=False)
    _tasks: Tasks = attrs.field(init=False)
    _doubtful: set[str] = attrs.field(factory=set, init=False)
    """Files whose rows are to be taken back, and may be there."""
    _taken_back: dict[str, bool] = attrs.field(factory=dict, init=False)
    """Those of them that the last transaction has seen to, and whether nobody wants the file any more."""
    _watchers: list[Callable[[], None]] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._database = Database(
            self.directory / DATABASE,
            schema.SCHEMA,
            self.rows_thread,
            self.log,
            STORE_UNAVAILABLE,
            schema.prepare,
            self.factory,
        )
        failed = partial(self.log.failure, "queue.task_failed")
        self._commits = GroupCommit(self._database, failed, self._take_back)
        self._tasks = Tasks(failed)
        self.ledger = Ledger(self.clock)
        self._tree = SpoolTree(self.spool, self.files)

    @property
    def spool(self) -> str:
        return os.path.join(self.directory, SPOOL)

    async def open(self) -> None:
        """Take the queue over: leases of a process that is gone are void. Raises TemporaryFailure, where a
        newer mailsuite wrote the file SchemaUnknown."""
        self.opened_at = self.clock()
        await self._database.open()
        while await self.run(partial(sending.end_leases, self.ledger, now=float("inf"))):
            pass

    def turn(self, rows_thread: IThreads) -> None:
        """From now on the work on the rows is done there."""
        self._database.threads = rows_thread

    async def close(self) -> None:
        """After all that was begun. What is given to it from now on fails as temporary."""
        await self._commits.finished()
        await self._tasks.finished()
        await self._database.close()

    async def run(self, work: Callable[[sqlite3.Connection], T], *, is_durable: bool = True) -> T:
        """Do *work* on the rows; files that have none any more are removed after the commit."""
        is_durable = is_durable or bool(self._doubtful)
        result, gone, taken_back = await self._commits.run(partial(self._work, work), is_durable=is_durable)
        if taken_back:  # and whoever comes first of a transaction empties it
            self._doubtful.difference_update(taken_back)
            gone += [file for file, is_gone in taken_back.items() if is_gone]
            taken_back.clear()
        if gone:
            self._tasks.start(self.remove(gone))
        return result

    def _work(
        self, work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection
    ) -> tuple[T, list[str], dict[str, bool]]:
        self.ledger.take_gone()  # of work that failed
        result = work(connection)
        return result, self.ledger.take_gone(), self._taken_back

    def _take_back(self, connection: sqlite3.Connection) -> None:
        self._taken_back = {file: self.ledger.withdraw(connection, file) for file in tuple(self._doubtful)}

    async def remove(self, names: Sequence[str]) -> None:
        """Remove files of the spool. What cannot be removed is logged, and goes at the next start."""
        try:
            await self.threads.run(partial(self._remove, names))
        except (OSError, MailFailure) as error:
            self.log.error("queue.remove_failed", reason=str(error))

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            self.files.remove(path_of(self.spool, name))

    def watch(self, call: Callable[[], None]) -> None:
        self._watchers.append(call)

    def wake(self) -> None:
        """Something may have become due."""
        for call in self._watchers:
            call()

    # Putting.

    def begin(self, envelope: OutboundEnvelope) -> Queuing:
        name = fresh_name()
        self.underway.add(name)
        return Queuing(
            envelope,
            Parcel(SpoolPlace(self._tree, name), self.files),
            self.committer,
            self.threads,
            self._tasks,
            partial(self._put, envelope, name),
            partial(self._withdraw, name),
            partial(self.underway.discard, name),
        )

    async def _put(self, envelope: OutboundEnvelope, name: str, size: int) -> bool:
        work = partial(_put, self.ledger, envelope, name, size)
        try:
            is_new = await self.run(work)
        except MailFailure:  # whoever asked for leases meanwhile is not to get it
            self._doubtful.add(name)
            raise
        self.wake()
        return is_new

    async def _withdraw(self, name: str) -> bool:
        """Where that fails it is done with the next work that succeeds, and the file stays until then."""
        try:
            return await self.run(partial(_withdraw, self.ledger, name))
        except MailFailure as failure:
            self.log.error("queue.withdraw_failed", reason=failure.reason)
            self._doubtful.add(name)
            return False

    # Sending.

    async def claim(self, now: float, until: float, count: int, room: Room) -> tuple[Lease, ...]:
        work = partial(sending.claim, self.ledger, now=now, until=until, count=count, room=room)
        return await self.run(work, is_durable=False)

    async def extend(self, leases: Collection[Lease], until: float) -> tuple[Lease, ...]:
        return await self.run(partial(sending.extend, leases=tuple(leases), until=until), is_durable=False)

    async def record(
        self, lease: Lease, outcomes: Mapping[int, Outcome], due: float, owed: Mapping[int, NotifyOn]
    ) -> bool:
        return await self.run(
            partial(
                sending.record, self.ledger, lease=lease, outcomes=dict(outcomes), due=due, owed=dict(owed)
            )
        )

    async def give_back(self, leases: Collection[Lease], due: float) -> None:
        work = partial(sending.give_back, self.ledger, leases=tuple(leases), due=due)
        await self.run(work, is_durable=False)

    async def owed(self, count: int) -> tuple[Owed, ...]:
        return await self.run(partial(sending.owed, count=count), is_durable=False)

    async def told(self, owed: Owed) -> None:
        await self.run(partial(sending.told, self.ledger, owed=owed))

    async def next_due(self) -> float | None:
        return await self.run(sending.next_due, is_durable=False)

    async def held_by(self, account: Address, now: float) -> Usage:
        return await self.run(partial(sending.held_by, account=account, now=now), is_durable=False)

    async def reroute(self, destination_of: DestinationOf) -> None:
        self.ledger.destination_of = destination_of
        last: int | None = 0
        while last is not None:
            last = await self.run(partial(sending.reroute, self.ledger, after=last))
            if last is not None:
                self.wake()

    def content(self, id: str) -> SpooledContent:
        return SpooledContent(partial(self._path_of, id), self.threads)

    async def _path_of(self, id: str) -> tuple[str, int]:
        found = await self.run(partial(_file_of, id), is_durable=False)
        if found is None:
            raise TemporaryFailure(MESSAGE_GONE, f"{id} is not in the queue")
        file, size = found
        return path_of(self.spool, file), size


def _put(
    ledger: Ledger, envelope: OutboundEnvelope, name: str, size: int, connection: sqlite3.Connection
) -> bool:
    return ledger.put(connection, envelope, name, size)


def _withdraw(ledger: Ledger, name: str, connection: sqlite3.Connection) -> bool:
    return ledger.withdraw(connection, name)


def _file_of(id: str, connection: sqlite3.Connection) -> tuple[str, int] | None:
    found: tuple[str, int] | None = connection.execute(sql.FILE_OF_ID, (id,)).fetchone()
    return found
