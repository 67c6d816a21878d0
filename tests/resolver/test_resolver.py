"""The resolver over a network in memory: servers that fail, answers that are kept, time that runs out."""

from __future__ import annotations

import errno
from ipaddress import ip_address

import dns.message
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.dns import Answer, NameServer
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DNS_UNAVAILABLE, OVERLOADED
from mailsuite.observe.log import Log
from mailsuite.resolver import resolver as module
from mailsuite.resolver.resolver import FAILURE_TTL, MAX_ALIASES, MAX_NEGATIVE_TTL, MAX_TTL
from mailsuite.resolver.servers import SILENT_AFTER, Upstream
from mailsuite.resolver.transports import MAX_STRAYS
from tests.dns_server import Zone
from tests.resolver.network import FIRST, SECOND, Network, resolver_on

HOST = ip_address("192.0.2.1")
SIXTH = NameServer(ip_address("2001:db8::53"))


class ResolverCase(SynchronousTestCase):
    servers = (FIRST,)

    def setUp(self):
        self.zone, self.second = Zone(), Zone()
        for zone in (self.zone, self.second):
            zone.host("host.test", "192.0.2.1")
        self.network = Network({FIRST: self.zone, SECOND: self.second})
        self.lines = []
        self.resolver = self.made(*self.servers)

    def made(self, *servers, **more):
        log = Log(sink=lambda line, level: self.lines.append(line.split(" ", 1)[1]), level="debug")
        return resolver_on(self.network, *servers, log=log, **more)

    def start(self, name="host.test", version=4):
        return Deferred.fromCoroutine(self.resolver.addresses(name, version))

    def ask(self, name="host.test", version=4, seconds=0.2):
        asking = self.start(name, version)
        self.network.run(seconds)
        return asking

    def found(self, *arguments, **more):
        return self.successResultOf(self.ask(*arguments, **more))

    def unknown(self, *arguments, **more):
        return self.failureResultOf(self.ask(*arguments, **more), TemporaryFailure).value.reason

    def tearDown(self):
        self.assertEqual(self.network.ports, [], "a socket was left open")


class QuestionTests(ResolverCase):
    def test_each_question_has_an_id_and_letter_case_of_its_own(self):
        for number in range(20):
            self.found(f"number{number:02}.example.test")
        ids = {octets[:2] for octets in self.zone.queries}
        cases = {octets[13:21].swapcase()[:6] for octets in self.zone.queries}
        self.assertGreater(len(ids), 15)
        self.assertGreater(len(cases), 5)
        self.assertEqual(len(self.network.datagrams), 20)

    def test_ipv6_servers_are_asked_by_ipv6(self):
        self.resolver.use(Upstream((SIXTH,)))
        asking = self.start()
        self.assertEqual(self.network.ports[0].interface, "::")
        self.network.run()
        self.assertIn("2001:db8::53", self.failureResultOf(asking, TemporaryFailure).value.reason)

    def test_one_bit_is_worth_another_try_without_extensions(self):
        self.zone.faults[""] = "no-edns"
        self.assertEqual(self.found().records, (HOST,))
        self.assertEqual([dns.message.from_wire(each).edns for each in self.zone.queries], [0, -1])


class SpoofTests(ResolverCase):
    def test_what_is_no_response_to_the_question_is_not_heard(self):
        self.zone.faults[""] = "stray-first"
        self.assertEqual(self.found().records, (HOST,))
        self.assertEqual([via for _, _, via in self.zone.questions], ["udp"])

    def test_what_comes_from_elsewhere_is_not_heard(self):
        forger = Zone()
        forger.host("host.test", "198.51.100.66")
        answers = self.network.answers

        def forged(peer, datagram):
            (octets,) = forger.respond(datagram, "udp")
            sources = (("127.0.0.53", 54), ("127.0.0.54", 53))
            return [*((octets, source) for source in sources), *answers(peer, datagram)]

        self.network.answers = forged
        self.assertEqual(self.found().records, (HOST,))

    def test_a_flood_of_guesses_leads_to_tcp(self):
        self.zone.faults[""] = "flood"
        self.assertGreater(20, MAX_STRAYS)
        self.assertEqual(self.found().records, (HOST,))
        self.assertEqual([via for _, _, via in self.zone.questions], ["udp", "tcp"])

    def test_another_letter_case_leads_to_tcp(self):
        name = f"{'host' * 12}.test"  # of a short name all letters may happen to be asked for in lower case
        self.zone.host(name, "192.0.2.1")
        self.zone.faults[""] = "lower-case"
        self.assertEqual(self.found(name).records, (HOST,))
        self.assertEqual([via for _, _, via in self.zone.questions], ["udp", "tcp"])

    def test_other_names_and_types_are_never_taken(self):
        for fault in ("wrong-name", "wrong-type", "wrong-id"):
            self.zone.faults[""] = fault
            self.assertIn("nothing came in time", self.unknown(f"{fault}.test", seconds=6))


