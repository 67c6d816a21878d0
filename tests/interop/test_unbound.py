"""Where mail goes, by Debian's unbound (features row Q-04)."""

from __future__ import annotations

import random
import tempfile
from ipaddress import ip_address
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import FileWatch
from mailsuite.config.next_hops import retry_times
from mailsuite.config.queue import Queue
from mailsuite.config.resolve import built
from mailsuite.config.resolving import Resolving
from mailsuite.model.dns import NameServer
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import DNS_UNAVAILABLE, DOMAIN_UNKNOWN, NO_ROUTE, NULL_MX, ROUTED_TO_US
from mailsuite.observe.log import Log
from mailsuite.relay.mx import HostFinder
from mailsuite.relay.routes import Hop, Way
from mailsuite.relay.source import Source
from mailsuite.resolver.service import name_service
from tests.interop.unbound import Unbound, needs_unbound

pytestmark = needs_unbound

RECORDS = (
    "a.test. MX 20 second.a.test.",
    "a.test. MX 10 first.a.test.",
    "first.a.test. A 192.0.2.1",
    "first.a.test. AAAA 2001:db8::1",
    "second.a.test. A 192.0.2.2",
    "plain.test. A 192.0.2.3",
    "null.test. MX 0 .",
    "empty.test. TXT nothing",
    "gone.test. MX 10 nobody.gone.test.",
    "literal.test. MX 10 192.0.2.9.",
    "ours.test. MX 10 mail.example.net.",
    "half.test. MX 10 mx.trouble.test.",
    "half.test. MX 20 second.a.test.",
    "dark.test. MX 10 mx.trouble.test.",
)
FOUND = {
    "a.test": [("first.a.test", ["2001:db8::1", "192.0.2.1"]), ("second.a.test", ["192.0.2.2"])],
    "plain.test": [("plain.test", ["192.0.2.3"])],
    "half.test": [("second.a.test", ["192.0.2.2"])],
    "null.test": NULL_MX,
    "nobody.test": DOMAIN_UNKNOWN,
    "empty.test": NO_ROUTE,
    "gone.test": NO_ROUTE,
    "literal.test": NO_ROUTE,
    "ours.test": ROUTED_TO_US,
    "dark.test": DNS_UNAVAILABLE,
    "trouble.test": DNS_UNAVAILABLE,
}


class UnboundTests(TestCase):
    def setUp(self) -> None:
        base = Path(self.enterContext(tempfile.TemporaryDirectory()))
        unbound = Unbound(base, RECORDS)
        unbound.__enter__()
        self.addCleanup(unbound.__exit__, None, None, None)
        log, threads = Log(), Inline()
        settings = Resolving(servers=(NameServer(ip_address("127.0.0.1"), unbound.port),))
        service = name_service(settings, reactor, threads, FileWatch(threads, reactor, log), log)
        service.files.hosts = service.files.resolv_conf = Path("/dev/null/none")
        self.addCleanup(lambda: Deferred.fromCoroutine(service.stop()))
        self.finder = HostFinder(
            service.names, lambda address, port: False, "mail.example.net", random.shuffle, log
        )

    async def test_every_kind_of_answer(self) -> None:
        for domain, expected in FOUND.items():
            self.assertEqual(await self.found(domain), expected, domain)

    async def found(self, domain: str) -> object:
        times = retry_times(built(Queue, {"tls": {}}))
        hop = Hop(domain, Way.EXCHANGERS, times, domain=domain)
        try:
            hosts = [host async for host in self.finder.find(hop, Source())]
        except MailFailure as failure:
            return failure.reply
        return [(host.name, [str(each) for each in host.addresses]) for host in hosts]
