"""Embedded queues for tests: on a directory that goes away, with a pump for a reactor."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

from mailsuite.concurrent.threads import Inline
from mailsuite.durable.committer import Committer
from mailsuite.durable.files import Files
from mailsuite.model.envelope import OutboundEnvelope
from mailsuite.observe.log import Log
from mailsuite.queue.sqlite.queue import SqliteQueue
from mailsuite.queue.sqlite.rows import message_of, outbound_of
from tests.store.pump import Pump


class UnsyncedFiles(Files):
    """For tests that are not about what the disk has."""

    def sync(self, descriptor):
        pass

    def sync_directory(self, path):
        pass


class UnsyncedConnection(sqlite3.Connection):
    def execute(self, statement, *values):
        if statement.startswith("PRAGMA synchronous"):
            statement = "PRAGMA synchronous = OFF"
        return super().execute(statement, *values)


class QueueOnDisk:
    """Beside SynchronousTestCase: a root directory, a pump, and queues that are stopped at the end."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        self.addCleanup(shutil.rmtree, self.root)
        self.pump = Pump()
        self.lines = []
        super().setUp()

    def open_queue(self, files=None, threads=None, rows_thread=None, **settings):
        log = Log(lambda line, urgent: self.lines.append(line))
        files = files or UnsyncedFiles()
        settings.setdefault("factory", UnsyncedConnection)
        committer = Committer(self.pump, log, files)
        committer.start()
        self.addCleanup(committer.stop)
        queue = SqliteQueue(
            self.root, committer, rows_thread or Inline(), threads or Inline(), log, files=files, **settings
        )
        self.addCleanup(lambda: self.answer(queue.close()))
        self.answer(queue.open())
        return queue

    def reopened(self, queue, **settings):
        self.answer(queue.close())
        return self.open_queue(**settings)

    def answer(self, coroutine):
        return self.pump.answer(coroutine)

    def spooled(self):
        """The files of the spool, those that are being written among them."""
        return sorted(path for path in (self.root / "spool").rglob("*") if path.is_file())

    def rows(self, statement, *values):
        connection = sqlite3.connect(self.root / "queue.db")
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def queued(self, queue):
        """Pairs of envelope and content, in the order of the commits."""
        found = []
        for number, file, *row in self.rows(
            "SELECT number, file, id, sender, parameters, account, arrived, release, size, vouched"
            " FROM message"
            " ORDER BY number"
        ):
            message = message_of(tuple(row))
            recipients = self.rows(
                "SELECT address, notify, original FROM part JOIN recipient ON part.number = part"
                " WHERE message = ? ORDER BY recipient.number",
                number,
            )
            envelope = OutboundEnvelope(
                message.id,
                message.sender,
                tuple(outbound_of(*recipient) for recipient in recipients),
                message.parameters,
                message.account,
                message.arrived,
                message.release,
                message.vouched,
            )
            (path,) = [path for path in self.spooled() if path.name == file]
            found.append((envelope, path.read_bytes()))
        return found