class TcpTests(ResolverCase):
    def test_what_does_not_fit(self):
        for fault in ("truncate", "huge"):
            name = f"{fault}.test"
            self.zone.faults[name] = fault
            self.zone.add(name, "A", *(f"192.0.2.{number}" for number in range(1, 90)))
            self.assertEqual(len(self.found(name).records), 89)
            self.assertEqual(self.zone.questions[-1][2], "tcp")
        self.assertTrue(self.network.streams[-1].disconnected)

    def test_what_comes_after_the_response_is_not_heard(self):
        self.zone.faults["host.test"] = "truncate"
        respond = self.zone.respond
        self.zone.respond = lambda wire, via: respond(wire, via) * 2
        self.assertEqual(self.found().records, (HOST,))

    def test_a_connection_that_is_closed_or_refused(self):
        self.zone.faults["host.test"] = "truncate"
        respond = self.zone.respond
        self.zone.respond = lambda wire, via: respond(wire, via) if via == "udp" else []
        self.assertIn("the connection was closed", self.unknown(seconds=6))
        self.network.serve_tcp = lambda: Network.serve_tcp(self.network, connected=False)
        self.assertIn("no connection (ConnectionRefusedError)", self.unknown(seconds=6 + FAILURE_TTL))

    def test_a_connection_that_says_nothing(self):
        self.zone.faults[""] = "truncate"
        asking = self.start()
        self.network.advance(0.1)
        self.network.serve_tcp = lambda: None
        _, _, factory, _, _ = self.network.tcpClients.pop()
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        self.network.run(1)
        self.assertTrue(transport.disconnecting or transport.disconnected)
        self.network.tcpClients.clear()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.successResultOf(Deferred.fromCoroutine(self.resolver.stop()))

    def test_a_response_over_tcp_to_another_question(self):
        self.zone.faults[""] = "truncate"
        respond = self.zone.respond

        def strange(wire, via):
            self.zone.faults[""] = "truncate" if via == "udp" else "wrong-id"
            return respond(wire, via)

        self.zone.respond = strange
        self.assertIn("no response to our question", self.unknown())

    def test_the_end_while_a_connection_is_made(self):
        self.zone.faults[""] = "truncate"
        asking = self.start()
        self.network.advance(0.1)
        self.assertEqual(len(self.network.tcpClients), 1)
        self.successResultOf(Deferred.fromCoroutine(self.resolver.stop()))
        self.assertIn("broken off", self.failureResultOf(asking, TemporaryFailure).value.reason)
        self.assertEqual(len(self.network.tcpClients), 1, "nothing else was tried")


class ServerTests(ResolverCase):
    servers = (FIRST, SECOND)

    def test_the_first_is_asked_first(self):
        self.found()
        self.assertEqual((self.zone.asked("host.test"), self.second.asked("host.test")), (1, 0))

    def test_one_that_cannot_is_passed_over_at_once(self):
        for fault in ("servfail", "refused", "garbage", "referral"):
            self.zone.faults[""] = fault
            self.second.host(f"{fault}.test", "192.0.2.9")
            self.assertEqual(len(self.found(f"{fault}.test").records), 1, fault)
            self.assertEqual(self.zone.asked(f"{fault}.test"), 1)

    def test_one_that_is_silent_comes_last_from_then_on(self):
        self.zone.faults[""] = "silent"
        asking = self.ask(seconds=0.9)
        self.assertNoResult(asking)
        self.network.run(0.2)
        self.assertEqual(self.successResultOf(asking).records, (HOST,))
        self.second.host("next.test", "192.0.2.9")
        self.found("next.test")
        self.assertEqual(self.zone.asked("next.test"), 0)

    def test_one_where_nobody_listens_costs_no_time(self):
        self.network.zones["127.0.0.53", 53] = None
        self.assertEqual(self.found().records, (HOST,))

    def test_none_is_left(self):
        for zone in (self.zone, self.second):
            zone.faults[""] = "servfail"
        failure = self.failureResultOf(self.ask(), TemporaryFailure).value
        self.assertEqual(failure.reply, DNS_UNAVAILABLE)
        self.assertEqual(failure.reason, "host.test A: 192.0.2.53:5353: SERVFAIL")
        self.assertEqual((len(self.zone.questions), len(self.second.questions)), (1, 1))

    def test_all_are_silent_and_the_time_runs_out(self):
        for zone in (self.zone, self.second):
            zone.faults[""] = "silent"
        asking = self.ask(seconds=4.9)
        self.assertNoResult(asking)
        self.network.run(0.2)
        self.assertIn("nothing came in time", self.failureResultOf(asking, TemporaryFailure).value.reason)
        self.assertEqual((len(self.zone.questions), len(self.second.questions)), (2, 2))

    def test_the_log_tells_once_of_a_silent_server_and_of_its_return(self):
        self.resolver.use(Upstream((FIRST,)))
        self.zone.faults[""] = "silent"
        for number in range(3):
            self.unknown(f"n{number}.test", seconds=6)
        told = [line for line in self.lines if "dns.server_" in line]
        self.assertEqual(
            told, ['warning dns.server_silent server=127.0.0.53 reason="nothing came in time"'], SILENT_AFTER
        )
        del self.zone.faults[""]
        self.found()
        self.found("other.test")
        told = [line.split(None, 1) for line in self.lines if "dns.server_back" in line]
        self.assertEqual(told, [["info", "dns.server_back server=127.0.0.53"]])

    def test_without_servers_nothing_is_known(self):
        self.resolver.use(Upstream(()))
        self.assertIn("no server is known", self.unknown())

    def test_troubles_of_this_machine(self):
        self.network.trouble = CannotListenError("", 0, OSError(errno.EMFILE, "Too many open files"))
        self.assertIn("no socket: [Errno 24] Too many open files", self.unknown(seconds=6))
        self.network.trouble = None
        self.network.unreachable = OSError(errno.ENETUNREACH, "Network is unreachable")
        self.assertIn("Network is unreachable", self.unknown("other.test", seconds=6))

    def test_a_socket_that_the_reactor_closes(self):
        self.resolver.use(Upstream((FIRST,)))
        self.zone.faults[""] = "silent"
        asking = self.start()
        (port,) = self.network.ports
        port.stopListening()
        self.assertEqual(len(self.network.ports), 1, "the next try")
        del self.zone.faults[""]
        self.network.run()
        self.assertEqual(self.successResultOf(asking).records, (HOST,))


