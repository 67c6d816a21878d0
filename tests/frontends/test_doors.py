"""From the listeners that are open to those that are wanted."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.endings import POP3_DENIED
from mailsuite.frontends.admission import Admission
from mailsuite.frontends.door import Door
from mailsuite.frontends.doors import DISPLACED, FAREWELL_TIMEOUT, DoorError, Doors
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.listener import BACKLOG, Entrance, Listener, ListenerError, Place, each_once, spell
from mailsuite.frontends.tls import ServerTLS
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.view import Box, View
from mailsuite.observe.log import Log
from tests.frontends.lines import LineSession, Wire
from tests.frontends.ports import PortsReactor

HERE = "127.0.0.1"
TLS = ServerTLS(SSL.Context(SSL.TLS_METHOD))
JOE = Address("joe", "example.test")


class DoorsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = PortsReactor()
        self.lines: list[str] = []
        self.log = Log(sink=lambda line, level: self.lines.append(line), clock=self.reactor.seconds)
        self.doors = Doors(self.reactor, self.log)

    def listener(
        self,
        name: str,
        *places: Place | int,
        service: str = "pop3",
        banner: str = "",
        tls: ServerTLS | None = None,
    ) -> Listener:
        """*banner* is what tells sessions apart; a number is a port of this machine."""
        door = Door(service, banner or name, self.reactor, self.log, 300.0)
        factory = SessionFactory(
            self.reactor, lambda: LineSession(door), Admission(0, 0), b"full\n", self.log
        )
        where = tuple(Place(HERE, each) if isinstance(each, int) else each for each in places)
        return Listener(name, service, where, factory, "implicit" if tls else "off", tls)

    def become(self, *wanted: Listener) -> tuple[list[str], list[str]]:
        self.open(wanted)
        return self.doors.turn(wanted)

    def open(self, wanted: Sequence[Listener]) -> None:
        places = {listener.name: listener.places for listener in wanted}
        self.successResultOf(Deferred.fromCoroutine(self.doors.open(places)))

    def refused(self, *wanted: Listener) -> str:
        places = {listener.name: listener.places for listener in wanted}
        failure = self.failureResultOf(Deferred.fromCoroutine(self.doors.open(places)), ListenerError)
        return str(failure.value)

    def enter(self, port: int, interface: str = HERE) -> tuple[LineSession, Wire]:
        session = cast(LineSession, self.reactor.connect(port, interface))
        transport = Wire(peerAddress=IPv4Address("TCP", "192.0.2.1", 4000))
        session.makeConnection(transport)
        return session, transport

    def meets(self, port: int) -> str:
        """The name of the door behind a port."""
        session, _ = self.enter(port)
        session.connectionLost(Failure(ConnectionDone()))
        return session.door.listener

    def at(self) -> list[str]:
        self.reactor.advance(0)
        return self.reactor.at()


class Opening(DoorsCase):
    def test_each_place_is_a_socket(self) -> None:
        answer = self.become(self.listener("mx", 25, Place("::1", 25)), self.listener("pop", 110))
        self.assertEqual(answer, (["mx 127.0.0.1:25 [::1]:25", "pop 127.0.0.1:110"], []))
        self.assertEqual(self.at(), ["127.0.0.1 110", "127.0.0.1 25", "::1 25"])
        self.assertEqual([self.meets(25), self.meets(110)], ["mx", "pop"])
        self.assertEqual({port.backlog for port in self.reactor.ports}, {BACKLOG})
        mx, _ = self.doors.listeners
        self.assertEqual(self.doors.addresses(mx), ("127.0.0.1:25", "[::1]:25"))
        self.assertEqual(len([line for line in self.lines if "listener.opened" in line]), 2)

    def test_nobody_is_let_in_before_the_turn(self) -> None:
        self.open([self.listener("mx", 25)])
        self.assertIsNone(self.reactor.connect(25))

    def test_every_address_is_one_socket_with_ipv6_and_one_without(self) -> None:
        self.become(self.listener("mx", Place("*", 25)))
        self.assertEqual(self.at(), [":: 25"])
        self.reactor = PortsReactor(has_ipv6=False)
        self.doors = Doors(self.reactor, self.log)
        self.become(self.listener("mx", Place("*", 25)))
        self.assertEqual(self.at(), ["0.0.0.0 25"])

    def test_ipv6_that_fails_for_another_reason_is_a_failure(self) -> None:
        self.become(self.listener("mx", Place("*", 25)))
        words = self.refused(self.listener("mx", Place("*", 25)), self.listener("other", Place("::", 25)))
        self.assertIn("cannot listen on :: port 25: Address already in use", words)

    def test_an_endpoint(self) -> None:
        self.become(self.listener("mx", Place("", 0, endpoint="tcp:2525:interface=127.0.0.1")))
        self.assertEqual(self.at(), ["127.0.0.1 2525"])
        words = self.refused(self.listener("x", Place("", 0, endpoint="nonsense:1")))
        self.assertTrue(
            words.startswith("listener x: cannot listen on nonsense:1: Unknown endpoint type"), words
        )

    def test_a_system_chosen_port_is_the_listener_s_own(self) -> None:
        first = self.listener("a", Place(HERE, 0, name="a"))
        second = self.listener("b", Place(HERE, 0, name="b"))
        self.become(first, second)
        before = self.at()
        self.assertEqual(len(before), 2)
        self.become(
            self.listener("b", Place(HERE, 0, name="b")), self.listener("a", Place(HERE, 0, name="a"))
        )
        self.assertEqual(self.at(), before)


class Failing(DoorsCase):
    """Then nothing has changed."""

    def setUp(self) -> None:
        super().setUp()
        self.old = self.listener("old", 25)
        self.become(self.old)

    def assert_unchanged(self) -> None:
        self.assertEqual(self.at(), ["127.0.0.1 25"])
        self.assertEqual(self.doors.listeners, (self.old,))
        self.assertEqual(self.meets(25), "old")

    def test_in_the_middle(self) -> None:
        def refuse(interface: str, port: int) -> None:
            if port == 3:
                raise CannotListenError(interface, port, OSError(errno.EACCES, "?"))

        self.reactor.refuse = refuse
        words = self.refused(self.listener("one", 1, 2), self.listener("two", 3), self.listener("three", 4))
        self.assertEqual(words, "listener two: cannot listen on 127.0.0.1 port 3: Permission denied")
        opening = Deferred.fromCoroutine(self.doors.open({"two": (Place(HERE, 3),)}))
        error = self.failureResultOf(opening, DoorError).value
        self.assertEqual((error.listener, error.number), ("two", errno.EACCES))
        self.assert_unchanged()

    def test_an_error_without_a_number(self) -> None:
        def refuse(interface: str, port: int) -> None:
            raise CannotListenError(interface, port, "whatever it is")  # type: ignore[arg-type]

        self.reactor.refuse = refuse
        self.assertTrue(self.refused(self.listener("one", 1)).endswith("port 1: whatever it is"))
        self.assert_unchanged()

    def test_two_at_one_place(self) -> None:
        words = self.refused(self.listener("one", 1), self.listener("two", 2, 1))
        self.assertEqual(words, "listener two: cannot listen on 127.0.0.1 port 1: listener one does")
        self.assert_unchanged()

    def test_every_address_while_one_is_taken_names_who_has_it(self) -> None:
        words = self.refused(self.listener("new", Place("*", 25)))
        self.assertEqual(
            words,
            "listener new: cannot listen on * port 25: Address already in use "
            "(listener old has 127.0.0.1 port 25; a restart can change that)",
        )
        self.assert_unchanged()

    def test_a_mistake_of_ours(self) -> None:
        def refuse(interface: str, port: int) -> None:
            if port == 2:
                raise ZeroDivisionError

        self.reactor.refuse = refuse
        opening = self.doors.open({"one": (Place(HERE, 1),), "two": (Place(HERE, 2),)})
        self.failureResultOf(Deferred.fromCoroutine(opening), ZeroDivisionError)
        self.assert_unchanged()

    def test_what_was_opened_and_is_not_wanted_after_all(self) -> None:
        self.open([self.listener("one", 1)])
        self.doors.shut_unused()
        self.assert_unchanged()

    def test_a_failure_of_closing_is_logged(self) -> None:
        [port] = self.reactor.ports
        broken: Deferred[None] = Deferred()
        port.stopListening = lambda: broken  # type: ignore[method-assign]
        self.become()
        broken.errback(Failure(OSError("it does not close")))
        self.assertTrue(any("listener.failed" in line for line in self.lines))


class Changing(DoorsCase):
    def test_a_place_that_stays_keeps_its_socket_and_gets_the_new_door(self) -> None:
        self.become(self.listener("pop", 110, banner="old"))
        opened = self.reactor.opened
        session, transport = self.enter(110)
        self.assertEqual(self.become(self.listener("pop", 110, banner="new")), ([], []))
        self.assertEqual((self.reactor.opened, self.meets(110)), (opened, "new"))
        session.dataReceived(b"still here\n")
        self.assertTrue(transport.value().endswith(b"still here\n"))
        self.assertEqual(session.door.listener, "old")

    def test_listeners_swap_ports(self) -> None:
        self.become(self.listener("a", 1), self.listener("b", 2))
        self.assertEqual(self.become(self.listener("a", 2), self.listener("b", 1)), ([], []))
        self.assertEqual([self.meets(1), self.meets(2)], ["b", "a"])

    def test_one_address_more_and_one_less(self) -> None:
        self.become(self.listener("a", 1, 2))
        answer = self.become(self.listener("a", 2, 3))
        self.assertEqual(answer, (["a 127.0.0.1:3"], ["a 127.0.0.1:1"]))
        self.assertEqual(self.at(), ["127.0.0.1 2", "127.0.0.1 3"])
        self.assertTrue(any("listener.closed listener=a" in line for line in self.lines))

    def test_the_service_at_a_place_changes(self) -> None:
        self.become(self.listener("x", 25, service="smtp"))
        self.enter(25)
        self.become(self.listener("x", 25, service="pop3"))
        self.enter(25)
        self.assertEqual([self.doors.sessions("smtp"), self.doors.sessions("pop3")], [1, 1])

    def test_tls_at_a_place_changes(self) -> None:
        self.become(self.listener("x", 995, tls=TLS))
        self.assertIsInstance(self.reactor.connect(995), TLSMemoryBIOProtocol)
        self.become(self.listener("x", 995))
        self.assertIsInstance(self.reactor.connect(995), LineSession)
        self.become(self.listener("x", 995, tls=TLS))
        self.assertIsInstance(self.reactor.connect(995), TLSMemoryBIOProtocol)

    def test_all_are_disabled_and_come_back(self) -> None:
        self.become(self.listener("x", 25))
        self.become()
        self.assertEqual(self.at(), [])
        self.become(self.listener("x", 25))
        self.assertEqual(self.meets(25), "x")


class Ending(DoorsCase):
    def drain(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.doors.drain(30.0))

    def test_sessions_of_closed_listeners_are_drained_too(self) -> None:
        self.become(self.listener("a", 1), self.listener("b", 2))
        first, one = self.enter(1)
        second, two = self.enter(2)
        self.become(self.listener("b", 2))
        self.assertEqual(self.doors.sessions("pop3"), 2)
        draining = self.drain()
        self.reactor.advance(0)
        self.assertEqual(self.reactor.ports, [])
        for transport in (one, two):
            self.assertTrue(transport.value().endswith(b"going\n"))
        first.connectionLost(Failure(ConnectionDone()))
        self.assertNoResult(draining)
        second.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(draining)
        self.assertEqual(self.doors.addresses(self.doors.listeners[0]), ())

    def test_no_goodbye_before_the_sockets_are_closed(self) -> None:
        """Who hears it and comes back at once must not meet us again."""
        self.become(self.listener("a", 1))
        _, transport = self.enter(1)
        self.drain()
        self.assertEqual((self.reactor.at(), transport.value()), ([], b"hello\n"))
        self.reactor.advance(0)
        self.assertTrue(transport.value().endswith(b"going\n"))

    def test_who_stays_is_cut(self) -> None:
        self.become(self.listener("a", 1))
        session, transport = self.enter(1)
        session.dataReceived(b"wait\n")
        self.drain()
        self.reactor.advance(0)
        self.reactor.advance(29.0)
        self.assertFalse(transport.aborted)
        self.reactor.advance(1.0)
        self.assertTrue(transport.aborted)

    def test_nobody_waits_for_who_is_cut(self) -> None:
        self.become(self.listener("a", 1), self.listener("b", 2))
        (_, one), (_, two) = self.enter(1), self.enter(2)
        self.doors.cut()
        self.assertTrue(one.aborted)
        self.assertTrue(two.aborted)

    def test_listeners_without_sessions_are_forgotten(self) -> None:
        self.become(self.listener("a", 1))
        session, _ = self.enter(1)
        for _ in range(5):
            self.become(self.listener("a", 1))
        self.assertEqual(len(self.doors._leaving), 1)
        session.connectionLost(Failure(ConnectionDone()))
        self.become(self.listener("a", 1))
        self.assertEqual(self.doors._leaving, [])

    def test_the_last_answer_of_a_closed_listener_is_waited_for(self) -> None:
        self.become(self.listener("a", 1))
        session, _ = self.enter(1)
        session.dataReceived(b"wait\n")
        session.connectionLost(Failure(ConnectionDone()))
        self.become()
        draining = self.drain()
        self.reactor.advance(0)
        self.assertNoResult(draining)
        session.waits[0].callback(None)
        self.successResultOf(draining)

    def test_the_sessions_of_one_account_are_cut(self) -> None:
        self.become(self.listener("a", 1))
        (joe, joes), (ann, anns), (_, nobodys) = (self.enter(1) for _ in range(3))
        joe.account, ann.account = JOE, Address("ann", "example.test")
        self.become(self.listener("a", 1))
        self.assertEqual(self.doors.cut_sessions(JOE, None, "the account was switched off"), 1)
        self.assertEqual([wire.aborted for wire in (joes, anns, nobodys)], [True, False, False])
        self.assertEqual(joe.end_reason, "the account was switched off")

    def test_the_sessions_of_one_device_are_cut(self) -> None:
        self.become(self.listener("a", 1))
        sessions = [self.enter(1) for _ in range(4)]
        names = [("joe", "phone"), ("joe", "laptop"), ("joe", ""), ("ann", "phone")]
        for (session, _), (name, device) in zip(sessions, names, strict=True):
            session.account, session.device = Address(name, "example.test"), device
        self.doors.cut_sessions(JOE, "phone", "the device was removed")
        self.assertEqual([wire.aborted for _, wire in sessions], [True, False, False, False])
        self.assertEqual(sessions[0][0].end_reason, "the device was removed")
        self.assertEqual(self.doors.cut_sessions(JOE, None, "the account was removed"), 3)
        self.assertEqual([wire.aborted for _, wire in sessions], [True, True, True, False])

    def test_who_may_not_use_pop3_may_still_send(self) -> None:
        self.become(self.listener("a", 1), self.listener("b", 2, service="submission"))
        (fetching, _), (sending, _) = self.enter(1), self.enter(2)
        fetching.account = sending.account = JOE
        self.assertEqual(self.doors.cut_sessions(JOE, None, POP3_DENIED), 1)
        self.assertEqual((fetching.end_reason, sending.end_reason), (POP3_DENIED, ""))

    def test_a_newer_session_takes_the_place_of_one(self) -> None:
        self.become(self.listener("a", 1), self.listener("b", 2, service="submission"))
        inbox, trash, phone = View(), View(Box.TRASH), View(device="phone")
        ports = (1, 1, 1, 1, 2)
        sessions = [self.enter(port) for port in ports]
        views = (inbox, trash, phone, inbox, None)
        accounts = (JOE, JOE, JOE, Address("ann", "example.test"), JOE)
        for (session, _), account, view in zip(sessions, accounts, views, strict=True):
            session.account, session.view = account, view
        self.assertTrue(self.doors.displace(JOE, View()))
        self.assertEqual([wire.aborted for _, wire in sessions], [True, False, False, False, False])
        self.assertEqual(sessions[0][0].end_reason, DISPLACED)
        self.assertTrue(self.doors.displace(JOE, phone))
        self.assertEqual([wire.aborted for _, wire in sessions], [True, False, True, False, False])
        self.assertFalse(self.doors.displace(JOE, View(device="laptop")))
        self.assertFalse(self.doors.displace(Address("bob", "example.test"), inbox))

    def test_a_session_that_has_gone_counts_no_more(self) -> None:
        self.become(self.listener("a", 1))
        session, _ = self.enter(1)
        session.account = JOE
        self.become()
        self.assertEqual(self.doors.live(), [session])
        session.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.doors.live(), [])

    def test_sessions_are_spared_by_service_and_peer(self) -> None:
        self.become(self.listener("a", 1), self.listener("b", 2, service="submission"))
        (fetching, _), (sending, _) = self.enter(1), self.enter(2)
        fetching.account = sending.account = JOE
        told: list[tuple[str, str]] = []

        def spares(service: str, peer: IPAddress) -> bool:
            told.append((service, str(peer)))
            return service == "pop3"

        self.assertEqual(self.doors.cut_sessions(JOE, None, "for a reason", spares), 1)
        self.assertEqual((fetching.end_reason, sending.end_reason), ("", "for a reason"))
        self.assertEqual(sorted(told), [("pop3", "192.0.2.1"), ("submission", "192.0.2.1")])


class Dismissing(DoorsCase):
    """Of the sessions of one service whose listeners are closed."""

    def setUp(self) -> None:
        super().setUp()
        self.pop, self.mx = self.listener("pop", 110), self.listener("mx", 25, service="smtp")
        self.become(self.pop, self.mx)
        self.session, self.wire = self.enter(110)
        _, self.other = self.enter(25)
        self.become(self.mx)
        self.reactor.advance(0)

    def dismiss(self, patience: float = 30.0) -> Deferred[None]:
        return Deferred.fromCoroutine(self.doors.dismiss("pop3", patience))

    def pass_time(self, seconds: float) -> None:
        self.reactor.pump([0.25] * int(seconds * 4))

    def test_they_go_on_then_they_are_told(self) -> None:
        dismissing = self.dismiss()
        self.pass_time(29)
        self.session.dataReceived(b"still here\n")
        self.assertEqual(self.wire.value(), b"hello\nstill here\n")
        self.pass_time(1.5)
        self.assertTrue(self.wire.value().endswith(b"going\n"))
        self.assertFalse(self.wire.aborted)
        self.session.connectionLost(Failure(ConnectionDone()))
        self.pass_time(1)
        self.successResultOf(dismissing)
        self.assertEqual(self.other.value(), b"hello\n")

    def test_who_reaches_no_boundary_is_cut_and_the_answer_waited_for(self) -> None:
        self.session.dataReceived(b"wait\n")
        dismissing = self.dismiss(0.0)
        self.pass_time(FAREWELL_TIMEOUT - 1)
        self.assertFalse(self.wire.aborted)
        self.pass_time(2)
        self.assertTrue(self.wire.aborted)
        self.session.connectionLost(Failure(ConnectionDone()))
        self.pass_time(60)
        self.assertNoResult(dismissing)
        self.session.waits[0].callback(None)
        self.pass_time(1)
        self.successResultOf(dismissing)

    def test_nobody_is_waited_for_where_nobody_is(self) -> None:
        self.session.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(self.dismiss())

    def test_who_was_not_told_yet_stays_after_a_cancellation(self) -> None:
        dismissing = self.dismiss()
        self.pass_time(10)
        dismissing.cancel()
        self.failureResultOf(dismissing, CancelledError)
        self.pass_time(60)
        self.assertEqual((self.wire.value(), self.wire.aborted), (b"hello\n", False))

    def test_listeners_that_come_back_count_their_sessions_once(self) -> None:
        self.become(self.pop, self.mx)
        self.assertEqual((self.doors.sessions("pop3"), len(self.doors.live())), (1, 2))
        self.enter(110)
        self.assertEqual(self.doors.sessions("pop3"), 2)

    def test_places_are_free_when_all_is_closed(self) -> None:
        self.become()
        closed = Deferred.fromCoroutine(self.doors.closed())
        self.assertNoResult(closed)
        self.reactor.advance(0)
        self.successResultOf(closed)
        self.assertEqual(self.reactor.ports, [])


class Places(SynchronousTestCase):
    def test_each_once(self) -> None:
        table: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
            ((HERE,), (HERE,)),
            ((HERE, "::1", HERE), (HERE, "::1")),
            (("*",), ("*",)),
            (("::",), ("::",)),
            (("0.0.0.0",), ("0.0.0.0",)),
            (("::", "0.0.0.0"), ("*",)),
            (("0.0.0.0", HERE, "::"), ("*", HERE)),
            (("*", "0.0.0.0", "::"), ("*",)),
        ]
        for bind, expected in table:
            with self.subTest(bind=bind):
                self.assertEqual(each_once(bind), expected)

    def test_spelling(self) -> None:
        hosts: list[tuple[Any, str]] = [
            (IPv4Address("TCP", HERE, 25), "127.0.0.1:25"),
            (IPv4Address("TCP", "::", 25), "[::]:25"),
            (UNIXAddress("/run/mail"), "/run/mail"),
        ]
        for host, expected in hosts:
            self.assertEqual(spell(host), expected)

    def test_an_entrance_without_a_listener(self) -> None:
        self.assertIsNone(Entrance(PortsReactor(), Log()).buildProtocol(IPv4Address("TCP", HERE, 25)))
