"""resolv.conf and the hosts file, and the names that nobody else is asked for."""

from __future__ import annotations

import os
from ipaddress import ip_address

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import INTERVAL, FileWatch
from mailsuite.config.resolving import Resolving
from mailsuite.model.dns import Answer, NameServer
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.observe.log import Log
from mailsuite.resolver import system as module
from mailsuite.resolver.local import LocalNames, is_private
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type
from mailsuite.resolver.servers import Upstream
from mailsuite.resolver.service import name_service
from mailsuite.resolver.system import System, read_hosts, read_resolv_conf, read_system
from tests.directory.folders import FolderCase
from tests.resolver.network import FIRST, Network

HERE = NameServer(ip_address("127.0.0.1"))


def servers(*addresses):
    return tuple(NameServer(ip_address(each)) for each in addresses)


@pytest.mark.parametrize(
    ("text", "upstream"),
    [
        ("", Upstream((HERE,))),
        ("nameserver 192.0.2.53\n", Upstream(servers("192.0.2.53"))),
        (
            "# made by a program\n; another remark\nsearch example.net\n"
            "nameserver 192.0.2.53\r\nnameserver\t2001:db8::53 # why\nnameserver 192.0.2.53\n"
            "options edns0 trust-ad\noptions rotate",
            Upstream(servers("192.0.2.53", "2001:db8::53"), trust_ad=True),
        ),
        ("nameserver\nnameserver nowhere\n#nameserver 192.0.2.1\nnameservers 192.0.2.1", Upstream((HERE,))),
        ("nameserver fe80::1%eth0\n", Upstream(servers("fe80::1%eth0"))),
        (
            "".join(f"nameserver 192.0.2.{number}\n" for number in range(1, 6)),
            Upstream(servers("192.0.2.1", "192.0.2.2", "192.0.2.3")),
        ),
    ],
)
def test_resolv_conf(text, upstream):
    assert read_resolv_conf(text) == upstream


def test_hosts():
    hosts = read_hosts(
        "127.0.0.1\tlocalhost\r\n::1 localhost ip6-localhost # both\n\n# 192.0.2.9 not.test\n"
        "192.0.2.1  Mail.Test mail\n192.0.2.1 other.test\n2001:db8::1 mail.test\n"
        "192.0.2.2 mail.test\n192.0.2.2 mail.test\nnowhere odd.test\n192.0.2.3\n"
        "192.0.2.4 b\u00fccher.test a@b\n"
    )
    assert hosts.addresses["mail.test"] == tuple(map(ip_address, ("2001:db8::1", "192.0.2.1", "192.0.2.2")))
    assert hosts.addresses["localhost"] == (ip_address("::1"), ip_address("127.0.0.1"))
    assert set(hosts.addresses) == {"localhost", "ip6-localhost", "mail.test", "mail", "other.test"}
    assert hosts.names[ip_address("192.0.2.1")] == ("mail.test", "mail")
    assert ip_address("192.0.2.4") not in hosts.names


def test_files_that_cannot_be_read_say_nothing(tmp_path, monkeypatch):
    pipe, big = tmp_path / "pipe", tmp_path / "big"
    os.mkfifo(pipe)
    big.write_bytes(b"192.0.2.1 a.test\n" * 10)
    monkeypatch.setattr(module, "MAX_FILE_OCTETS", 100)
    found, complaints = read_system(pipe, big)
    assert found == System(Upstream((HERE,)), read_hosts(""))
    assert complaints == [f"{pipe} is no regular file", f"{big} has more than 100 octets, and is not used"]
    found, complaints = read_system(tmp_path / "none", tmp_path / "none")
    assert complaints == [f"{tmp_path}/none cannot be read: No such file or directory"] * 2