class TrustTests(ResolverCase):
    def setUp(self):
        super().setUp()
        self.zone.authentic = self.second.authentic = True

    def test_this_machine_is_believed_and_others_where_that_is_said(self):
        self.assertTrue(self.found().authentic)
        self.resolver.use(Upstream((SECOND,)))
        self.assertFalse(self.found().authentic)
        self.resolver.use(Upstream((SECOND,), trust_ad=True))
        self.assertTrue(self.found().authentic)

    def test_both_kinds_of_address_have_to_be(self):
        self.assertTrue(self.found("host.test", None).authentic)
        self.zone.authentic = False
        self.zone.host("other.test", "192.0.2.9")
        self.assertFalse(self.found("other.test", None).authentic)


class AliasTests(ResolverCase):
    def test_a_chain_that_the_server_does_not_follow(self):
        self.zone.faults = {"one.test": "unfinished", "two.test": "unfinished"}
        self.zone.add("one.test", "CNAME", "two.test.")
        self.zone.add("two.test", "CNAME", "host.test.")
        self.assertEqual(self.found("one.test").records, (HOST,))
        self.assertEqual([name for name, _, _ in self.zone.questions], ["one.test", "two.test", "host.test"])

    def test_a_circle_or_a_chain_without_end(self):
        self.zone.faults[""] = "unfinished"
        self.zone.add("ring.test", "CNAME", "gnir.test.")
        self.zone.add("gnir.test", "CNAME", "ring.test.")
        self.assertIn("lead on and on", self.unknown("ring.test", seconds=1))
        self.assertEqual(len(self.zone.questions), 1 + MAX_ALIASES)

    def test_a_circle_within_one_response(self):
        self.zone.add("ring.test", "CNAME", "ring.test.")
        self.assertIn("on and on", self.unknown("ring.test"))


