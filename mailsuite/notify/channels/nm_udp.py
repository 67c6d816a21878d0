"""RFC 4146 over UDP, which it says some servers use: one datagram of fifteen octets.

Nobody can tell whether it was heard. All that may come back is that nobody listens (ICMP port unreachable),
or an answer; both are waited for a moment.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IReactorUDP
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.udp import Port
from zope.interface import implementer

from mailsuite.interfaces import IKnocker
from mailsuite.model.account import IPAddress
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import NO_ANSWER, NOBODY_LISTENS
from mailsuite.notify.channels.nm import ANSWERED, SENT, NoRoute, has_no_route
from mailsuite.wire.finger import KNOCK

LISTEN_SECONDS = 0.5
"""How long an answer is waited for: what refuses does it within a round trip."""
ANSWER_OCTETS = 512
"""Of an answer, which nobody looks at."""


@implementer(IKnocker)
@attrs.define(eq=False)
class NotifyMailUdpChannel:
    """Knocks at literal addresses only. ``source_address`` may be replaced at any time."""

    reactor: IReactorUDP
    clock: IReactorTime
    source_address: IPAddress | None = None
    """Where knocks come from, for listeners of the same IP version."""
    name: str = attrs.field(default="notifymail-udp", init=False)

    async def knock(self, peer: IPAddress, port: int) -> str:
        knocking = _Knocking(self.clock, peer, port)
        source = self.source_address
        same_version = source is not None and source.version == peer.version
        anywhere = "0.0.0.0" if isinstance(peer, IPv4Address) else "::"  # noqa: S104 - nobody is served
        try:
            udp = self.reactor.listenUDP(
                0, knocking, str(source) if same_version else anywhere, ANSWER_OCTETS
            )
        except CannotListenError as error:
            if has_no_route(peer, error.socketError.errno):
                raise NoRoute from error
            raise TemporaryFailure(NO_ANSWER, "no socket") from error
        knocking.begin(cast(Port, udp))
        return await knocking.done


class _Knocking(DatagramProtocol):
    """One socket; ``done`` fires when it is closed."""

    noisy = False

    def __init__(self, clock: IReactorTime, peer: IPAddress, port: int) -> None:
        self.done: Deferred[str] = Deferred(lambda _: self._close())
        self._clock = clock
        self._peer = peer
        self._port = port
        self._limit: IDelayedCall | None = None
        self._udp: Port

    def begin(self, udp: Port) -> None:
        """Knock by this socket."""
        self._udp = udp
        self._limit = self._clock.callLater(LISTEN_SECONDS, self._end, SENT)
        try:
            self._udp.connect(str(self._peer), self._port)
            self._udp.write(KNOCK, None)
        except OSError as error:
            self._failed(error.errno)

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        self._end(ANSWERED)

    def connectionRefused(self) -> None:
        self._failed(errno.ECONNREFUSED)

    def stopProtocol(self) -> None:
        """Not our doing: epoll(7) tells of an ICMP error as of a connection that is lost."""
        if not self.done.called:
            self._failed(self._udp.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _failed(self, error: int | None) -> None:
        if has_no_route(self._peer, error):
            self._end(NoRoute())
        elif error == errno.ECONNREFUSED:
            self._end(PermanentFailure(NOBODY_LISTENS, "refused"))
        else:
            self._end(TemporaryFailure(NO_ANSWER, "unreachable"))

    def _end(self, outcome: str | Exception) -> None:
        if self.done.called:
            return
        if isinstance(outcome, Exception):
            self.done.errback(outcome)
        else:
            self.done.callback(outcome)
        self._close()

    def _close(self) -> None:
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        self._udp.stopListening()