class LocalTests(SynchronousTestCase):
    def setUp(self):
        self.beyond = MemoryResolver()
        self.hosts = read_hosts("192.0.2.1 mail.test mail\n10.0.0.1 printer.test\n")
        self.local = LocalNames(self.beyond, lambda: self.hosts)

    def found(self, method, *arguments):
        return self.successResultOf(Deferred.fromCoroutine(getattr(self.local, method)(*arguments)))

    def test_the_hosts_file_comes_first(self):
        self.beyond.set("mail.test", Type.A, ip_address("198.51.100.1"))
        self.assertEqual(self.found("addresses", "MAIL.test."), Answer((ip_address("192.0.2.1"),)))
        self.assertEqual(self.found("addresses", "mail.test", 6), Answer())
        self.assertEqual(self.found("names", ip_address("192.0.2.1")), Answer(("mail.test", "mail")))
        self.assertEqual(self.found("names", ip_address("10.0.0.1")), Answer(("printer.test",)))
        self.assertEqual(self.beyond.asked, [])

    def test_other_records_of_such_a_name_are_asked_for(self):
        self.beyond.set("mail.test", Type.MX, (10, "mx.test"))
        self.beyond.set("mail.test", Type.TXT, b"v")
        self.assertEqual(self.found("exchanges", "mail.test").records, ((10, "mx.test"),))
        self.assertEqual(self.found("texts", "mail.test").records, (b"v",))
        self.assertEqual(self.found("associations", "mail.test"), Answer())

    def test_localhost_is_this_machine(self):
        here = (ip_address("::1"), ip_address("127.0.0.1"))
        for name in ("localhost", "LOCALHOST.", "a.localhost"):
            self.assertEqual(self.found("addresses", name), Answer(here))
        self.assertEqual(self.found("addresses", "localhost", 4), Answer(here[1:]))
        for address in here:
            self.assertEqual(self.found("names", address), Answer(("localhost",)))
        self.assertEqual(self.beyond.asked, [])

    def test_what_is_no_dns_name_is_told_nobody(self):
        for name in ("a.invalid", "b.onion.", "onion", ""):
            for method in ("addresses", "exchanges", "texts", "associations"):
                self.assertEqual(self.found(method, name), Answer(exists=False))
        self.assertEqual(self.beyond.asked, [])

    def test_private_addresses_are_asked_for_where_that_is_wanted(self):
        for text in (
            "10.1.2.3",
            "192.168.1.1",
            "172.31.0.1",
            "127.0.0.9",
            "100.64.0.1",
            "fe80::1",
            "fd00::1",
        ):
            address = ip_address(text)
            self.beyond.set(address, Type.PTR, "inside.test")
            self.local.ask_private = False
            self.assertEqual(self.found("names", address), Answer(exists=False), text)
            self.assertEqual(self.beyond.asked, [], text)
            self.local.ask_private = True
            self.assertEqual(self.found("names", address), Answer(("inside.test",)), text)
            self.beyond.asked.clear()

    def test_public_addresses_are_asked_for(self):
        for text in ("192.0.2.7", "172.32.0.1", "11.0.0.1", "2001:db8::1", "::2"):
            self.assertFalse(is_private(ip_address(text)), text)
        self.beyond.set(ip_address("192.0.2.7"), Type.PTR, "mx.test")
        self.assertEqual(self.found("names", ip_address("192.0.2.7")), Answer(("mx.test",)))


