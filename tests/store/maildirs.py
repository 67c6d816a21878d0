"""Maildir stores for tests: on a directory that goes away, with a pump for a reactor."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from mailsuite.concurrent.threads import Inline
from mailsuite.model.address import Address
from mailsuite.store.maildir.layout import Layout
from mailsuite.store.maildir.replacing import ReplacingFiles
from mailsuite.store.maildir.store import MaildirStore
from tests.store.pump import Pump

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
MESSAGE = b"Subject: hello\r\n\r\nWorld.\r\n"


class MaildirCase:
    """Beside SynchronousTestCase: a root directory, a pump, and stores that are stopped at the end."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        self.addCleanup(shutil.rmtree, self.root)
        self.pump = Pump()
        self.events = []
        super().setUp()

    def maildir_store(self, files=None, threads=None, root=None, **settings):
        store = MaildirStore(
            Layout.below(root or self.root / "mail"),
            self.pump,
            threads or Inline(),
            files=files or ReplacingFiles(),
            **settings,
        )
        store.start()
        self.addCleanup(store.stop)
        return store

    def maildir(self, account=JOE):
        return self.root / "mail" / account.domain / account.local

    def visible(self, account=JOE):
        return sorted(path for name in ("new", "cur") for path in (self.maildir(account) / name).glob("*"))

    def unfinished(self, account=JOE):
        return sorted((self.maildir(account) / "tmp").glob("*"))

    def written(self, store, content=MESSAGE, account=JOE):
        delivery = store.begin(account)
        delivery.write(content)
        return delivery

    def deliver(self, store, *deliveries):
        return self.pump.answer(store.deliver(deliveries))
