"""What ``mailsuite status`` is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite import __version__
from mailsuite.admin.status import Running, describe
from mailsuite.concurrent.threads import Inline
from mailsuite.config.load import load
from mailsuite.frontends.admission import Admission
from mailsuite.frontends.door import Door
from mailsuite.frontends.doors import Doors
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.listener import Listener, Place
from mailsuite.notify.counters import NotifyCounters
from mailsuite.observe.log import Log
from mailsuite.services.control import Services
from mailsuite.services.errors import LastErrors
from mailsuite.state import Stopped
from tests.directory.folders import FolderCase
from tests.frontends.lines import LineSession, Wire
from tests.frontends.ports import PortsReactor

CONFIG = """
[server]
name = "mail.example.test"
admin = "joe@example.test"
state = "{state}"
[pop3]
max_connections = 7
[tls]
{tls}
[[listener]]
name = "pop3"
service = "pop3"
bind = ["127.0.0.1"]
port = 110
tls = "starttls"
"""

EMPTY = {"messages": 0, "oldest": None}


class StatusTests(FolderCase, SynchronousTestCase):
    def describe(
        self, accounts: int = 1, tls: str = "", path: Path | None = None, readable: bool = True
    ) -> dict[str, object]:
        file = self.folder / "mailsuite.toml"
        file.write_text(CONFIG.format(state=file.parent.resolve() / "state", tls=tls))
        reactor = PortsReactor()
        doors = Doors(reactor, Log())
        place = Place("127.0.0.1", 110)
        door = Door("pop3", "pop3", reactor, Log(), 300.0)
        factory = SessionFactory(reactor, lambda: LineSession(door), Admission(0, 0), b"", Log())
        errors = LastErrors(lambda: 4.0)
        errors.record("pop3", "it was wrong")
        stopped = Stopped({"smtp": 3.0})
        services = Services(doors, self.folder / "x", stopped, Inline(), Log(), errors, lambda: 2.0)
        listeners = [Listener("pop3", "pop3", (place,), factory, "starttls")]
        self.successResultOf(Deferred.fromCoroutine(services.open(listeners)))
        services.use(listeners)
        session = reactor.connect(110)
        assert session is not None
        session.makeConnection(Wire())
        config = load(file, {}).accepted()
        queue = EMPTY if readable else None
        running = Running(config, path, 1.0, 2.0, services, NotifyCounters(), accounts, queue=queue)
        document = describe(running)
        self.assertEqual(json.loads(json.dumps(document)), document, "plain JSON")
        return document

    def test_all_of_it(self) -> None:
        document = self.describe(3, path=Path("/etc/mailsuite.toml"))
        self.assertEqual(
            (document["version"], document["name"], document["pid"], document["since"], document["accounts"]),
            (__version__, "mail.example.test", os.getpid(), 2.0, 3),
        )
        self.assertEqual(document["queue"], EMPTY)
        self.assertEqual(document["config"], {"path": "/etc/mailsuite.toml", "read_at": 1.0})
        smtp, submission, lmtp, pop3, notify = document["services"]  # type: ignore[misc, attr-defined]
        self.assertEqual((smtp["state"], smtp["since"], smtp["last_error"]), ("stopped", 3.0, None))
        self.assertEqual((submission["state"], submission["sessions"]), ("stopped", 0))
        self.assertEqual((notify["service"], notify["state"], notify["limit"]), ("notify", "stopped", 10_000))
        self.assertEqual((lmtp["service"], lmtp["state"], lmtp["limit"]), ("lmtp", "stopped", 1000))
        self.assertEqual(
            pop3,
            {
                "service": "pop3",
                "state": "running",
                "since": 2.0,
                "listeners": [{"name": "pop3", "addresses": ["127.0.0.1:110"], "tls": "starttls"}],
                "sessions": 1,
                "limit": 7,
                "counters": {},
                "last_error": {"at": 4.0, "words": "it was wrong"},
            },
        )

    def test_warnings(self) -> None:
        both = self.describe(0)["warnings"]
        self.assertEqual(len(both), 2)  # type: ignore[arg-type]
        one = self.describe(1)["warnings"]
        self.assertIn("of our own making", one[0])  # type: ignore[index]
        unreadable = self.describe(1, readable=False)
        self.assertIsNone(unreadable["queue"])
        self.assertIn("the outbound queue cannot be read", unreadable["warnings"][0])  # type: ignore[index]
        self.assertIsNone(self.describe(1)["config"]["path"])  # type: ignore[index, call-overload]