class MemoryTests(ResolverCase):
    def test_an_answer_is_kept_as_long_as_it_says(self):
        self.zone.ttl = 100
        self.found()
        self.network.run(99, 1)
        self.found()
        self.assertEqual(len(self.zone.questions), 1)
        self.network.run(2, 1)
        self.found()
        self.assertEqual(len(self.zone.questions), 2)

    def test_that_there_is_none_is_kept_by_the_soa(self):
        self.zone.minimum = 30
        for name in ("none.test", "host.test"):
            self.found(name, 6)
            self.network.advance(29)
            self.found(name, 6)
            self.assertEqual(self.zone.asked(name), 1)
            self.network.advance(2)
            self.found(name, 6)
            self.assertEqual(self.zone.asked(name), 2)

    def test_nothing_is_kept_for_ever(self):
        self.zone.ttl = self.zone.minimum = 1 << 30
        for name, longest in (("host.test", MAX_TTL), ("none.test", MAX_NEGATIVE_TTL)):
            self.found(name)
            self.network.advance(longest - 1)
            self.found(name)
            self.assertEqual(self.zone.asked(name), 1)
            self.network.advance(2)
            self.found(name)
            self.assertEqual(self.zone.asked(name), 2)

    def test_a_time_to_live_of_nothing(self):
        self.zone.ttl = 0
        for _ in range(2):
            self.found()
        self.assertEqual(len(self.zone.questions), 2)

    def test_names_count_as_they_are_not_as_they_came(self):
        """On the wire each of these is a label and a pointer."""
        deep = ".".join(["a" * 60] * 3)
        self.zone.pointer("192.0.2.9", *(f"{number}.{deep}" for number in range(50)))
        self.resolver.cache.limit = 50 * len(deep)
        asking = Deferred.fromCoroutine(self.resolver.names(ip_address("192.0.2.9")))
        self.network.run(0.2)
        self.assertEqual(len(self.successResultOf(asking).records), 50)
        self.assertEqual(len(self.resolver.cache), 0)

    def test_failures_are_kept_for_a_moment(self):
        self.zone.faults[""] = "servfail"
        self.unknown()
        self.unknown()
        self.assertEqual(len(self.zone.questions), 1)
        self.assertEqual(len([line for line in self.lines if line.startswith("debug   dns.unknown")]), 1)
        del self.zone.faults[""]
        self.network.advance(FAILURE_TTL)
        self.assertEqual(self.found().records, (HOST,))

    def test_other_servers_may_know_better(self):
        self.found()
        self.resolver.use(Upstream((FIRST,)))
        self.found()
        self.assertEqual(len(self.zone.questions), 1, "nothing has changed")
        self.resolver.use(Upstream((SECOND,)))
        self.found()
        self.assertEqual(len(self.second.questions), 1)

    def test_what_the_former_servers_say_late_is_not_kept(self):
        asking = self.start()
        self.resolver.use(Upstream((SECOND,)))
        self.network.run(0.1)
        self.assertEqual(self.successResultOf(asking).records, (HOST,))
        self.found()
        self.assertEqual(len(self.second.questions), 1)


class CrowdTests(ResolverCase):
    def test_equal_questions_are_asked_once(self):
        asking = [self.start(name) for name in ("host.test", "HOST.test", "host.test.")]
        self.network.run(0.1)
        for each in asking:
            self.assertEqual(self.successResultOf(each), Answer((HOST,)))
        self.assertEqual(len(self.zone.questions), 1)

    def test_all_who_wait_hear_of_a_failure(self):
        self.zone.faults[""] = "servfail"
        asking = [self.start() for _ in range(3)]
        self.network.run(0.1)
        failures = {id(self.failureResultOf(each, TemporaryFailure).value) for each in asking}
        self.assertEqual(len(failures), 3, "each has its own")

    def test_so_many_at_a_time_and_no_more(self):
        self.patch(module, "MAX_QUESTIONS", 4)
        self.resolver._turns = type(self.resolver._turns)(2)
        asking = [self.start(f"n{number}.test") for number in range(4)]
        self.assertEqual(len(self.network.ports), 2)
        failure = self.failureResultOf(self.start("n5.test"), TemporaryFailure).value
        self.assertEqual(failure.reply, OVERLOADED)
        self.network.run(0.1)
        for each in asking:
            self.assertEqual(self.successResultOf(each), Answer(exists=False))

    def test_whoever_waits_for_a_turn_waits_within_the_time(self):
        self.resolver._turns = type(self.resolver._turns)(1)
        self.zone.faults[""] = "silent"
        first = self.start("one.test")
        self.network.run(2)
        second = self.start("two.test")
        self.network.run(3.5)
        self.assertIn("came in time", self.failureResultOf(first, TemporaryFailure).value.reason)
        self.network.run(2)
        self.failureResultOf(second, TemporaryFailure)
        both = [self.start("three.test"), self.start("four.test")]
        self.network.run(5.5)
        reasons = sorted(self.failureResultOf(each, TemporaryFailure).value.reason for each in both)
        self.assertIn("four.test A: too many questions are under way", reasons)

    def test_stop(self):
        asking = [self.start(name) for name in ("host.test", "other.test")]
        self.successResultOf(Deferred.fromCoroutine(self.resolver.stop()))
        for each in asking:
            self.failureResultOf(each, TemporaryFailure)
        self.assertEqual(self.network.getDelayedCalls()[2:], [], "but for the answers on their way")

    def test_a_mistake_of_ours_is_logged_and_leaves_nobody_waiting(self):
        def broken(count):
            raise ZeroDivisionError

        self.resolver = self.made(FIRST, bits=broken)
        self.assertIn("broken off", self.unknown())
        self.assertTrue(any(line.startswith("error   dns.failed") for line in self.lines))
        self.assertIn("broken off", self.unknown(), "and it is not kept")
