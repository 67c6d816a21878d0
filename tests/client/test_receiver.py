"""The receiving side over transports in memory."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client.receiver import ACTION_INTERVAL, MAX_CONNECTIONS, PATIENCE, Receiver, _peer
from mailsuite.wire.finger import KNOCK

SOMEBODY = IPv4Address("TCP", "198.41.0.4", 40000)


class ReceiverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.acts: list[tuple[str, int]] = []
        self.receiver = Receiver(self.clock, lambda peer, knocks: self.acts.append((peer, knocks)))
        self.counters = self.receiver.counters

    def connect(self) -> StringTransport:
        self.protocol = self.receiver.buildProtocol(SOMEBODY)
        transport = StringTransport()
        self.protocol.makeConnection(transport)
        return transport

    def close(self, error: Exception | None = None) -> None:
        self.protocol.connectionLost(Failure(error or ConnectionDone()))

    def test_a_knock(self) -> None:
        transport = self.connect()
        self.protocol.dataReceived(KNOCK)
        self.assertEqual(self.acts, [("198.41.0.4", 1)])
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.disconnected)
        self.assertEqual(transport.value(), b"")
        self.close()
        self.assertEqual((self.counters.knocks, self.counters.noise), (1, 0))

    def test_a_knock_in_pieces(self) -> None:
        self.connect()
        for index in range(len(KNOCK)):
            self.assertEqual(self.acts, [])
            self.protocol.dataReceived(KNOCK[index : index + 1])
        self.assertEqual(len(self.acts), 1)

    def test_what_follows_a_knock_is_not_looked_at(self) -> None:
        self.connect()
        self.protocol.dataReceived(KNOCK)
        self.protocol.dataReceived(KNOCK)
        self.assertEqual(self.counters.knocks, 1)

    def test_the_end_of_the_connection_ends_the_line(self) -> None:
        self.connect()
        self.protocol.dataReceived(KNOCK[:13])
        self.close()
        self.assertEqual(len(self.acts), 1)

    def test_a_reset_does_not(self) -> None:
        self.connect()
        self.protocol.dataReceived(KNOCK[:13])
        self.close(ConnectionLost())
        self.assertEqual((self.acts, self.counters.noise), ([], 1))

    def test_noise_is_dropped_counted_and_not_answered(self) -> None:
        transport = self.connect()
        self.protocol.dataReceived(b"/W joe\r\n")
        self.assertTrue(transport.disconnecting)
        self.assertEqual((self.acts, transport.value(), self.counters.noise), ([], b"", 1))
        self.protocol.dataReceived(KNOCK)
        self.close()
        self.assertEqual((self.acts, self.counters.noise), ([], 1))

    def test_nothing_said(self) -> None:
        self.connect()
        self.close()
        self.assertEqual((self.acts, self.counters.noise), ([], 1))

    def test_five_seconds_are_enough_for_anybody(self) -> None:
        transport = self.connect()
        self.protocol.dataReceived(KNOCK[:13])
        self.clock.advance(PATIENCE - 0.01)
        self.assertFalse(transport.disconnected)
        self.clock.advance(0.01)
        self.assertTrue(transport.disconnected)
        self.close()
        self.assertEqual((self.acts, self.counters.noise), ([], 1))

    def test_no_more_than_thirty_two_connections(self) -> None:
        protocols = []
        for _ in range(MAX_CONNECTIONS):
            self.connect()
            protocols.append(self.protocol)
        self.assertIsNone(self.receiver.buildProtocol(SOMEBODY))
        self.assertEqual(self.counters.turned_away, 1)
        protocols[0].connectionLost(Failure(ConnectionDone()))
        self.assertIsNotNone(self.receiver.buildProtocol(SOMEBODY))

    def test_a_flood_makes_two_actions(self) -> None:
        for _ in range(1000):
            self.connect()
            self.protocol.dataReceived(KNOCK)
            self.close()
        self.clock.advance(ACTION_INTERVAL)
        self.clock.advance(3600)
        self.assertEqual(self.acts, [("198.41.0.4", 1), ("198.41.0.4", 999)])

    def test_an_action_stands_for_all_who_knocked_since(self) -> None:
        """One of two servers must not be forgotten because the other one knocks more often."""
        for peer in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            self.protocol = self.receiver.buildProtocol(IPv4Address("TCP", peer, 40000))
            self.protocol.makeConnection(StringTransport())
            self.protocol.dataReceived(KNOCK)
            self.close()
        self.assertEqual(self.receiver.peers, {"192.0.2.1"})
        self.clock.advance(ACTION_INTERVAL)
        self.assertEqual(self.receiver.peers, {"192.0.2.1", "192.0.2.2"})
        self.assertEqual(self.acts, [("192.0.2.1", 1), ("192.0.2.1", 2)])

    def test_stopping_cuts_no_knocker_off(self) -> None:
        transport = self.connect()
        self.protocol.dataReceived(KNOCK)
        self.receiver.stop()
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.disconnected)

    def test_stopping_ends_everything(self) -> None:
        self.connect()
        self.protocol.dataReceived(KNOCK)
        self.close()
        transport = self.connect()
        self.protocol.dataReceived(KNOCK[:13])
        self.receiver.stop()
        self.assertTrue(transport.disconnected)
        self.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.counters.knocks, self.counters.noise), (1, 0))

    def test_strangers_are_not_heard(self) -> None:
        self.receiver.allowed = {"192.0.2.1"}.__contains__
        self.assertIsNone(self.receiver.buildProtocol(SOMEBODY))
        self.assertIsNone(self.receiver.buildProtocol(None))
        self.assertIsNotNone(self.receiver.buildProtocol(IPv6Address("TCP", "::ffff:192.0.2.1", 1)))
        self.assertEqual((self.counters.strangers, self.counters.turned_away), (2, 0))

    def test_a_flood_is_told_of_once(self) -> None:
        floods: list[str] = []
        self.receiver = Receiver(self.clock, lambda peer, knocks: None, flooded=floods.append)
        for _ in range(500):
            self.connect()
            self.protocol.dataReceived(KNOCK)
            self.close()
        self.assertEqual(floods, ["198.41.0.4"])

    def test_no_more_is_kept_than_a_knock_has(self) -> None:
        """A line without an end is judged as soon as it differs."""
        transport = self.connect()
        self.protocol.dataReceived(b"nm_notifyuser" + b" " * 1_000_000)
        self.assertTrue(transport.disconnecting)
        self.assertEqual((self.acts, self.counters.noise), ([], 1))


@given(st.binary(max_size=40) | st.just(KNOCK) | st.just(KNOCK[:-2] + b"\n"), st.lists(st.integers(0, 40)))
def test_whatever_comes_there_is_one_judgement_and_no_answer(said: bytes, cuts: list[int]) -> None:
    clock = Clock()
    acts: list[str] = []
    receiver = Receiver(clock, lambda peer, knocks: acts.append(peer))
    protocol = receiver.buildProtocol(SOMEBODY)
    assert protocol is not None
    transport = StringTransport()
    protocol.makeConnection(transport)
    places = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    for begin, end in itertools.pairwise(places):
        protocol.dataReceived(said[begin:end])
    protocol.connectionLost(Failure(ConnectionDone()))
    is_knock = said.startswith((KNOCK, b"nm_notifyuser\n")) or said == b"nm_notifyuser"
    assert (len(acts) == 1) == is_knock
    assert receiver.counters.knocks + receiver.counters.noise == 1
    assert transport.value() == b""
    assert not receiver.connections


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (SOMEBODY, "198.41.0.4"),
        (IPv6Address("TCP", "2a00::1", 1), "2a00::1"),
        (IPv6Address("TCP", "::ffff:198.41.0.4", 1), "198.41.0.4"),
        (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80::1%eth0"),
        (UNIXAddress(b"/run/knock"), "unknown"),
        (None, "unknown"),
    ],
)
def test_how_a_peer_is_named(address: IAddress | None, name: str) -> None:
    assert _peer(address) == name