class ServiceTests(FolderCase, SynchronousTestCase):
    def setUp(self):
        self.resolv_conf, self.hosts = self.folder / "resolv.conf", self.folder / "hosts"
        self.resolv_conf.write_text("nameserver 192.0.2.53\n")
        self.hosts.write_text("192.0.2.1 mail.test\n")
        self.lines, self.clock, self.threads = [], Clock(), Inline()
        log = Log(sink=lambda line, level: self.lines.append(line.split(" ", 1)[1]))
        self.watch = FileWatch(self.threads, self.clock, log)
        self.watch.start()
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(self.watch.stop())))
        self.service = name_service(Resolving(), Network({}), self.threads, self.watch, log)
        self.service.files.resolv_conf, self.service.files.hosts = self.resolv_conf, self.hosts

    @property
    def upstream(self):
        return self.service.resolver.servers.upstream

    def begin(self):
        self.service.open()
        self.service.start()

    def addresses(self, name):
        return self.successResultOf(Deferred.fromCoroutine(self.service.names.addresses(name))).records

    def test_the_systems_servers_and_hosts(self):
        self.begin()
        self.assertEqual(self.upstream, Upstream(servers("192.0.2.53")))
        self.assertEqual(self.addresses("mail.test"), (ip_address("192.0.2.1"),))
        self.assertIn("info    dns.servers servers=192.0.2.53", self.lines)
        self.assertEqual(sum("dns.servers" in line for line in self.lines), 1, "before that nobody was asked")

    def test_changes_are_seen(self):
        self.begin()
        self.resolv_conf.write_text("nameserver 192.0.2.54\nnameserver 2001:db8::53\n")
        self.hosts.write_text("192.0.2.22 mail.test\n")
        self.clock.advance(INTERVAL)
        self.assertEqual(self.upstream, Upstream(servers("192.0.2.54", "2001:db8::53")))
        self.assertEqual(self.addresses("mail.test"), (ip_address("192.0.2.22"),))
        self.assertIn('info    dns.servers servers="192.0.2.54 2001:db8::53"', self.lines)

    def test_a_change_between_open_and_start_is_seen(self):
        self.service.open()
        self.resolv_conf.write_text("nameserver 192.0.2.154\n")
        self.service.start()
        self.assertEqual(self.upstream, Upstream(servers("192.0.2.154")))

    def test_a_file_that_goes_away(self):
        self.begin()
        self.resolv_conf.unlink()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.upstream, Upstream((HERE,)))
        self.assertTrue(any(line.startswith("warning dns.file_unreadable") for line in self.lines))

    def test_no_thread_is_free(self):
        class Busy:
            async def run(self, work):
                raise TemporaryFailure(OVERLOADED, "no thread")

        self.begin()
        self.service.files.threads = Busy()
        self.resolv_conf.write_text("nameserver 192.0.2.54\n")
        self.clock.advance(INTERVAL)
        self.assertIn('warning dns.files_delayed reason="no thread"', self.lines)

    def test_the_configuration_goes_before_the_system(self):
        self.begin()
        own = (NameServer(ip_address("127.0.0.53"), 5353), NameServer(ip_address("2001:db8::53"), 54))
        settings = Resolving(servers=own, trust_ad=True, ask_private=True, timeout=2.0, cache=1 << 20)
        self.service.use(settings)
        self.assertEqual(self.upstream, Upstream(own, trust_ad=True))
        self.assertIn('info    dns.servers servers="127.0.0.53:5353 [2001:db8::53]:54"', self.lines)
        self.resolv_conf.write_text("nameserver 192.0.2.54\n")
        self.clock.advance(INTERVAL)
        self.assertEqual(self.upstream.servers, own)
        resolver = self.service.resolver
        self.assertEqual((resolver.budget, resolver.cache.limit), (2.0, 1 << 20))
        self.assertTrue(self.service.local.ask_private)
        self.service.use(Resolving())
        self.assertEqual(self.upstream, Upstream(servers("192.0.2.54")))
        self.assertFalse(self.service.local.ask_private)

    def test_stop_ends_what_is_under_way(self):
        network = Network({})
        service = name_service(Resolving(servers=(FIRST,)), network, self.threads, self.watch, Log())
        asking = Deferred.fromCoroutine(service.names.texts("mail.test"))
        self.assertNoResult(asking)
        self.successResultOf(Deferred.fromCoroutine(service.stop()))
        self.failureResultOf(asking, TemporaryFailure)
        self.assertEqual(network.ports, [])
