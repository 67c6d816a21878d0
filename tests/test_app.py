"""What the composition root joins, and how that ends."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailsuite import app
from mailsuite.config.load import load
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.origin import Origin
from mailsuite.observe.log import Log
from mailsuite.state import State

CONFIG = '[server]\nname = "mail.example.test"\nadmin = "joe@example.test"\nstate = "{state}"\n'


class PartsTests(TestCase):
    timeout = 10

    def setUp(self) -> None:
        state = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        self.addCleanup(shutil.rmtree, state)
        (state / "mailsuite.toml").write_text(CONFIG.format(state=state))
        config = load(state / "mailsuite.toml", {}).accepted()
        self.parts = app.compose(config, reactor, Log(lambda line, urgent: None), State(state))
        self.spool = state / "spool"

    def test_the_disk_of_the_queue_is_watched_too(self) -> None:
        self.assertIn(self.spool, self.parts.receiving.disk.paths)

    async def test_a_look_through_a_large_queue_does_not_hold_up_the_end(self) -> None:
        cancelled = []
        self.patch(app, "sweep", lambda queue: Deferred(cancelled.append))
        self.parts.open(MemoryDirectory(origin=Origin.FILE))
        self.parts.start()
        await self.parts.stop()
        self.assertEqual(len(cancelled), 1)
