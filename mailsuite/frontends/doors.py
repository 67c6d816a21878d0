"""All listeners of the suite: what is open, and how a reload gets from there to what is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults

from mailsuite.frontends.factory import DRAIN_TIMEOUT, SessionFactory
from mailsuite.frontends.listener import Listener
from mailsuite.observe.log import Log


@attrs.define
class Doors:
    """Opens before it closes; a listener whose place stays keeps its sockets and its sessions."""

    reactor: Any
    log: Log
    _open: list[Listener] = attrs.field(factory=list, init=False)
    _leaving: list[SessionFactory] = attrs.field(factory=list, init=False)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return tuple(self._open)

    def sessions(self, service: str) -> int:
        """How many sessions of a service live, those of closed listeners included."""
        factories = [listener.factory for listener in self._open] + self._leaving
        return sum(
            1 for factory in factories for session in factory.sessions if session.door.service == service
        )

    async def become(self, wanted: Sequence[Listener]) -> tuple[list[str], list[str]]:
        """Change to *wanted*; answer what was opened and what was closed.

        Raises ListenerError where one cannot be opened; then nothing has changed.
        """
        old = {listener.place: listener for listener in self._open}
        new = [listener for listener in wanted if listener.place not in old]
        opened: list[Listener] = []
        try:
            for listener in new:
                await listener.open(self.reactor)
                opened.append(listener)
        except BaseException:
            for listener in opened:
                await listener.close()
            raise
        for listener in opened:
            where = " ".join(listener.addresses)
            self.log.info("listener.opened", listener=listener.name, service=listener.service, at=where)
        places = {listener.place for listener in wanted}
        closed = [listener for listener in self._open if listener.place not in places]
        closed_at = [f"{listener.name} {' '.join(listener.addresses)}" for listener in closed]
        for listener in closed:
            await self._leave(listener)
        for listener in wanted:
            if listener.place in old:
                old[listener.place].become(listener, self.reactor)
        self._open = [old.get(listener.place, listener) for listener in wanted]
        return [f"{listener.name} {' '.join(listener.addresses)}" for listener in opened], closed_at

    async def _leave(self, listener: Listener) -> None:
        await listener.close()
        self.log.info("listener.closed", listener=listener.name)
        self._leaving = [factory for factory in self._leaving if factory.sessions]
        if listener.factory.sessions:
            self._leaving.append(listener.factory)

    async def drain(self, patience: float = DRAIN_TIMEOUT) -> None:
        """Take no new connections, let the sessions say goodbye, cut those left after *patience* seconds."""
        for listener in self._open:
            await listener.close()
        factories = [listener.factory for listener in self._open] + self._leaving
        await gatherResults([Deferred.fromCoroutine(factory.drain(patience)) for factory in factories])
        self._open = []
