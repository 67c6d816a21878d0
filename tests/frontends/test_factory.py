"""Letting in, counting, refusing, draining."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred

from mailsuite.frontends.factory import (
    DRAIN_TIMEOUT,
    MAX_REFUSALS,
    REFUSAL_TIMEOUT,
    TOO_MANY,
    SessionFactory,
)
from mailsuite.frontends.flood import LOGGED_EVERY
from mailsuite.model.account import IPAddress
from mailsuite.observe.log import Log
from mailsuite.policy.admission import Refused
from tests.frontends.lines import SessionCase

STRANGER = IPv4Address("TCP", "192.0.2.99", 4000)


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
        self.lose(refused)
        self.assertEqual(self.admission.count, 2)

    def test_a_refused_connection_that_does_not_go_is_cut(self) -> None:
        self.connect(), self.connect()
        refused, transport = self.connect()
        before = len(self.clock.getDelayedCalls())
        self.clock.advance(REFUSAL_TIMEOUT)
        self.assertTrue(transport.aborted)
        self.lose(refused)
        self.assertEqual(len(self.clock.getDelayedCalls()), before - 1)

    def test_one_that_goes_leaves_no_timer(self) -> None:
        self.connect(), self.connect()
        before = len(self.clock.getDelayedCalls())
        refused, _ = self.connect()
        self.lose(refused)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)

    def test_so_many_are_told_and_no_more(self) -> None:
        self.connect(), self.connect()
        refused = [self.connect()[0] for _ in range(MAX_REFUSALS)]
        self.assertIsNone(self.factory.buildProtocol(STRANGER))
        self.lose(refused[0])
        self.assertIsNotNone(self.factory.buildProtocol(STRANGER))
        self.assertIsNone(self.factory.buildProtocol(STRANGER))

    def test_the_log_survives_a_flood(self) -> None:
        self.connect(), self.connect()
        for _ in range(500):
            self.factory.buildProtocol(STRANGER)
        self.clock.advance(LOGGED_EVERY)
        self.factory.buildProtocol(STRANGER)
        first, second = self.logged("connection.refused")
        self.assertIn("peer=192.0.2.99 open=2 refused=1", first)
        self.assertIn("refused=500", second)

    def test_a_session_that_cannot_be_made_takes_no_place(self) -> None:
        self.broken = "build"
        self.assertIsNone(self.factory.buildProtocol(STRANGER))
        self.assertEqual(self.admission.count, 0)
        self.assertIn("a mistake of ours in build", self.logged("connection.failed")[0])
        self.broken = ""
        self.connect()


class KeepingOut(SessionCase):
    """Who is banned or denied is refused before all else."""

    def setUp(self) -> None:
        super().setUp()
        self.refused: Refused | None = Refused("denied", "192.0.2.0/24 (smtp.access.list, entry 1)", b"no\n")
        self.asked: list[str] = []
        self.counted: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.factory = SessionFactory(
            self.clock,
            self.build,
            self.admission,
            b"full\n",
            log,
            keeps_out=self.keeps_out,
            on_refused=self.counted.append,
        )

    def keeps_out(self, peer: IPAddress) -> Refused | None:
        self.asked.append(str(peer))
        return self.refused

    def test_with_words_and_without(self) -> None:
        refused, transport = self.connect()
        self.assertEqual((transport.value(), transport.disconnecting), (b"no\n", True))
        self.lose(refused)
        self.refused = Refused("banned", "192.0.2.1/32: oversize-command")
        self.assertIsNone(self.factory.buildProtocol(STRANGER))
        self.assertEqual(self.asked, ["192.0.2.1", "192.0.2.99"])
        self.assertEqual(self.counted, ["denied", "banned"])
        self.assertEqual((self.admission.count, self.factory.sessions), (0, set()), "they count for no limit")

    def test_the_answer_of_the_moment_counts(self) -> None:
        self.refused = None
        session, transport = self.connect()
        self.refused = Refused("banned", "why")
        self.assertIsNone(self.factory.buildProtocol(STRANGER))
        self.assertFalse(transport.disconnecting, "whoever is in stays in")
        self.refused = None
        self.connect()
        self.assertEqual(self.counted, ["banned"])
        self.lose(session)
        self.assertEqual(self.admission.count, 1)

    def test_a_place_in_a_full_house_is_no_reason_to_talk(self) -> None:
        self.refused = None
        self.connect(), self.connect()
        self.assertEqual(self.connect()[1].value(), b"full\n")
        self.refused = Refused("banned", "why")
        self.assertIsNone(self.factory.buildProtocol(STRANGER))
        self.assertEqual(self.counted, [TOO_MANY, "banned"])

    def test_the_log_survives_a_flood(self) -> None:
        for _ in range(500):
            self.factory.buildProtocol(STRANGER)
        self.clock.advance(LOGGED_EVERY)
        self.refused = Refused("banned", "192.0.2.99/32: oversize-command")
        self.factory.buildProtocol(STRANGER)
        first, second = self.logged("connection.denied")
        rule = '"192.0.2.0/24 (smtp.access.list, entry 1)"'
        self.assertIn(f"peer=192.0.2.99 reason=denied rule={rule} denied=1", first)
        self.assertIn('reason=banned rule="192.0.2.99/32: oversize-command" denied=500', second)
        self.assertEqual((self.counted.count("denied"), self.counted.count("banned")), (500, 1))

    def test_so_many_are_told_and_no_more(self) -> None:
        refused = [self.connect()[0] for _ in range(MAX_REFUSALS)]
        self.assertIsNone(self.factory.buildProtocol(STRANGER))
        self.lose(refused[0])
        self.assertIsNotNone(self.factory.buildProtocol(STRANGER))

    def test_the_place_is_free_as_soon_as_a_session_has_gone(self) -> None:
        self.refused = None
        first, _ = self.connect()
        self.connect()
        first.dataReceived(b"wait\n")
        self.lose(first)
        self.assertEqual(self.connect()[1].value(), b"hello\n", "though its last answer is under way")


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
        self.assertIn('reason="service stops"', self.logged("line.closed")[0])

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

    def test_the_last_answer_of_who_left_before_is_waited_for(self) -> None:
        session, _ = self.connect()
        session.dataReceived(b"wait\n")
        self.lose(session)
        draining = self.drain()
        self.assertNoResult(draining)
        session.waits[0].callback(None)
        self.successResultOf(draining)

    def test_two_that_wait_for_the_same_end(self) -> None:
        session, _ = self.connect()
        waiting = [self.drain(), self.drain()]
        self.lose(session)
        for each in waiting:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_who_does_not_read_hears_it_when_he_does(self) -> None:
        session, transport = self.connect()
        transport.flow.pauseProducing()
        session.dataReceived(b"one\n")
        self.drain()
        self.assertFalse(transport.disconnecting)
        flow = transport.flow
        flow.resumeProducing()
        self.assertTrue(transport.value().endswith(b"going\n"))
        self.assertTrue(transport.disconnecting)

    def test_one_who_is_closing_hears_nothing_more(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"quit\n")
        transport.clear()
        self.drain()
        self.assertEqual(transport.value(), b"")

    def test_a_busy_session_says_goodbye_after_its_answer(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"wait\n")
        self.drain()
        session.waits[0].callback(None)
        self.assertTrue(transport.value().endswith(b"waited\n"))
        self.assertTrue(transport.disconnecting)
