"""All of relay up to the reactor, which is in memory: a test plays the servers, octet by octet."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client_tls import ClientContexts
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline
from mailsuite.config.next_hops import retry_times
from mailsuite.config.queue import Queue
from mailsuite.config.resolve import built
from mailsuite.config.secret import Secret
from mailsuite.observe.log import Log
from mailsuite.relay.connecting import Connector
from mailsuite.relay.mx import HostFinder
from mailsuite.relay.opening import Opener, Opening
from mailsuite.relay.pool import Pool
from mailsuite.relay.routes import Hop, Login, Way
from mailsuite.relay.session import RelaySession
from mailsuite.relay.source import Source
from mailsuite.relay.tls import ClearHosts, Level, TlsPolicy
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type
from tests.directory.folders import FolderCase

TIMES = retry_times(built(Queue, {"tls": {}}))
MAY = TlsPolicy()
NONE = TlsPolicy(Level.NONE)
ENCRYPT = TlsPolicy(Level.ENCRYPT)
LOGIN = Login("joe", Secret("s3cret-word"))


class Wire(StringTransport):
    """A transport whose connection ends when it is told to, in the next turn of ``clock``; TLS is there as
    soon as the test says so."""

    protocol: Any = None

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self.clock = clock
        self.creator: Any = None

    def loseConnection(self) -> None:
        self.end()

    def abortConnection(self) -> None:
        self.end()

    def end(self) -> None:
        """The connection is gone."""
        if not self.disconnecting:
            self.disconnecting = True
            self.clock.callLater(0, self.protocol.connectionLost, Failure(ConnectionDone()))

    def startTLS(self, creator: Any) -> None:
        self.creator = creator

    def getHandle(self) -> Any:
        return _Handle()


class _Handle:
    def get_protocol_version_name(self) -> str:
        return "TLSv1.3"

    def get_cipher_name(self) -> str:
        return "TLS_AES_256_GCM_SHA384"


@attrs.define(eq=False)
class Server:
    """The other end of one connection."""

    session: RelaySession
    wire: Wire
    said: bytes = b""
    """What a test has kept of what came."""

    def heard(self) -> bytes:
        """What has come since this was last asked."""
        data: bytes = self.wire.value()
        self.wire.clear()
        return data

    def say(self, *lines: str) -> bytes:
        """Answers what comes of it."""
        self.session.dataReceived("".join(f"{line}\r\n" for line in lines).encode())
        return self.heard()

    def greet(self, *extensions: str) -> bytes:
        """Up to the answer to EHLO."""
        self.say("220 mx ESMTP")
        return self.offer(*extensions)

    def offer(self, *extensions: str) -> bytes:
        words = ("mx", *extensions)
        return self.say(*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}")


class StageCase(FolderCase, SynchronousTestCase):
    """mx1 and mx2 of example.org are there."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line))
        self.names = MemoryResolver()
        self.names.set("example.org", Type.MX, (5, "mx1.example.org"), (10, "mx2.example.org"))
        self.names.set("mx1.example.org", Type.A, ip_address("192.0.2.1"))
        self.names.set("mx2.example.org", Type.A, ip_address("192.0.2.2"))
        self.goodbyes = Tasks(lambda failure: self.lines.append(failure.getTraceback()))
        self.pool = Pool(self.reactor, self.goodbyes)
        self.clear = ClearHosts(self.reactor.seconds)
        self.opener = Opener(
            finder=HostFinder(self.names, lambda *place: False, "mail.example.net", lambda _: None, self.log),
            connector=Connector(self.reactor),
            contexts=ClientContexts(Inline(), self.reactor.seconds),
            clear=self.clear,
            threads=Inline(),
            clock=self.reactor,
            seconds=self.reactor.seconds,
            log=self.log,
            hostname="mail.example.net",
            octets=bytes,
        )

    def hop(self, tls: TlsPolicy = MAY, login: Login | None = None, **more: Any) -> Hop:
        return Hop("example.org", Way.EXCHANGERS, TIMES, domain="example.org", tls=tls, login=login, **more)

    def opening(self, tls: TlsPolicy = MAY, login: Login | None = None) -> Opening:
        return self.opener.begin(self.hop(tls, login), Source(), tls)

    def next(self, opening: Opening) -> Deferred[RelaySession | None]:
        return Deferred.fromCoroutine(opening.next())

    def accept(self) -> Server:
        """Take the one connection that is being made."""
        (attempt,) = self.reactor.tcpClients
        self.reactor.tcpClients.clear()
        wrapper = attempt[2].buildProtocol(None)
        wire = Wire(self.reactor)
        wrapper.makeConnection(wire)
        session = wrapper._wrappedProtocol
        wire.protocol = session
        return Server(session, wire)

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        self.reactor.advance(seconds)

    def left(self) -> Sequence[Any]:
        """Calls that are still to come."""
        calls: Sequence[Any] = self.reactor.getDelayedCalls()
        return calls

    def missing_file(self) -> Path:
        """In a folder of this test alone, which is there."""
        return self.folder / "missing"
