"""The port that knocks come to: open while somebody wants knocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint

from mailsuite.client.listening import family_of, place
from mailsuite.client.receiver import Receiver
from mailsuite.concurrent.tasks import Tasks

EVERYWHERE: Final = ("::", "0.0.0.0")  # noqa: S104 - servers elsewhere knock
"""The first is both IPv6 and IPv4, where there is IPv6."""


@attrs.define(eq=False)
class Listener:
    """Sockets that were handed over stay open; else the port is opened for the first who wants knocks, and
    closed after the last.

    *opened* is told each place, *complain* why the port cannot be had.
    """

    reactor: Any
    tasks: Tasks
    receiver: Receiver
    address: str
    port: int
    inherited: tuple[int, ...]
    opened: Callable[[str, int], None]
    complain: Callable[[str], None]
    _wanted_by: set[str] = attrs.field(factory=set, init=False)
    _ports: list[IListeningPort] = attrs.field(factory=list, init=False)
    _busy: bool = attrs.field(default=False, init=False)
    _has_begun: bool = attrs.field(default=False, init=False)

    async def begin(self) -> None:
        """Take over what was handed over, or open the port if somebody has asked for it: earlier nobody knows
        who may knock."""
        self._has_begun = True
        if not self.inherited:
            await self._settle()
        for descriptor in self.inherited:
            await self._listen(AdoptedStreamServerEndpoint(self.reactor, descriptor, family_of(descriptor)))

    def want(self, account: str, wanted: bool) -> None:
        if wanted:
            self._wanted_by.add(account)
        else:
            self._wanted_by.discard(account)
        if self._has_begun and not self.inherited and not self._busy:
            self.tasks.start(self._settle())

    async def stop(self) -> None:
        self.receiver.stop()
        ports, self._ports = self._ports, []
        for port in ports:
            closed = port.stopListening()
            if closed is not None:
                await closed

    async def _settle(self) -> None:
        """Until what is open is what is wanted; somebody may change their mind meanwhile."""
        self._busy = True
        try:
            while bool(self._wanted_by) != bool(self._ports):
                if self._ports:
                    await self.stop()
                else:
                    await self._open()
                    if not self._ports:
                        return
        finally:
            self._busy = False

    async def _open(self) -> None:
        reasons = []
        for address in [self.address] if self.address else EVERYWHERE:
            kind = TCP6ServerEndpoint if ":" in address else TCP4ServerEndpoint
            try:
                await self._listen(kind(self.reactor, self.port, interface=address))
                return
            except CannotListenError as error:
                reasons.append(f"{place(address, self.port)}: {error.socketError.strerror}")
        self.complain(f"no knocks: cannot listen on {'; '.join(reasons)}; see mailsuite-notify doctor")

    async def _listen(self, endpoint: IStreamServerEndpoint) -> None:
        port = await endpoint.listen(self.receiver)
        self._ports.append(port)
        host: Any = port.getHost()
        self.opened(host.host, host.port)
