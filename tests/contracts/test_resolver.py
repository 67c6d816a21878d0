"""Every resolver keeps the contract."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.dns import Association
from mailsuite.resolver.local import LocalNames
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type
from mailsuite.resolver.system import Hosts
from tests.contracts.resolver import FOUR, SIX, ResolverContract
from tests.resolver.network import FIRST, one_server, resolver_on


class MemoryResolverContractTests(ResolverContract, SynchronousTestCase):
    def make_resolver(self):
        self.memory = memory = MemoryResolver()
        memory.set("host.test", Type.A, FOUR)
        memory.set("host.test", Type.AAAA, SIX)
        memory.set("four.test", Type.A, FOUR)
        memory.set(FOUR, Type.PTR, "host.test", "four.test")
        memory.set("mail.test", Type.MX, (10, "a.test"), (20, "b.test"))
        memory.set("null.test", Type.MX, (0, ""))
        memory.set("mail.test", Type.TXT, b"v=x y")
        memory.set("_25._tcp.host.test", Type.TLSA, Association(3, 1, 1, b"\xab" * 32), authentic=True)
        memory.set("broken.test", Type.AAAA, SIX)
        memory.trouble("broken.test", Type.A)
        for kind in (Type.A, Type.AAAA, Type.TXT):
            memory.trouble("lost.test", kind)
            memory.silence("silent.test", kind)
        return memory

    def give_up(self):
        self.memory.release()

    def test_what_was_asked_can_be_seen(self):
        self.found("addresses", "Host.test", 4)
        self.assertEqual([(each.name, each.type) for each in self.memory.asked], [("host.test", Type.A)])

    def test_authentic(self):
        self.assertTrue(self.found("associations", "_25._tcp.host.test").authentic)


class LocalNamesContractTests(MemoryResolverContractTests):
    def make_resolver(self):
        return LocalNames(super().make_resolver(), Hosts)


class ResolverContractTests(ResolverContract, SynchronousTestCase):
    def make_resolver(self):
        zone, self.network = one_server()
        zone.host("host.test", "192.0.2.1", "2001:db8::1")
        zone.add("four.test", "A", "192.0.2.1")
        zone.pointer("192.0.2.1", "Four.test")
        zone.add("mail.test", "MX", "20 B.test.", "10 a.test.")
        zone.add("null.test", "MX", "0 .")
        zone.add("mail.test", "TXT", '"v=x" " y"')
        zone.add("_25._tcp.host.test", "TLSA", "3 1 1 " + "ab" * 32)
        zone.add("broken.test", "AAAA", "2001:db8::1")
        zone.faults["lost.test"] = "servfail"
        zone.faults["silent.test"] = "silent"
        answer = zone.respond

        def respond(wire, via):
            """A is broken where AAAA is not."""
            if b"\x06broken" in wire.lower() and b"\x00\x00\x01\x00\x01" in wire:
                zone.faults["broken.test"] = "servfail"
            else:
                zone.faults.pop("broken.test", None)
            return answer(wire, via)

        self.network.zones = {("127.0.0.53", 53): type("Broken", (), {"respond": staticmethod(respond)})}
        return resolver_on(self.network, FIRST)

    def settle(self):
        self.network.run(0.1)

    def give_up(self):
        self.network.run(6)


class LocalNamesOverResolverContractTests(ResolverContractTests):
    def make_resolver(self):
        return LocalNames(super().make_resolver(), Hosts)
