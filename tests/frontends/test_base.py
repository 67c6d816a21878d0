"""The shell, driven by a small core: pumping, pausing, back-pressure, timers, draining."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.frontends.admission import Admission
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import Door, address_of
from mailsuite.frontends.factory import DRAIN_TIMEOUT, REFUSAL_TIMEOUT, SessionFactory
from mailsuite.frontends.flow import MAX_WAITING_INPUT
from mailsuite.model.facts import ConnectionFacts
from mailsuite.observe.log import Log


@attrs.define
class LineCore:
    """Each line is an event; ``slow`` ones are answered later, the others at once."""

    buffer: bytes = b""
    out: bytes = b""
    closing: bool = False
    secured: int = 0

    def start(self) -> None:
        self.out += b"hello\n"

    def receive(self, data: bytes) -> None:
        self.buffer += data

    def next_event(self) -> bytes | None:
        line, end, rest = self.buffer.partition(b"\n")
        if not end or self.closing:
            return None
        self.buffer = rest
        return line

    def bytes_to_send(self) -> bytes:
        out, self.out = self.out, b""
        return out

    def tls_started(self) -> None:
        self.secured += 1

    def drain(self) -> None:
        self.out += b"going\n"
        self.closing = True

    def timed_out(self) -> None:
        self.out += b"too slow\n"
        self.closing = True


class LineSession(SessionProtocol[bytes]):
    """Echoes lines; ``wait`` waits for the test, ``boom`` is a mistake of ours."""

    core: LineCore

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self.waits: list[Deferred[None]] = []
        self.facts: ConnectionFacts | None = None
        self.has_ended = 0

    def begin(self, facts: ConnectionFacts) -> None:
        self.facts = facts
        self.core = LineCore()

    def dispatch(self, event: bytes) -> None:
        if event == b"boom":
            raise RuntimeError("a mistake of ours")
        if event == b"quit":
            self.core.closing = True
        elif event == b"wait":
            self.answer(self._wait())
        elif event == b"late boom":
            self.answer(self._late_boom())
        elif event == b"quick":
            self.answer(self._quick())
        self.core.out += event + b"\n"

    async def _wait(self) -> None:
        done: Deferred[None] = Deferred()
        self.waits.append(done)
        await done
        self.core.out += b"waited\n"

    async def _quick(self) -> None:
        self.core.out += b"at once\n"

    async def _late_boom(self) -> None:
        raise RuntimeError("a mistake of ours")

    async def ended(self) -> None:
        self.has_ended += 1


class Wire(StringTransport):
    """Remembers that it was cut, as a TCP transport would."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()


class SessionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        log = Log(sink=lambda line, urgent: self.lines.append(line), level="debug", clock=self.clock.seconds)
        self.door = Door("line", "door", self.clock, log, idle_timeout=300.0)
        self.admission = Admission(2, 0)
        self.factory = SessionFactory(
            self.clock, lambda: LineSession(self.door), self.admission, b"full\n", log
        )

    def connect(self, host: str = "192.0.2.1") -> tuple[LineSession, Wire]:
        address = IPv4Address("TCP", host, 4000)
        session = self.factory.buildProtocol(address)
        transport = Wire(peerAddress=address)
        session.makeConnection(transport)
        return session, transport  # type: ignore[return-value]

    def lose(self, session: LineSession) -> None:
        session.connectionLost(Failure(ConnectionDone()))


