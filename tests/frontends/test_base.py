"""The shell, driven by a small core: pumping, pausing, back-pressure, TLS, the end."""

from __future__ import annotations

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from mailsuite.frontends.door import CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT, LOGIN_TIMEOUT
from mailsuite.frontends.flow import MAX_WAITING_INPUT
from mailsuite.model.address import Address
from mailsuite.model.view import Box, View
from tests.frontends.lines import IDLE, NOW, LineSession, SessionCase, Wire

JOE = Address("joe", "example.test")


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


class Knowing(SessionCase):
    """What is known of a session while it lives (``mailsuite who``)."""

    def test_from_where_and_since_when(self) -> None:
        session, _ = self.connect("192.0.2.7")
        self.assertEqual((str(session.peer), session.peer_port), ("192.0.2.7", 4000))
        self.assertEqual(session.opened_at, NOW)
        self.clock.advance(2.5)
        self.assertEqual((session.seconds, session.idle), (2.5, 2.5))
        session.dataReceived(b"one\n")
        self.assertEqual((session.seconds, session.idle), (2.5, 0.0))

    def test_how_much(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"one\nstream\n")
        self.assertEqual(session.octets_in, 11)
        self.assertEqual(session.octets_out, len(transport.value()))
        session.abort("enough")
        session.write(b"lost")
        session.say(b"lost")
        self.assertEqual(session.octets_out, len(transport.value()))

    def test_who(self) -> None:
        session, _ = self.connect()
        self.assertEqual(
            (session.account, session.device, session.mechanism, session.view), (None, "", "", None)
        )
        view = View(Box.TRASH)
        session.known_as(JOE, "d1", "PLAIN", view)
        self.assertEqual(
            (session.account, session.device, session.mechanism, session.view), (JOE, "d1", "PLAIN", view)
        )

    def test_inside_tls(self) -> None:
        session, _ = self.connect()
        self.assertEqual(session.tls, "")
        session.dataReceived(b"tls\n")
        session.handshakeCompleted()
        self.assertEqual(session.tls, "TLSv1.3 TLS_AES_256_GCM_SHA384")

    def test_the_figures(self) -> None:
        first, transport = self.connect()
        second, _ = self.connect()
        self.assertEqual(self.figure("mailsuite_sessions_open"), 2.0)
        first.dataReceived(b"wait\n")
        self.clock.advance(2.0)
        self.lose(first)
        self.assertEqual(self.figure("mailsuite_sessions_open"), 2.0, "its last answer is under way")
        first.waits[0].callback(None)
        self.lose(second)
        self.assertEqual(self.figure("mailsuite_sessions_open"), 0.0)
        self.assertEqual(self.figure("mailsuite_sessions_total"), 2.0)
        self.assertEqual(self.figure("mailsuite_session_duration_seconds_sum", "service"), 4.0)
        self.assertEqual(self.figure("mailsuite_received_bytes_total", "service"), 5.0)
        self.assertEqual(
            self.figure("mailsuite_sent_bytes_total", "service"), len(transport.value()) + len(b"hello\n")
        )


@attrs.define
class Listener:
    """A tap that keeps what it sees; *broken*: a mistake of ours."""

    seen: list[tuple[str, bytes]] = attrs.field(factory=list)
    broken: bool = False

    def received(self, data: bytes) -> None:
        if self.broken:
            raise RuntimeError("a mistake of ours")
        self.seen.append(("in", data))

    def said(self, data: bytes) -> None:
        self.seen.append(("out", data))

    def streamed(self, data: bytes) -> None:
        self.seen.append(("text", data))


class Tapped(SessionCase):
    def test_it_sees_all_that_passes_in_order(self) -> None:
        session, _ = self.connect()
        tap = Listener()
        self.assertFalse(session.is_tapped)
        session.tap(tap)
        self.assertTrue(session.is_tapped)
        session.dataReceived(b"one\n")
        session.dataReceived(b"stream\n")
        self.assertEqual(
            tap.seen,
            [
                ("in", b"one\n"),
                ("out", b"one\n"),
                ("in", b"stream\n"),
                ("text", b"1"),
                ("text", b"2"),
                ("text", b"3"),
                ("out", b"stream\n"),
            ],
        )

    def test_a_mistake_in_it_ends_this_session(self) -> None:
        session, transport = self.connect()
        session.tap(Listener(broken=True))
        session.dataReceived(b"one\n")
        self.assertTrue(transport.aborted)
        self.lose(session)


