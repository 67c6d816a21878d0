"""A network in memory: what is sent to a server's address is answered by a zone; time is a Clock's."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from mailsuite.model.dns import NameServer
from mailsuite.observe.log import Log
from mailsuite.resolver.resolver import Resolver
from mailsuite.resolver.servers import Servers, Upstream
from mailsuite.resolver.transports import Transports
from tests.dns_server import Zone

FIRST = NameServer(ip_address("127.0.0.53"))
SECOND = NameServer(ip_address("192.0.2.53"), 5353)


class _Port:
    """The transport of a datagram protocol."""

    def __init__(self, network, protocol):
        self.network, self.protocol, self.peer = network, protocol, None
        self.open = True

    def connect(self, host, port):
        self.network.may_send()
        self.peer = (host, port)

    def write(self, datagram):
        self.network.datagrams.append((self.peer, datagram))
        for answer, source in self.network.answers(self.peer, datagram):
            self.network.callLater(self.network.delay, self._receive, answer, source)

    def _receive(self, answer, source):
        if not self.open:
            return
        if answer is None:
            self.protocol.connectionRefused()
        else:
            self.protocol.datagramReceived(answer, source)

    def stopListening(self):
        if self.open:
            self.open = False
            self.network.ports.remove(self)
            self.protocol.doStop()
        return succeed(None)


class Network(MemoryReactorClock):
    """The part of a reactor that a resolver uses. A server without a zone says nothing; one whose zone is
    None refuses."""

    delay = 0.01

    def __init__(self, zones):
        super().__init__()
        self.zones = {(str(server.address), server.port): zone for server, zone in zones.items()}
        self.ports = []
        self.datagrams = []
        self.forged = []
        """Pairs of octets and source, that come before each answer."""
        self.streams = []
        """The TCP connections there were."""
        self.trouble = None
        """What listening raises."""
        self.unreachable = None
        """What sending raises."""

    def may_send(self):
        if self.unreachable is not None:
            raise self.unreachable

    def listenUDP(self, port, protocol, interface="", maxPacketSize=8192):
        assert port == 0, "the kernel draws the port"
        if self.trouble is not None:
            raise self.trouble
        transport = _Port(self, protocol)
        transport.interface = interface
        self.ports.append(transport)
        protocol.makeConnection(transport)
        return transport

    def answers(self, peer, datagram):
        if peer not in self.zones:
            return []
        zone = self.zones[peer]
        if zone is None:
            return [(None, peer)]
        return [*self.forged, *((answer, peer) for answer in zone.respond(datagram, "udp"))]

    def serve_tcp(self, connected=True):
        """Answer the TCP connections that are being made now."""
        while self.tcpClients:
            host, port, factory, _, _ = self.tcpClients.pop(0)
            zone = self.zones.get((host, port))
            if zone is None or not connected:
                factory.clientConnectionFailed(None, Failure(Refused()))
                continue
            protocol = factory.buildProtocol(None)
            transport = StringTransport()
            protocol.makeConnection(transport)
            query = transport.value()
            assert int.from_bytes(query[:2]) == len(query) - 2
            responses = zone.respond(query[2:], "tcp")
            for each in responses:
                framed = len(each).to_bytes(2) + each
                for octet in framed:
                    protocol.dataReceived(bytes([octet]))
            self.streams.append(transport)
            if zone.faults.get("") == "closes" or not responses:
                protocol.connectionLost(Failure(Refused()))

    def run(self, seconds=6.0, step=0.01):
        """Let time pass."""
        for _ in range(round(seconds / step)):
            self.advance(step)
            self.serve_tcp()


def resolver_on(network, *servers, log=None, trust_ad=False, bits=None):
    log = log or Log()
    transports = Transports(network, network, network)
    more = {} if bits is None else {"bits": bits}
    return Resolver(Servers(transports, Upstream(servers, trust_ad), log, **more), network, log)


def one_server(**settings):
    zone = Zone(**settings)
    return zone, Network({FIRST: zone})
