"""HTTP on a socket: who asks, for how long they may take, and who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.concurrent.timer import Timer
from mailsuite.frontends import tcp
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import Door
from mailsuite.frontends.http_core import PROBLEM, Answer, HttpCore, HttpRequest
from mailsuite.model.facts import ConnectionFacts

REQUEST_TIMEOUT: Final = 30.0
"""Seconds from the first octet of a request to its last, however they come; and for the first one from the
connection on."""
_READING_METHODS: Final = frozenset({b"GET", b"HEAD"})
"""They change nothing: nobody needs to come to their end once the client has gone."""
_MISTAKE: Final = Answer(
    500, b'{"title": "Internal Server Error", "status": 500, "detail": "a mistake of ours"}\n', PROBLEM
)

Application = Callable[["HttpSession", HttpRequest], Awaitable[Answer | None]]
"""Answers a request; None: it has done so itself, to the end. Raises nothing but mistakes of ours."""

_NOTHING: Final = Answer(
    404, b'{"title": "Not Found", "status": 404, "detail": "there is nothing at this path"}\n', PROBLEM
)


def nothing_is_there(*of_the_listener: object) -> Application:
    """Where nobody has been found to answer."""

    async def answer(session: HttpSession, request: HttpRequest) -> Answer:
        return _NOTHING

    return answer


class HttpSession(SessionProtocol[HttpRequest]):
    """One HTTP connection. Who logged in is known from the first request on that shows a password."""

    core: HttpCore

    def __init__(self, door: Door, application: Application) -> None:
        super().__init__(door)
        self._application = application
        self._by = inf
        """When the request that comes has to be whole, on the clock."""
        self._leaving: Callable[[], None] | None = None
        self.facts: ConnectionFacts
        self.login: object = None
        """What the application remembers of who logged in on this connection, and for it alone."""

    def begin(self, facts: ConnectionFacts) -> None:
        self.facts = facts
        self.core = HttpCore(self, self._transport.getPeer(), self._transport.getHost())
        self._by = self.door.clock.seconds() + REQUEST_TIMEOUT
        self.watch()

    def receive(self, data: bytes) -> None:
        core = self.core
        began = core.reading or core.answering
        core.receive(data)
        if not began and core.reading and self._by == inf:
            self._by = self.door.clock.seconds() + REQUEST_TIMEOUT
            self.watch()

    def set_timer(self, timer: Timer) -> None:
        timer.watch(self.door.idle_timeout, self._by)

    def overdue(self) -> str:
        return "idle time-out" if self._by == inf else "request time-out"

    def dispatch(self, event: HttpRequest) -> None:
        self._by = inf
        self.watch()
        self.answer(self._answer(event), for_the_client=event.method in _READING_METHODS)

    async def _answer(self, request: HttpRequest) -> None:
        try:
            answer = await self._application(self, request)
        except CancelledError:
            raise
        except Exception:
            self.log.failure(f"{self.door.service}.failed", Failure(), path=request.path)
            answer = _MISTAKE
        if answer is None or self.lost:
            return
        if request.startedWriting:
            self.abort("internal error")
        else:
            request.answer(answer)

    # Answers that take long

    @property
    def is_choked(self) -> bool:
        """The client has not read what was written."""
        return self._flow.choked

    @property
    def taken(self) -> int:
        """Octets that the client's kernel has taken so far; 0 where nobody knows."""
        return tcp.acknowledged(self.transport)

    def on_leave(self, leave: Callable[[], None] | None) -> None:
        """Have *leave* called when the service stops while an answer goes on, or the client sends no more, or
        did so already; None: nobody."""
        self._leaving = leave
        if leave is not None and (self._draining or self._input_ended):
            leave()

    def readConnectionLost(self) -> None:
        """Whoever closes the connection cannot be told from who reads on, until the next octets are sent. So
        an answer without an end ends here: those who went would count as present for so long."""
        super().readConnectionLost()
        if self._leaving is not None:
            self._try(self._leaving)

    def drain(self) -> None:
        super().drain()
        if self._leaving is not None:
            self._try(self._leaving)