class Ending(SessionCase):
    def test_a_running_answer_ends_before_the_session_does(self) -> None:
        session, _ = self.connect()
        session.dataReceived(b"wait\n")
        self.lose(session)
        self.assertEqual(session.has_ended, 0)
        session.waits[0].callback(None)
        self.assertEqual(session.has_ended, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_answer_for_the_client_alone_is_cancelled_with_the_connection(self) -> None:
        session, _ = self.connect()
        session.dataReceived(b"ask\n")
        self.lose(session)
        self.assertEqual((session.cancelled, session.has_ended), (1, 1))
        self.assertEqual((self.clock.getDelayedCalls(), self.logged("line.failed")), ([], []))

    def test_so_it_is_where_we_cut_the_connection(self) -> None:
        session, _ = self.connect()
        session.dataReceived(b"ask\n")
        session.abort("no more")
        self.lose(session)
        self.assertEqual((session.has_ended, session.end_reason), (1, "no more"))
        self.assertEqual(self.logged("line.failed"), [])

    def test_an_answer_for_the_client_alone_that_is_in_time(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"ask\nafter\n")
        session.waits[0].callback(None)
        self.assertEqual(transport.value(), b"hello\nask\nwaited\nafter\n")

    def test_an_answer_that_has_something_to_do_before_it_gives_up_is_waited_for(self) -> None:
        session, _ = self.connect()
        session.dataReceived(b"ask\n")
        session.stubborn = Deferred()
        self.lose(session)
        self.assertEqual((session.cancelled, session.has_ended), (1, 0))
        session.stubborn.callback(None)
        self.assertEqual(session.has_ended, 1)

    def test_a_cancellation_that_nobody_ordered_is_a_mistake_of_ours(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"ask\n")
        session.waits[0].cancel()
        self.assertTrue(transport.aborted)
        self.assertIn("CancelledError", self.logged("line.failed")[0])

    def test_half_a_connection_is_no_client_that_went_away(self) -> None:
        """Who sends no more may still read (``printf ... | nc -N``), and in clear a client that is gone looks
        the same until it is written to."""
        session, transport = self.connect()
        session.dataReceived(b"ask\n")
        session.readConnectionLost()
        session.waits[0].callback(None)
        self.assertTrue(transport.value().endswith(b"waited\n"))
        self.assertTrue(transport.disconnecting)

    def test_the_slot_is_free_at_once(self) -> None:
        session, _ = self.connect()
        session.dataReceived(b"wait\n")
        self.assertEqual(self.admission.count, 1)
        self.lose(session)
        self.assertEqual((self.admission.count, len(self.factory.sessions)), (0, 0))
        session.waits[0].callback(None)

    def test_waiting_for_a_slow_reader_ends_with_the_connection(self) -> None:
        session, transport = self.connect()
        transport.flow.pauseProducing()
        went: list[bool] = []

        async def wait() -> None:
            went.append(await session.writable())

        waiting = Deferred.fromCoroutine(wait())
        self.lose(session)
        self.successResultOf(waiting)
        self.assertEqual(went, [False])

    def test_a_writer_hears_that_nothing_can_be_written_any_more(self) -> None:
        session, transport = self.connect()
        transport.flow.pauseProducing()
        session.abort("enough")
        transport.clear()
        session.write(b"too late")
        self.assertEqual(transport.value(), b"")

    def test_an_end_that_fails_is_told_all_the_same(self) -> None:
        self.broken = "ended"
        session, _ = self.connect()
        self.lose(session)
        self.assertTrue(self.factory.is_empty)
        self.assertEqual(len(self.logged("line.failed")), 1)
        self.assertEqual(len(self.logged("line.closed")), 1)

    def test_the_log_says_why_and_how_long(self) -> None:
        session, _ = self.connect()
        self.clock.advance(1.5)
        self.lose(session)
        [line] = self.logged("line.closed")
        self.assertIn(f"session={session.id} peer=192.0.2.1 reason=disconnected seconds=1.5", line)

    def test_abort_any_number_of_times(self) -> None:
        session, transport = self.connect()
        session.abort("first")
        session.abort("second")
        self.lose(session)
        session.abort("third")
        self.assertTrue(transport.aborted)
        self.assertIn("reason=first", self.logged("line.closed")[0])

    def test_close_after_abort_and_after_the_end(self) -> None:
        session, _ = self.connect()
        session.abort("first")
        session.close()
        self.lose(session)
        session.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Mistakes(SessionCase):
    """A mistake of ours ends this connection, frees its slot, and leaves nothing."""

    def assert_ended(self, session: LineSession, transport: Wire) -> None:
        self.assertTrue(transport.aborted)
        [failure] = self.logged("line.failed")
        self.assertIn("a mistake of ours", failure)
        self.assertIn(f"session={session.id}", failure)
        self.assertNotIn(b"after", transport.value())
        self.lose(session)
        self.assertTrue(self.factory.is_empty)
        self.assertEqual((self.admission.count, self.clock.getDelayedCalls()), (0, []))

    def test_in_the_beginning(self) -> None:
        for broken, ended in (("begin", 0), ("start", 1)):
            with self.subTest(broken=broken):
                self.lines.clear()
                self.broken = broken
                session, transport = self.connect()
                session.dataReceived(b"after\n")
                session.drain()
                self.assert_ended(session, transport)
                self.assertEqual(session.has_ended, ended, "what was not begun has no end")

    def test_in_the_core(self) -> None:
        for broken in ("receive", "next_event"):
            with self.subTest(broken=broken):
                self.lines.clear()
                session, transport = self.connect()
                session.core.broken = broken
                session.dataReceived(b"after\nafter\n")
                self.assert_ended(session, transport)

    def test_at_the_time_out(self) -> None:
        session, transport = self.connect()
        session.core.broken = "timed_out"
        self.clock.advance(IDLE)
        self.assert_ended(session, transport)

    def test_when_the_service_stops(self) -> None:
        session, transport = self.connect()
        session.core.broken = "drain"
        session.drain()
        self.assert_ended(session, transport)

    def test_when_tls_begins(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"tls\n")
        session.core.broken = "tls_started"
        session.handshakeCompleted()
        self.assert_ended(session, transport)

    def test_in_an_answer_stops_what_was_pipelined(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"late boom\nafter\n")
        self.assert_ended(session, transport)

    def test_tls_without_a_certificate(self) -> None:
        session, transport = self.connect()
        session.door = self.door.__class__("line", "door", self.clock, self.door.log, IDLE)
        session.dataReceived(b"tls\nafter\n")
        self.assertTrue(transport.aborted)
        self.assertIn("without a certificate", self.logged("line.failed")[0])


class HalfClosed(SessionCase):
    def test_choked_output_is_sent_before_the_end(self) -> None:
        session, transport = self.connect()
        transport.flow.pauseProducing()
        session.dataReceived(b"one\ntwo\n")
        session.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        transport.flow.resumeProducing()
        self.assertTrue(transport.value().endswith(b"one\ntwo\n"))
        self.assertTrue(transport.disconnecting)

    def test_half_a_line_is_not_waited_for(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"hal")
        session.readConnectionLost()
        self.assertTrue(transport.disconnecting)

    def test_no_handshake_is_waited_for(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"wait\ntls\n")
        session.readConnectionLost()
        session.waits[0].callback(None)
        self.assertTrue(transport.disconnecting)


class BackPressure(SessionCase):
    def test_a_choked_session_answers_nothing_more(self) -> None:
        session, transport = self.connect()
        transport.flow.pauseProducing()
        session.dataReceived(b"one\n")
        self.assertEqual(transport.value(), b"hello\n")
        transport.flow.resumeProducing()
        self.assertEqual(transport.value(), b"hello\none\n")

    def test_writable_waits(self) -> None:
        session, transport = self.connect()

        async def wait() -> bool:
            return await session.writable()

        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(wait())))
        transport.flow.pauseProducing()
        waiting = Deferred.fromCoroutine(wait())
        self.assertNoResult(waiting)
        transport.flow.resumeProducing()
        self.assertTrue(self.successResultOf(waiting))

    def test_a_stalled_reader_is_cut(self) -> None:
        _, transport = self.connect()
        transport.flow.pauseProducing()
        self.clock.advance(300.0)
        self.assertTrue(transport.aborted)

    def test_output_past_the_core_stays_in_order_and_waits(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"before\nstream\nafter\n")
        self.assertEqual(transport.value(), b"hello\nbefore\n123stream\nafter\n")

    def test_a_stream_goes_on_when_the_client_has_read(self) -> None:
        session, transport = self.connect()
        write = session.write

        def choking(data: bytes) -> None:
            write(data)
            transport.flow.pauseProducing()

        session.write = choking  # type: ignore[method-assign]
        transport.clear()
        session.dataReceived(b"stream\nafter\n")
        for expected in (b"1stream\n", b"1stream\n2", b"1stream\n23", b"1stream\n23after\n"):
            self.assertEqual(transport.value(), expected)
            transport.flow.resumeProducing()

    def test_reading_that_paused_goes_on_with_the_connection_alive_only(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"wait\n" + b"x" * 10)
        session.dataReceived(b"x" * (MAX_WAITING_INPUT + 1))
        self.assertEqual(transport.producerState, "paused")
        self.lose(session)
        session.waits[0].callback(None)
        self.assertEqual(transport.producerState, "paused", "nobody asks a lost connection for more")

    def test_input_counts_while_the_client_does_not_read(self) -> None:
        session, transport = self.connect()
        transport.flow.pauseProducing()
        session.dataReceived(b"x" * (MAX_WAITING_INPUT + 1))
        self.assertEqual(transport.producerState, "paused")
        transport.flow.resumeProducing()
        self.assertEqual(transport.producerState, "producing")


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

    def test_a_client_that_reads_slowly_is_waited_for(self) -> None:
        session, transport = self.connect()
        for _ in range(5):
            transport.flow.pauseProducing()
            self.clock.advance(IDLE - 1)
            transport.flow.resumeProducing()
        self.assertFalse(transport.disconnecting)
        self.assertEqual(session.end_reason, "")

    def test_the_last_words_are_waited_for_so_long(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"quit\n")
        self.clock.advance(CLOSE_TIMEOUT - 0.1)
        self.assertFalse(transport.aborted)
        self.clock.advance(0.1)
        self.assertTrue(transport.aborted)


