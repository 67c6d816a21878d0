"""One connection to a client: what is written to it, when it is idle, how it ends. It knows no protocol."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from mailsuite.concurrent.timer import Timer
from mailsuite.frontends import tcp
from mailsuite.frontends.door import CLOSE_TIMEOUT, END_OF_TLS_TIMEOUT, Door
from mailsuite.frontends.flow import Flow
from mailsuite.frontends.sendfile import send_file
from mailsuite.frontends.tls import hang_up, is_shut
from mailsuite.observe.log import Log
from mailsuite.observe.protocol_log import Tap


class Connection(Protocol):
    """Writes in order and no more than the client reads; ends with all that was written, or at once."""

    tls: str = ""
    """Version and cipher, empty in clear."""
    octets_in: int = 0
    """Inside TLS; so with ``octets_out``."""
    octets_out: int = 0
    log: Log

    def __init__(self, door: Door) -> None:
        self.door = door
        self.id = secrets.token_hex(4)
        self.log = door.log.bind(session=self.id)
        self.end_reason = ""
        self._tap: Tap | None = None
        self._timer = Timer(door.clock, self._expired)
        self._flow = Flow(self._unchoked)
        self._began = 0.0
        self._closing = False
        self._sending = False
        self._taken = 0
        """Octets that the client had taken when we looked last, after the last words."""
        self._lost = False
        self._hurried = False
        """The service stops, and the client's last words have not been given up yet."""

    def tap(self, tap: Tap | None) -> None:
        """Let *tap*, or nobody, see what passes from now on."""
        self._tap = tap

    @property
    def is_tapped(self) -> bool:
        """Somebody wants to see what passes."""
        return self._tap is not None

    @property
    def idle(self) -> float:
        """Seconds since anything moved."""
        return self._timer.idle

    @property
    def seconds(self) -> float:
        """How long the connection has lasted."""
        return self.door.clock.seconds() - self._began

    @property
    def lost(self) -> bool:
        """Nobody is there any more."""
        return self._lost

    # What a subclass provides

    def unsaid(self) -> bytes:
        """Take what is to be written before all else."""
        raise TypeError("a subclass knows what is to be said")  # pragma: no cover

    def _expired(self) -> None:
        """The timer: something took too long."""
        raise TypeError("a subclass knows how long anything may take")  # pragma: no cover

    def _unchoked(self) -> None:
        """The client has read what was written."""
        raise TypeError("a subclass goes on")  # pragma: no cover

    # Mistakes

    def _try(self, act: Callable[..., None], *arguments: object) -> None:
        """Call the core or the subclass: a mistake there must end this connection, and no other."""
        try:
            act(*arguments)
        except Exception:
            self._failed(Failure())

    def _failed(self, failure: Failure) -> None:
        self.log.failure(f"{self.door.service}.failed", failure)
        self.abort("internal error")

    # Writing

    @property
    def _transport(self) -> Any:
        """The transport with all that TCP and TLS transports have beyond ITransport."""
        return self.transport

    def _flush(self) -> None:
        if not self._closing and (data := self.unsaid()):
            self.say(data)

    def say(self, data: bytes) -> None:
        """Send responses, which the core gave."""
        if self._closing:
            return
        if self._tap is not None:
            self._try(self._tap.said, data)
        self._put(data)

    def write(self, data: bytes) -> None:
        """Send octets of a message or a listing, behind all that the core has said."""
        if self._closing:
            return
        self._flush()
        if self._tap is not None:
            self._try(self._tap.streamed, data)
        self._put(data)

    def _put(self, data: bytes) -> None:
        self.octets_out += len(data)
        self._timer.moved()
        self._transport.write(data)

    async def send_file(self, descriptor: int, size: int) -> bool:
        """Let the kernel send so many octets of a file, behind all that was written; only where can_send()
        says so. False: the client went away before the end. Raises as send_file() does; then, too, nothing
        more can be said."""
        self._flush()
        self._flow.step_aside()
        self._sending = True
        try:
            whole = await send_file(self.transport, descriptor, size, self._sent)
        finally:
            self._sending = False
        if whole and not self._closing:
            self._flow.attach(self.transport)
        return whole

    def _sent(self, octets: int) -> None:
        self.octets_out += octets
        self._timer.moved()

    async def writable(self) -> bool:
        """Wait until the client has read what was written; False: nothing can be written any more."""
        await self._flow.written()
        self._look_for_the_end()
        return not self._closing

    @property
    def _waits_for_reader(self) -> bool:
        return self._flow.choked or self._sending

    # End

    def _look_for_the_end(self) -> None:
        """A client that ends TLS behind its commands gets no further answer, and TCP tells it late: what was
        not begun by then is not done, and what was written before goes its way."""
        if self.tls and not self._closing and is_shut(self.transport):
            self.end_reason = self.end_reason or "disconnected"
            self.close()

    def close(self) -> None:
        """Send what is waiting, then end the connection."""
        if self._closing:
            return
        self._flush()
        self._closing = True
        self._flow.detach()
        self._timer.limit(END_OF_TLS_TIMEOUT if self._hurried else CLOSE_TIMEOUT)
        self._taken = tcp.acknowledged(self.transport)
        self._transport.loseConnection()

    def hurry(self) -> None:
        """The service stops: once the last words are said, do not wait long for the client's."""
        self._hurried = True
        if self._closing and not self._lost:
            self._timer.limit(END_OF_TLS_TIMEOUT)

    def _last_words_expired(self) -> None:
        """The client took too long over our last words. It has more time while it takes some of them; in a
        hurry they go their way, and its own are not waited for."""
        if self._hurried:
            self._hurried = False
            hang_up(self.transport)
        elif not self._reads_on():
            self.abort("time-out")
            return
        self._timer.limit(CLOSE_TIMEOUT)

    def abort(self, reason: str) -> None:
        """End the connection at once."""
        self.end_reason = self.end_reason or reason
        self._closing = True
        if not self._lost:
            self._transport.abortConnection()

    def _reads_on(self) -> bool:
        """Whether the client has taken some more of our last words since we looked before."""
        before, self._taken = self._taken, tcp.acknowledged(self.transport)
        return self._taken > before