class Pumping(SessionCase):
    def test_greets_and_answers_in_order(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"one\ntwo\nth")
        session.dataReceived(b"ree\n")
        self.assertEqual(transport.value(), b"hello\none\ntwo\nthree\n")

    def test_facts(self) -> None:
        session, _ = self.connect("192.0.2.7")
        assert session.facts is not None
        self.assertEqual(str(session.facts.peer), "192.0.2.7")
        self.assertEqual(
            (session.facts.service, session.facts.listener, session.facts.tls), ("line", "door", "")
        )

    def test_pipelined_input_waits_for_the_answer(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"wait\nafter\n")
        self.assertEqual(transport.value(), b"hello\nwait\n")
        session.waits[0].callback(None)
        self.assertEqual(transport.value(), b"hello\nwait\nwaited\nafter\n")

    def test_an_answer_at_once_keeps_the_loop_going(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"quick\n" * 2000 + b"end\n")
        self.assertTrue(transport.value().endswith(b"at once\nquick\nend\n"))

    def test_reading_pauses_while_an_answer_is_out_and_input_grows(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"wait\n")
        session.dataReceived(b"x" * MAX_WAITING_INPUT)
        self.assertEqual(transport.producerState, "producing")
        session.dataReceived(b"x")
        self.assertEqual(transport.producerState, "paused")
        session.waits[0].callback(None)
        self.assertEqual(transport.producerState, "producing")

    def test_close_after_the_last_octet(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"quit\nnever\n")
        self.assertTrue(transport.value().endswith(b"quit\n"))
        self.assertTrue(transport.disconnecting)

    def test_the_client_half_closes_and_still_gets_its_answers(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"wait\nlast\n")
        session.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        session.waits[0].callback(None)
        self.assertTrue(transport.value().endswith(b"last\n"))
        self.assertTrue(transport.disconnecting)

    def test_the_client_reads_no_more(self) -> None:
        session, transport = self.connect()
        session.writeConnectionLost()
        self.assertTrue(transport.aborted)

    def test_a_mistake_of_ours_ends_this_connection_only(self) -> None:
        for event in (b"boom\n", b"late boom\n"):
            with self.subTest(event=event):
                session, transport = self.connect()
                session.dataReceived(event)
                self.assertTrue(transport.aborted)
                self.assertTrue(any("line.failed" in line and "RuntimeError" in line for line in self.lines))
                self.lose(session)

    def test_input_after_close_is_not_looked_at(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"quit\n")
        session.dataReceived(b"more\n")
        self.assertNotIn(b"more", transport.value())


class Ending(SessionCase):
    def test_a_running_answer_ends_before_the_session_does(self) -> None:
        session, _ = self.connect()
        session.dataReceived(b"wait\n")
        self.lose(session)
        self.assertEqual(session.has_ended, 0)
        session.waits[0].callback(None)
        self.assertEqual(session.has_ended, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_slot_is_free_at_once(self) -> None:
        session, _ = self.connect()
        session.dataReceived(b"wait\n")
        self.assertEqual(self.admission.count, 1)
        self.lose(session)
        self.assertEqual((self.admission.count, len(self.factory.sessions)), (0, 0))
        session.waits[0].callback(None)

    def test_waiting_for_a_slow_reader_ends_with_the_connection(self) -> None:
        session, transport = self.connect()
        transport.producer.pauseProducing()
        went: list[bool] = []

        async def wait() -> None:
            went.append(await session.writable())

        waiting = Deferred.fromCoroutine(wait())
        self.lose(session)
        self.successResultOf(waiting)
        self.assertEqual(went, [False])


class BackPressure(SessionCase):
    def test_a_choked_session_answers_nothing_more(self) -> None:
        session, transport = self.connect()
        transport.producer.pauseProducing()
        session.dataReceived(b"one\n")
        self.assertEqual(transport.value(), b"hello\n")
        transport.producer.resumeProducing()
        self.assertEqual(transport.value(), b"hello\none\n")

    def test_writable_waits(self) -> None:
        session, transport = self.connect()

        async def wait() -> bool:
            return await session.writable()

        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(wait())))
        transport.producer.pauseProducing()
        waiting = Deferred.fromCoroutine(wait())
        self.assertNoResult(waiting)
        transport.producer.resumeProducing()
        self.assertTrue(self.successResultOf(waiting))

    def test_a_stalled_reader_is_cut(self) -> None:
        _, transport = self.connect()
        transport.producer.pauseProducing()
        self.clock.advance(300.0)
        self.assertTrue(transport.aborted)