class NeedsLogin(SessionCase):
    """Sessions that are nothing without a login have so long for it (features row P-16)."""

    needs_login = True

    def test_words_that_lead_nowhere_put_nothing_off(self) -> None:
        session, transport = self.connect()
        for _ in range(17):
            self.clock.advance(10.0)
            session.dataReceived(b"one\n")
        self.assertFalse(transport.disconnecting)
        self.clock.advance(10.0)
        self.assertTrue(transport.disconnecting)
        self.lose(session)
        self.assertIn('reason="login time-out"', self.logged("line.closed")[0])

    def test_who_has_logged_in_may_be_idle_for_longer(self) -> None:
        session, transport = self.connect()
        self.clock.advance(170.0)
        session.known_as(JOE, "", "PLAIN")
        self.clock.advance(IDLE - 1.0)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1.0)
        self.assertTrue(transport.disconnecting)
        self.lose(session)
        self.assertIn('reason="idle time-out"', self.logged("line.closed")[0])

    def test_a_login_that_is_being_judged_is_waited_for_and_then_not_much_longer(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"ask\n")
        self.clock.advance(LOGIN_TIMEOUT + 1.0)
        session.waits[0].callback(None)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(LOGIN_TIMEOUT)
        self.assertTrue(transport.disconnecting)

    def test_the_handshake_has_its_own_time(self) -> None:
        session, transport = self.connect()
        session.dataReceived(b"tls\n")
        self.clock.advance(HANDSHAKE_TIMEOUT - 1.0)
        session.handshakeCompleted()
        self.clock.advance(LOGIN_TIMEOUT - 1.0)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1.0)
        self.assertTrue(transport.disconnecting)


