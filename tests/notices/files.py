"""notify.db for tests: in a folder of its own, unsynced, sealed by keys that are nowhere written down."""

from __future__ import annotations

import sqlite3

from twisted.internet.defer import Deferred

from mailsuite.accounts.keyring import Keyring
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.threads import Inline
from mailsuite.notices.sqlite.notify_db import NotifyDb
from mailsuite.observe.log import Log
from tests.directory.folders import FolderCase
from tests.queue.queues import UnsyncedConnection


class NotifyDbCase(FolderCase):
    """Beside SynchronousTestCase: ``self.opened()`` is a NotifyDb, closed at the end."""

    def setUp(self):
        self.lines = []
        self.vault = Vault(Keyring.new(), Inline())
        super().setUp()

    @property
    def path(self):
        return self.folder / "notify.db"

    def opened(self, factory=UnsyncedConnection, threads=None):
        log = Log(lambda line, urgent: self.lines.append(line))
        db = NotifyDb.at(self.path, threads or Inline(), self.vault, log, factory)
        self.addCleanup(lambda: self.answer(db.close()))
        return db

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def sql(self, statement, *values):
        """Said by another program, committed."""
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def octets(self):
        """All that stands in the file and those beside it."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("notify.db*")))