class Timers(SessionCase):
    def test_idle(self) -> None:
        session, transport = self.connect()
        self.clock.advance(299.0)
        session.dataReceived(b"one\n")
        self.clock.advance(2.0)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(298.0)
        self.assertTrue(transport.disconnecting)
        self.assertTrue(transport.value().endswith(b"too slow\n"))

    def test_we_are_slow_not_the_client(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"wait\n")
        self.clock.advance(1000.0)
        self.assertFalse(transport.disconnecting)
        session.waits[0].callback(None)
        self.clock.pump([1.0] * 301)
        self.assertTrue(transport.disconnecting)

    def test_a_close_that_the_client_does_not_take_is_cut(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"quit\n")
        self.clock.advance(60.0)
        self.assertTrue(transport.aborted)


class Admitting(SessionCase):
    def test_beyond_the_limit(self) -> None:
        first, _ = self.connect()
        self.connect()
        refused, transport = self.connect()
        self.assertEqual(transport.value(), b"full\n")
        self.assertTrue(transport.disconnecting)
        self.lose(first)
        _, transport = self.connect()
        self.assertEqual(transport.value(), b"hello\n")
        refused.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.admission.count, 2)

    def test_a_refused_connection_that_does_not_go_is_cut(self) -> None:
        self.connect(), self.connect()
        _, transport = self.connect()
        self.clock.advance(REFUSAL_TIMEOUT)
        self.assertTrue(transport.aborted)


class Draining(SessionCase):
    def drain(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.factory.drain())

    def test_nobody_there(self) -> None:
        self.successResultOf(self.drain())

    def test_all_say_goodbye(self) -> None:
        session, transport = self.connect()
        draining = self.drain()
        self.assertTrue(transport.value().endswith(b"going\n"))
        self.assertNoResult(draining)
        self.lose(session)
        self.successResultOf(draining)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_runs_comes_to_its_end_and_the_rest_is_cut(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"wait\n")
        draining = self.drain()
        self.assertFalse(transport.disconnecting)
        self.clock.advance(DRAIN_TIMEOUT)
        self.assertTrue(transport.aborted)
        self.lose(session)
        self.assertNoResult(draining)
        session.waits[0].callback(None)
        self.successResultOf(draining)


def test_addresses() -> None:
    table: list[tuple[object, tuple[str, int]]] = [
        (IPv4Address("TCP", "192.0.2.1", 25), ("192.0.2.1", 25)),
        (IPv6Address("TCP", "2001:db8::1", 25), ("2001:db8::1", 25)),
        (IPv6Address("TCP", "::ffff:192.0.2.1", 25), ("192.0.2.1", 25)),
        (IPv6Address("TCP", "fe80::1%eth0", 25), ("fe80::1", 25)),
        (UNIXAddress("/run/x"), ("127.0.0.1", 0)),
    ]
    for given, (host, port) in table:
        address, found = address_of(given)
        assert (str(address), found) == (host, port)


def refuse(admission: Admission) -> Callable[[str], bool]:
    return lambda host: admission.enter(address_of(IPv4Address("TCP", host, 1))[0])


def test_admission_per_address_and_within() -> None:
    service = Admission(3, 2)
    door = Admission(0, 1, within=service)
    enter = refuse(door)
    assert enter("192.0.2.1")
    assert not enter("192.0.2.1")
    assert enter("192.0.2.2")
    assert refuse(service)("192.0.2.1")
    assert not enter("192.0.2.3"), "the service is full"
    assert door.count == 2
    assert service.count == 3
    door.leave(address_of(IPv4Address("TCP", "192.0.2.2", 1))[0])
    assert (door.count, service.count) == (1, 2)
    assert enter("192.0.2.3")