class StartTls(SessionCase):
    def begin(self) -> tuple[LineSession, Wire]:
        session, transport = self.connect()
        session.dataReceived(b"one\ntls\n")
        return session, transport

    def test_the_session_goes_on_inside(self) -> None:
        session, transport = self.begin()
        self.assertIs(transport.tls, self.door.tls)
        self.assertEqual(transport.value(), b"hello\none\n")
        self.assertIsNone(transport.producer, "while TLS is put in")
        session.handshakeCompleted()
        self.assertEqual(session.secured_by, ["TLSv1.3 TLS_AES_256_GCM_SHA384"])
        self.assertEqual(session.core.secured, 1)
        session.dataReceived(b"two\n")
        self.assertTrue(transport.value().endswith(b"two\n"))
        self.assertIsNotNone(transport.producer)

    def test_the_handshake_has_its_own_time_and_then_idleness_counts_again(self) -> None:
        session, transport = self.begin()
        self.clock.advance(HANDSHAKE_TIMEOUT - 1)
        self.assertFalse(transport.aborted)
        session.handshakeCompleted()
        self.clock.advance(IDLE - 1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)

    def test_a_handshake_that_takes_too_long_is_cut(self) -> None:
        session, transport = self.begin()
        self.clock.advance(HANDSHAKE_TIMEOUT)
        self.assertTrue(transport.aborted)
        self.lose(session)
        self.assertIn("reason=time-out", self.logged("line.tls_failed")[0])

    def test_a_client_that_was_choked_before_is_not_choked_inside(self) -> None:
        """The transport forgets, over startTLS(), that it has paused somebody."""
        session, transport = self.connect()
        session.dataReceived(b"wait\ntls\n")
        flow = transport.flow
        session.dataReceived(b"x" * (MAX_WAITING_INPUT + 1))
        session.core.buffer = b"tls\n"
        start_tls = session.start_tls

        def choked_by_the_last_words() -> None:
            flow.pauseProducing()
            start_tls()

        session.start_tls = choked_by_the_last_words  # type: ignore[method-assign]
        session.waits[0].callback(None)
        self.assertEqual(transport.producerState, "producing", "else no handshake could come")
        session.handshakeCompleted()
        session.dataReceived(b"inside\n")
        self.assertTrue(transport.value().endswith(b"inside\n"))

    def test_the_service_stops(self) -> None:
        session, transport = self.begin()
        session.drain()
        self.assertTrue(transport.aborted, "nothing can be said, and nothing is lost")

    def test_a_failure_is_logged_in_words(self) -> None:
        for error, words in (
            (SSL.Error([("SSL routines", "", "unsupported protocol")]), 'reason="unsupported protocol"'),
            (ConnectionLost(), 'reason="the client went away"'),
            (SSL.SysCallError(104, "x"), "reason=SysCallError"),
            (SSL.ZeroReturnError(), "reason=ZeroReturnError"),
        ):
            with self.subTest(words=words):
                self.lines.clear()
                session, _ = self.begin()
                self.lose(session, error)
                [line] = self.logged("line.tls_failed")
                self.assertIn(words, line)
                self.assertIn("peer=192.0.2.1", line)


