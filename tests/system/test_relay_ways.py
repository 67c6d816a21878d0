"""From a destination to a connection: a real name server, real sockets, real handshakes."""

from __future__ import annotations

import random
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from mailsuite.client_tls import ClientContexts
from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import FileWatch
from mailsuite.config.next_hops import retry_times
from mailsuite.config.queue import Queue
from mailsuite.config.resolve import built
from mailsuite.config.resolving import Resolving
from mailsuite.model.account import IPAddress
from mailsuite.model.dns import NameServer
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import (
    DNS_UNAVAILABLE,
    DOMAIN_UNKNOWN,
    NO_ANSWER,
    NO_ROUTE,
    NULL_MX,
    ROUTED_TO_US,
)
from mailsuite.notify.addresses import is_own_address
from mailsuite.observe.log import Log
from mailsuite.relay.connecting import Connector
from mailsuite.relay.mx import Host, HostFinder
from mailsuite.relay.ourselves import Listening
from mailsuite.relay.routes import Hop, Way
from mailsuite.relay.source import Source
from mailsuite.relay.tls import Level
from mailsuite.resolver.service import name_service
from tests.accounts.sources.certificates import Authority
from tests.zones import Exchanger, Net

TIMES = retry_times(built(Queue, {"tls": {}}))
ANY = Source()


class Greeter(Protocol):
    def connectionMade(self) -> None:
        self.factory.peers.append(self.transport.getPeer().host)
        self.transport.write(b"220 " + self.transport.getHost().host.encode() + b"\r\n")


