"""Services over a reactor whose sockets are the test's, with their record in a folder of its own."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from mailsuite.concurrent.threads import Inline
from mailsuite.frontends.listener import Listener
from mailsuite.services.control import Services
from mailsuite.services.errors import SERVICES, LastErrors
from mailsuite.state import Stopped
from tests.directory.folders import FolderCase
from tests.frontends.lines import LineSession
from tests.frontends.test_doors import DoorsCase


class ServicesCase(FolderCase, DoorsCase):
    """``pop`` and ``pops`` are listeners of pop3, ``mx`` is one of smtp; no listener is one of submission."""

    def setUp(self) -> None:
        super().setUp()
        self.record = self.folder / "services.json"
        self.threads: Any = Inline()
        self.pop, self.pops = self.listener("pop", 110), self.listener("pops", 995)
        self.mx = self.listener("mx", 25, service="smtp")
        self.begin()

    def begin(self) -> None:
        """As a server does that starts."""
        stopped = Stopped.read(self.record, SERVICES)
        now = self.reactor.seconds
        self.errors = LastErrors(now)
        self.services = Services(self.doors, self.record, stopped, self.threads, self.log, self.errors, now)
        self.reload(self.pop, self.pops, self.mx)

    def reload(self, *wanted: Listener) -> tuple[list[str], list[str]]:
        self.done(self.services.open(wanted))
        words = self.services.use(wanted)
        self.reactor.advance(0)
        return words

    def running(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Let it run, and the reactor turn so that closed sockets are gone."""
        running = Deferred.fromCoroutine(coroutine)
        self.reactor.advance(0)
        return running

    def done(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(self.running(coroutine))

    def fails(self, coroutine: Coroutine[Any, Any, Any], kind: type[Exception]) -> str:
        return str(self.failureResultOf(self.running(coroutine), kind).value)

    def state(self, name: str = "pop3") -> str:
        return self.services.status(name).state

    def pass_time(self, seconds: float) -> None:
        self.reactor.pump([0.25] * int(seconds * 4))

    def leave(self, session: LineSession) -> None:
        session.connectionLost(Failure(ConnectionDone()))
        self.pass_time(0.5)

    def remembered(self) -> dict[str, float]:
        return dict(Stopped.read(self.record, SERVICES).services)
