"""Connecting to a host that has several addresses: RFC 8305 section 5."""

from __future__ import annotations

import errno
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.account import IPAddress
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import NO_ANSWER
from mailsuite.relay import connecting
from mailsuite.relay.connecting import FAILED_SECONDS, STAGGER, Connector
from mailsuite.relay.mx import Host
from mailsuite.relay.source import Source

SIX, FOUR, OTHER = (ip_address(text) for text in ("2001:db8::1", "192.0.2.1", "192.0.2.2"))

ANY = Source()


class Spoken(Protocol):
    def __init__(self, address: IPAddress) -> None:
        self.address = address


class ConnectingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.connector = Connector(self.reactor, timeout=7.0)

    def start(self, *addresses: IPAddress, source: Source = ANY) -> Deferred[Spoken]:
        host = Host("a.test", addresses, 25)
        return Deferred.fromCoroutine(self.connector.dial(host, source, Spoken))

    @property
    def tried(self) -> list[str]:
        return [host for host, *_ in self.reactor.tcpClients]

    def fail(self, number: int, error: Exception) -> None:  # type: ignore[override]
        self.reactor.tcpClients[number][2].clientConnectionFailed(None, Failure(error))

    def refuse(self, number: int) -> None:
        self.fail(number, ConnectionRefusedError(errno.ECONNREFUSED, "no"))

    def answer(self, number: int) -> Any:
        made = self.reactor.tcpClients[number][2].buildProtocol(None)
        made.makeConnection(StringTransport())
        return made

    def is_given_up(self, number: int) -> bool:
        return bool(self.reactor.connectors[number].stoppedConnecting)

    def test_the_first_that_answers(self) -> None:
        connecting = self.start(SIX, FOUR)
        host, port, _, timeout, bound = self.reactor.tcpClients[0]
        self.assertEqual((host, port, timeout, bound), ("2001:db8::1", 25, 7.0, None))
        self.answer(0)
        connected = self.successResultOf(connecting)
        self.assertEqual(connected.address, SIX)
        self.assertIsNotNone(connected.transport)
        self.reactor.advance(60)
        self.assertEqual(self.tried, ["2001:db8::1"])

    def test_the_next_begins_after_a_quarter_of_a_second(self) -> None:
        connecting = self.start(SIX, FOUR, OTHER)
        self.reactor.advance(STAGGER - 0.01)
        self.assertEqual(self.tried, ["2001:db8::1"])
        self.reactor.advance(0.02)
        self.assertEqual(self.tried, ["2001:db8::1", "192.0.2.1"])
        self.reactor.advance(STAGGER)
        self.assertEqual(len(self.tried), 3)
        self.answer(1)
        self.assertEqual(self.successResultOf(connecting).address, FOUR)
        self.assertEqual([self.is_given_up(number) for number in range(3)], [True, False, True])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_the_next_begins_at_once_where_one_fails(self) -> None:
        connecting = self.start(SIX, FOUR)
        self.refuse(0)
        self.assertEqual(self.tried, ["2001:db8::1", "192.0.2.1"])
        self.answer(1)
        self.assertEqual(self.successResultOf(connecting).address, FOUR)

    def test_nobody_answers(self) -> None:
        connecting = self.start(SIX, FOUR, OTHER)
        self.refuse(0)
        self.fail(1, TimeoutError())
        self.assertNoResult(connecting)
        self.fail(2, OSError("strange"))
        failure = self.failureResultOf(connecting, TemporaryFailure).value
        self.assertIs(failure.reply, NO_ANSWER)
        self.assertEqual(
            failure.detail,
            "2001:db8::1: Connection refused; 192.0.2.1: no answer in time; 192.0.2.2: strange",
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_the_last_one_to_fail_is_waited_for(self) -> None:
        connecting = self.start(SIX, FOUR)
        self.reactor.advance(STAGGER)
        self.refuse(1)
        self.assertNoResult(connecting)
        self.answer(0)
        self.assertEqual(self.successResultOf(connecting).address, SIX)

    def test_what_cannot_even_begin_has_failed(self) -> None:
        def unable(*arguments: object, **more: object) -> None:
            raise OSError("no")

        self.reactor.connectTCP = unable
        self.failureResultOf(self.start(SIX, FOUR), TemporaryFailure)

    def test_whoever_gives_up_leaves_nothing_behind(self) -> None:
        connecting = self.start(SIX, FOUR, OTHER)
        self.reactor.advance(STAGGER)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertTrue(self.is_given_up(0))
        self.assertTrue(self.is_given_up(1))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(self.tried), 2)

    def test_each_kind_has_its_own_source(self) -> None:
        own = Source((ip_address("2001:db8::10"), ip_address("192.0.2.10")))
        self.start(SIX, FOUR, source=own)
        self.reactor.advance(STAGGER)
        bound = [bind for *_, bind in self.reactor.tcpClients]
        self.assertEqual(bound, [("2001:db8::10", 0), ("192.0.2.10", 0)])

    def test_what_did_not_answer_comes_last_for_a_while(self) -> None:
        self.start(SIX, FOUR)
        self.refuse(0)
        self.start(SIX, FOUR)
        self.assertEqual(self.tried[2:], ["192.0.2.1"])
        self.reactor.advance(FAILED_SECONDS)
        del self.reactor.tcpClients[:]
        self.start(SIX, FOUR)
        self.assertEqual(self.tried, ["2001:db8::1"])

    def test_another_source_may_have_more_luck(self) -> None:
        self.start(SIX, FOUR)
        self.refuse(0)
        own = Source((ip_address("2001:db8::10"),))
        self.start(SIX, FOUR, source=own)
        self.assertEqual(self.tried[2:], ["2001:db8::1"])
        self.refuse(2)
        self.start(SIX, FOUR, source=own)
        self.assertEqual(self.tried[4:], ["192.0.2.1"])

    def test_what_was_given_up_has_not_failed(self) -> None:
        self.start(SIX, FOUR)
        self.reactor.advance(STAGGER)
        self.answer(1)
        self.start(SIX, FOUR)
        self.assertEqual(self.tried[2:], ["2001:db8::1"])

    def test_what_answers_again_is_forgiven(self) -> None:
        self.connector.failed(SIX, 25, ANY)
        self.connector.failed(SIX, 2525, ANY)
        self.start(SIX)
        self.answer(0)
        self.start(SIX, FOUR)
        self.assertEqual(self.tried[1:], ["2001:db8::1"])

    def test_not_too_many_are_remembered(self) -> None:
        self.patch(connecting, "MAX_FAILED", 2)
        for address in (SIX, FOUR, OTHER):
            self.connector.failed(address, 25, ANY)
        self.start(OTHER, FOUR, SIX)
        self.assertEqual(self.tried, ["2001:db8::1"])