@implementer(IHandshakeListener)
class Caller(Protocol):
    """Hears a greeting, after a handshake where one is wanted."""

    def __init__(self, address: IPAddress) -> None:
        self.address = address
        self.heard: Deferred[bytes] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self.creator: Any = None
        self.shaken = False

    def handshakeCompleted(self) -> None:
        self.shaken = True

    def dataReceived(self, data: bytes) -> None:
        self.heard.callback(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.gone.callback(None)


class WaysCase(TestCase):
    def setUp(self) -> None:
        self.net = Net()
        self.net.__enter__()
        self.addCleanup(self.net.__exit__, None, None, None)
        self.bound: list[tuple[str, int]] = []
        log, threads = Log(), Inline()
        server = NameServer(ip_address("127.0.0.1"), self.net.dns.port)
        settings = Resolving(servers=(server,), ask_private=True, timeout=2.0)
        service = name_service(settings, reactor, threads, FileWatch(threads, reactor, log), log)
        service.files.hosts = service.files.resolv_conf = Path("/dev/null/none")
        self.addCleanup(lambda: Deferred.fromCoroutine(service.stop()))
        listening = Listening(lambda: self.bound, is_own_address)
        self.finder = HostFinder(service.names, listening, "mail.example.net", random.Random(5).shuffle, log)
        self.connector = Connector(reactor, timeout=5.0)

    def listen(self, *addresses: str, context: SSL.Context | None = None) -> int:
        """Greets on each of these addresses, by one port."""
        self.factory = factory = Factory.forProtocol(Greeter)
        factory.noisy, factory.peers = False, []
        wrapped: Any = factory
        if context is not None:
            options = CertificateOptions()
            options.getContext = lambda: context
            wrapped = TLSMemoryBIOFactory(options, False, factory)
            wrapped.noisy = False
        port = 0
        for address in addresses:
            listening = reactor.listenTCP(port, wrapped, interface=address)
            port = listening.getHost().port
            self.addCleanup(maybeDeferred, listening.stopListening)
        return port

    def hop(self, domain: str, port: int = 25) -> Hop:
        return Hop(domain, Way.EXCHANGERS, TIMES, domain=domain, port=port)

    async def hosts(self, domain: str, port: int = 25, source: Source = ANY) -> list[Host]:
        return [host async for host in self.finder.find(self.hop(domain, port), source)]

    async def refused(self, domain: str, port: int = 25) -> Any:
        try:
            found = await self.hosts(domain, port)
        except (PermanentFailure, TemporaryFailure) as failure:
            return failure.reply
        raise AssertionError(found)

    async def call(self, host: Host, source: Source = ANY) -> Caller:
        caller = await self.connector.dial(host, source, Caller)
        self.addCleanup(lambda: caller.gone)
        self.addCleanup(caller.transport.loseConnection)
        return caller


class TestHosts(WaysCase):
    async def test_by_preference_with_both_kinds_of_addresses(self) -> None:
        self.net.domain(
            "a.test",
            Exchanger(20, "second.a.test", ("127.0.0.4",)),
            Exchanger(10, "first.a.test", ("127.0.0.2", "127.0.0.3", "2001:db8::2")),
        )
        first, second = await self.hosts("a.test")
        self.assertEqual((first.name, str(first.addresses[0])), ("first.a.test", "2001:db8::2"))
        self.assertEqual({str(each) for each in first.addresses[1:]}, {"127.0.0.2", "127.0.0.3"})
        self.assertEqual(second, Host("second.a.test", (ip_address("127.0.0.4"),), 25))
        (four, _) = await self.hosts("a.test", source=Source(version="4"))
        self.assertEqual({each.version for each in four.addresses}, {4})

    async def test_only_what_is_needed_is_asked_for(self) -> None:
        self.net.domain("a.test", "127.0.0.2", "127.0.0.3")
        async for _ in self.finder.find(self.hop("a.test"), ANY):
            break
        self.assertEqual(self.net.zone.asked("mx2.a.test"), 0)

    async def test_without_mx(self) -> None:
        self.net.host("a.test", "127.0.0.2")
        self.assertEqual(await self.hosts("a.test"), [Host("a.test", (ip_address("127.0.0.2"),), 25)])

    async def test_an_alias_is_followed(self) -> None:
        self.net.domain("a.test", "127.0.0.2")
        self.net.alias("alias.test", "a.test")
        self.net.alias("host.test", "mx1.a.test")
        self.net.zone.add("b.test", "MX", "10 host.test.")
        for domain, name in (("alias.test", "mx1.a.test"), ("b.test", "host.test")):
            self.assertEqual(await self.hosts(domain), [Host(name, (ip_address("127.0.0.2"),), 25)])

    async def test_why_there_is_none(self) -> None:
        self.net.no_mail("null.test")
        self.net.domain("nothing.test")
        self.net.zone.add("gone.test", "MX", "10 mx.nowhere.test.")
        self.net.domain("trouble.test", "127.0.0.2")
        self.net.trouble("trouble.test", "servfail")
        self.net.domain("half.test", "127.0.0.2")
        self.net.trouble("mx1.half.test", "servfail")
        expected = {
            "null.test": NULL_MX,
            "unknown.test": DOMAIN_UNKNOWN,
            "nothing.test": NO_ROUTE,
            "gone.test": NO_ROUTE,
            "trouble.test": DNS_UNAVAILABLE,
            "half.test": DNS_UNAVAILABLE,
        }
        for domain, reply in expected.items():
            self.assertIs(await self.refused(domain), reply, domain)

    async def test_nobody_comes_back_to_us(self) -> None:
        port = self.listen("127.0.0.2")
        self.bound.append(("127.0.0.2", port))
        self.net.domain("backup.test", "127.0.0.3", "127.0.0.2", "127.0.0.4")
        self.net.domain("ours.test", "127.0.0.2", "127.0.0.3")
        self.net.zone.add("named.test", "MX", "5 mail.example.net.", "10 mx1.backup.test.")
        self.assertEqual([host.name for host in await self.hosts("backup.test", port)], ["mx1.backup.test"])
        self.assertEqual(len(await self.hosts("backup.test", port + 1)), 3)
        self.assertIs(await self.refused("ours.test", port), ROUTED_TO_US)
        self.assertIs(await self.refused("named.test", port), ROUTED_TO_US)

    async def test_nobody_comes_back_to_us_where_every_address_is_listened_on(self) -> None:
        self.bound.append(("::", 25))
        self.net.domain("ours.test", "127.0.0.9")
        self.net.domain("else.test", "192.0.2.1")
        self.assertIs(await self.refused("ours.test"), ROUTED_TO_US)
        self.assertEqual(len(await self.hosts("else.test")), 1)


class TestConnections(WaysCase):
    async def test_the_first_that_answers_from_where_we_want(self) -> None:
        port = self.listen("127.0.0.3")
        host = Host("a.test", (ip_address("127.0.0.2"), ip_address("127.0.0.3")), port)
        caller = await self.call(host, Source((ip_address("127.0.0.5"),)))
        self.assertEqual(await caller.heard, b"220 127.0.0.3\r\n")
        self.assertEqual((str(caller.address), self.factory.peers), ("127.0.0.3", ["127.0.0.5"]))

    async def test_nobody_listens(self) -> None:
        port = self.listen("127.0.0.3")
        try:
            await self.call(Host("a.test", (ip_address("127.0.0.2"), ip_address("127.0.0.4")), port))
        except TemporaryFailure as failure:
            self.assertIs(failure.reply, NO_ANSWER)
            self.assertEqual(failure.detail, "127.0.0.2: Connection refused; 127.0.0.4: Connection refused")
        else:
            raise AssertionError

    async def test_a_source_that_is_not_ours(self) -> None:
        port = self.listen("127.0.0.3")
        source = Source((ip_address("192.0.2.1"),))
        try:
            await self.call(Host("a.test", (ip_address("127.0.0.3"),), port), source)
        except TemporaryFailure as failure:
            self.assertIn("Cannot assign requested address", failure.detail)
            self.flushWarnings()  # Twisted leaves it to the garbage collector to close such a socket
        else:
            raise AssertionError


class TestHandshakes(WaysCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority(Path(self.enterContext(tempfile.TemporaryDirectory())))

    def server(self, name: str, *, expired: bool = False) -> SSL.Context:
        pair = self.authority.sign(name, expired=expired)
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate_chain_file(str(pair.certificate))
        context.use_privatekey_file(str(pair.key))
        return context

    async def shake(self, context: SSL.Context, level: Level, name: str = "mx.test") -> tuple[bool, str]:
        """Whether a greeting was heard through TLS, and what was wrong with the certificate."""
        port = self.listen("127.0.0.1", context=context)
        contexts = ClientContexts(Inline(), reactor.seconds)
        caller = await self.call(Host(name, (ip_address("127.0.0.1"),), port))
        creator = await contexts.creator(name, verify=level is Level.VERIFY, ca_file=self.authority.file)
        caller.transport.startTLS(creator)
        done: Deferred[Any] = Deferred()
        for each in (caller.heard, caller.gone):
            each.addCallback(lambda result: (done.called or done.callback(result), result)[1])
        heard = await done
        self.assertEqual(caller.shaken, heard is not None)
        return heard is not None, creator.objection

    async def test_right_and_wrong_certificates(self) -> None:
        right, other = self.server("mx.test"), self.server("mx.other.test")
        expired = self.server("mx.test", expired=True)
        self.assertEqual(await self.shake(right, Level.VERIFY), (True, ""))
        self.assertEqual(await self.shake(other, Level.VERIFY), (False, "the certificate is not for mx.test"))
        self.assertEqual(await self.shake(expired, Level.VERIFY), (False, "the certificate has expired"))
        for wrong in (other, expired):
            for level in (Level.MAY, Level.ENCRYPT):
                self.assertEqual(await self.shake(wrong, level), (True, ""))

    async def test_a_host_by_its_address(self) -> None:
        context = self.server("127.0.0.1")
        self.assertEqual(await self.shake(context, Level.VERIFY, "127.0.0.1"), (True, ""))
        self.assertEqual(
            await self.shake(context, Level.VERIFY, "127.0.0.2"),
            (False, "the certificate is not for 127.0.0.2"),
        )

    async def test_a_peer_that_is_too_old(self) -> None:
        context = self.server("mx.test")
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        self.assertEqual(await self.shake(context, Level.MAY), (False, ""))
