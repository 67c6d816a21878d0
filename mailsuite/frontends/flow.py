"""Back-pressure of one connection, both ways: a client that does not read, and one that sends too much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

MAX_WAITING_INPUT = 64 * 1024
"""Octets taken from the socket while an answer is being found; then reading pauses."""


@implementer(IPushProducer)
@attrs.define(eq=False)
class Flow:
    """What the transport pauses and resumes, and what pauses the transport.

    While ``choked`` the client has not read what was written; *unchoked* is called when it has.
    """

    _unchoked: Callable[[], None]
    choked: bool = attrs.field(default=False, init=False)
    _transport: Any = attrs.field(default=None, init=False)
    _attached: bool = attrs.field(default=False, init=False)
    _waiting: Deferred[None] | None = attrs.field(default=None, init=False)
    _octets: int = attrs.field(default=0, init=False)
    _reading_paused: bool = attrs.field(default=False, init=False)

    def attach(self, transport: Any) -> None:
        """Be the producer of *transport*, which has nothing unread yet as far as we know."""
        self._transport = transport
        self._attached = True
        transport.registerProducer(self, True)

    def detach(self) -> None:
        """Be nobody's producer: what is written from here waits in the transport. Input flows. Any number
        of times.

        A transport that changes to TLS forgets that it has paused its producer, so over that change it
        must have none.
        """
        self.step_aside()
        self.caught_up()

    def step_aside(self) -> None:
        """Let another producer write until attach(). What waits of the input is still counted."""
        if self._attached:
            self._attached = False
            self._transport.unregisterProducer()
        self.choked = False

    # What we write

    def pauseProducing(self) -> None:
        self.choked = True

    def resumeProducing(self) -> None:
        self.release()
        self._unchoked()

    def stopProducing(self) -> None:
        """The transport is going; connectionLost() follows."""

    async def written(self) -> None:
        """Wait until the client has read what was written, or the connection is gone."""
        if self.choked:
            self._waiting = self._waiting or Deferred()
            await self._waiting

    def release(self) -> None:
        """Nothing is choked any more: let go on who waits."""
        self.choked = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    # What we read

    def took(self, octets: int) -> None:
        """So much more input waits for an answer that is being found."""
        self._octets += octets
        if self._octets > MAX_WAITING_INPUT and not self._reading_paused:
            self._reading_paused = True
            self._transport.pauseProducing()

    def caught_up(self) -> None:
        """No input waits."""
        self._octets = 0
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resumeProducing()