class ImplicitTls(SessionCase):
    implicit_tls = True

    def test_nothing_is_said_before_the_handshake(self) -> None:
        session, transport = self.connect()
        self.assertEqual(transport.value(), b"")
        session.handshakeCompleted()
        self.assertEqual(transport.value(), b"hello\n")
        assert session.facts is not None
        self.assertEqual(session.facts.tls, "TLSv1.3 TLS_AES_256_GCM_SHA384")
        self.assertEqual((session.secured_by, session.core.secured), ([], 0), "it began so")

    def test_a_handshake_that_takes_too_long_is_cut(self) -> None:
        session, transport = self.connect()
        self.clock.advance(HANDSHAKE_TIMEOUT - 1)
        self.assertFalse(transport.aborted)
        self.clock.advance(1)
        self.assertTrue(transport.aborted)
        self.lose(session)
        self.assertEqual((session.has_ended, self.admission.count), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_connection_that_tells_nothing_of_itself_ends_alone(self) -> None:
        session, transport = self.connect()
        transport.getHandle = lambda: None
        session.handshakeCompleted()
        self.assertTrue(transport.aborted)
        self.assertIn("AttributeError", self.logged("line.failed")[0])

    def test_the_service_stops_before_and_after(self) -> None:
        waiting, nothing = self.connect()
        session, transport = self.connect()
        session.handshakeCompleted()
        draining = Deferred.fromCoroutine(self.factory.drain())
        self.assertTrue(nothing.aborted)
        self.assertEqual(transport.value(), b"hello\ngoing\n")
        self.lose(waiting)
        self.assertNoResult(draining)
        self.lose(session)
        self.successResultOf(draining)
