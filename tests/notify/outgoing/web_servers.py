"""Web servers for tests, on loopback: good ones, and such as nobody would want to talk to."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from twisted.internet import endpoints, reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mailsuite.client_tls import ClientContexts
from mailsuite.concurrent.threads import Inline
from mailsuite.frontends.tls import ServerTLS, load_context
from mailsuite.model.dns import NameServer
from mailsuite.notify.outgoing.addresses import AddressRules
from mailsuite.notify.outgoing.client import WebClient
from mailsuite.notify.outgoing.dialling import Dialler
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget
from mailsuite.observe.log import Log
from mailsuite.resolver.local import LocalNames
from mailsuite.resolver.resolver import Resolver
from mailsuite.resolver.servers import Servers, Upstream
from mailsuite.resolver.system import Hosts
from mailsuite.resolver.transports import Transports
from tests.accounts.sources.certificates import Authority, Pair
from tests.dns_server import DnsServer, Zone

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
"""Where notices may go, and where they may not: both are this machine."""


class Session(Protocol):
    """One connection as the server sees it; it calls its server for each whole request."""

    server: WebServer

    def connectionMade(self) -> None:
        self.buffer = b""
        self.server.sessions.append(self)
        self.server.connected(self)

    def dataReceived(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.server.requests.append((head, rest[:length]))
            self.server.asked(self)

    def connectionLost(self, reason: Any = None) -> None:
        self.server.sessions.remove(self)
        self.server.lost(self)


def answer_ok(session: Session) -> None:
    session.transport.write(OK)


def nothing(session: Session) -> None:
    """Do nothing."""


class WebServer(Factory):
    """What it does is told to it: when somebody connects, asks, and goes."""

    protocol = Session
    noisy = False

    def __init__(
        self,
        asked: Callable[[Session], None] = answer_ok,
        connected: Callable[[Session], None] = nothing,
        lost: Callable[[Session], None] = nothing,
    ) -> None:
        self.asked, self.connected, self.lost = asked, connected, lost
        self.sessions: list[Session] = []
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self.port = 0

    def buildProtocol(self, addr: Any) -> Session:
        self.connections += 1
        session = Session()
        session.server = self
        return session


class WebCase(TestCase):
    """A client whose names are looked up by a name server of the test."""

    networks = (f"{HERE}/32", "::1/128")
    timeout = 20

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="ms-")
        self.addCleanup(temporary.cleanup)
        self.authority = Authority(Path(temporary.name))
        self.log = Log(sink=lambda line, level: self.lines.append(line), level="debug")
        self.lines: list[str] = []
        servers = Servers(Transports(reactor, reactor, reactor), Upstream(()), self.log)
        self.resolver = Resolver(servers, reactor, self.log)
        self.addCleanup(self.ended, self.resolver)
        self.servers: list[WebServer] = []
        self.addCleanup(self.all_gone)
        self.names = LocalNames(self.resolver, Hosts)
        self.rules = UrlRules(AddressRules(tuple(map(ip_network, self.networks))), frozenset({443}))
        self.client = self.made()

    @functools.cached_property
    def zone(self) -> Zone:
        """What names mean; there is a name server where somebody asks for this."""
        dns = DnsServer(Zone(ttl=0))
        dns.__enter__()
        self.addCleanup(dns.__exit__, None, None, None)
        self.resolver.use(Upstream((NameServer(ip_address(HERE), dns.port),)))
        return dns.zone

    def made(self, ca_file: Path | None = None) -> WebClient:
        contexts = ClientContexts(Inline(), reactor.seconds)
        dialler = Dialler(reactor, self.names, contexts, lambda: self.rules, ca_file or self.authority.file)
        client = WebClient(reactor, dialler)
        self.addCleanup(self.ended, client)
        return client

    def ended(self, running: Any) -> Any:
        return Deferred.fromCoroutine(running.stop())

    async def all_gone(self) -> None:
        await self.until(lambda: not any(server.sessions for server in self.servers))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait, turn by turn of the reactor, for what is to come."""
        while not holds():
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.001, turn.callback, None)
            await turn

    async def listen(
        self, server: WebServer, *, pair: Pair | None = None, at: str = HERE, port: int = 0
    ) -> WebServer:
        """On a port that the kernel chooses; in the clear where there is no *pair*."""
        kind: Any = endpoints.TCP6ServerEndpoint if ":" in at else endpoints.TCP4ServerEndpoint
        arguments: list[Any] = []
        if pair is not None:
            kind, arguments = (
                endpoints.SSL4ServerEndpoint,
                [ServerTLS(load_context(pair.certificate, pair.key, "1.2"))],
            )
        listening = await kind(reactor, port, *arguments, interface=at).listen(server)
        self.addCleanup(listening.stopListening)
        server.port = listening.getHost().port
        self.servers.append(server)
        return server

    async def listen_both(self, elsewhere: WebServer, here: WebServer) -> None:
        """At one port of both addresses: what is free at one may be taken at the other."""
        while True:
            await self.listen(elsewhere, at=ELSEWHERE)
            try:
                await self.listen(here, port=elsewhere.port)
            except CannotListenError:
                continue
            return

    def target(self, server: WebServer, host: str = HERE, scheme: str = "http") -> WebTarget:
        """Made here, since URLs with such ports are refused."""
        return WebTarget(scheme, host, server.port, "/hook?key=s3cret")

    async def post(self, target: WebTarget, body: bytes = b"{}", **more: Any) -> Any:
        return await self.client.post(target, {"Content-Type": "application/json"}, body, **more)
