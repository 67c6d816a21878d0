"""Streams over HTTP: how they begin, what they say, and how they end."""

from __future__ import annotations

import json

import attrs
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from mailsuite.accounts.endings import DEVICE_REMOVED
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from tests.accounts.fakes import CHEAP
from tests.accounts.gates import JOE, password_of, sealed
from tests.web.site import BY_ANN, BY_DESKTOP, BY_TABLET, PROXY, SiteCase, basic


class Streaming(SiteCase):
    def test_told_at_once(self) -> None:
        _, wire = self.stream(fields=BY_DESKTOP)
        head = wire.value().partition(b"\r\n\r\n")[0].decode().lower()
        for field in ("content-type: text/event-stream", "x-accel-buffering: no", "cache-control: no-store"):
            self.assertIn(field, head)
        self.mail()
        (event,) = self.told(wire)
        self.assertEqual((event.type, event.id), ("mail", "1"))
        self.assertEqual(json.loads(event.data)["subject"], "Lunch?")
        self.assertEqual(self.seen_at, [(f"{JOE.address}/desktop", "192.0.2.9")])

    def test_a_proxy_is_nobodys_address(self) -> None:
        self.connect(PROXY)
        self.send("GET /notify/v1/stream", basic())
        self.assertIn(b"text/event-stream", self.wire.value())
        self.assertEqual(self.seen_at, [])

    def test_where_there_are_none(self) -> None:
        self.offered = False
        self.assertEqual(self.ask("GET /stream")[0], 404)

    def test_of_the_own_account_alone(self) -> None:
        _, wire = self.stream(fields=BY_ANN)
        self.mail()
        self.assertEqual(self.told(wire), [])

    def test_only_the_head(self) -> None:
        self.connect()
        self.send("HEAD /notify/v1/stream", basic())
        self.assertIn(b"text/event-stream", self.wire.value())
        self.assertTrue(self.wire.value().endswith(b"\r\n\r\n"))
        self.assertEqual(self.streams.count, 0)
        self.assertEqual(self.ask("GET /subscriptions")[0], 200)

    def test_from_where_it_stood(self) -> None:
        session, wire = self.stream()
        self.mail(2)
        session.connectionLost(Failure(ConnectionDone()))
        self.mail(2)
        _, wire = self.stream(fields=basic() + "Last-Event-ID: 2\r\n")
        self.assertEqual([event.id for event in self.told(wire)], ["3", "4"])
        _, wire = self.stream(fields=basic() + "Last-Event-ID: 99\r\n")
        self.assertEqual([event.type for event in self.told(wire)], ["resync"])

    def test_what_is_wanted(self) -> None:
        _, wire = self.stream("?types=login,queue&level=knock&ping=30&wanted=bulk&closeafter=no")
        self.mail()
        self.clock.advance(15.0)
        self.clock.advance(15.0)
        self.assertEqual([event.type for event in self.told(wire)], ["ping"])

    def test_what_cannot_be_wanted(self) -> None:
        for query, name in (
            ("?types=mail,sms", "types"),
            ("?level=all", "level"),
            ("?ping=soon", "ping"),
            ("?ping=-1", "ping"),
            ("?ping=9999999999", "ping"),
            ("?wanted=junk", "wanted"),
            ("?closeafter=mail", "closeafter"),
        ):
            self.connect()
            status, document, _ = self.ask(f"GET /stream{query}")
            self.assertEqual((status, document["detail"].startswith(f"{name}: ")), (400, True), query)

    def test_one_event_and_no_more(self) -> None:
        session, wire = self.stream("?closeafter=state")
        self.mail()
        self.assertEqual(len(self.told(wire)), 1)
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))
        self.assertEqual(self.streams.count, 0)
        self.assertFalse(wire.disconnecting)
        self.session, self.wire = session, wire
        self.assertEqual(self.ask("GET /subscriptions")[0], 200, "the connection goes on")

    def test_so_many_of_one_account(self) -> None:
        for _ in range(3):
            self.stream()
        _, wire = self.stream(fields=BY_DESKTOP)
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 429 "))
        _, wire = self.stream(fields=BY_ANN)
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 200 "))


class Ends(SiteCase):
    def test_the_client_goes(self) -> None:
        session, _ = self.stream()
        self.assertEqual(self.streams.count, 1)
        session.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.streams.count, 0)
        self.mail()

    def test_the_service_stops(self) -> None:
        session, wire = self.stream()
        session.drain()
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))
        self.assertEqual(wire.value().count(b"retry: "), 2)
        self.assertTrue(wire.disconnecting)
        self.assertEqual(self.streams.count, 0)

    def test_the_client_sends_no_more(self) -> None:
        """It has closed the connection, and is not counted as present until something is sent to it."""
        session, wire = self.stream()
        session.readConnectionLost()
        self.assertTrue(wire.disconnecting)
        self.assertEqual(self.streams.count, 0)
        session.drain()

    def test_the_client_sent_no_more_already(self) -> None:
        session, wire = self.connect()
        session._input_ended = True
        self.send("GET /notify/v1/stream", basic())
        self.assertTrue(wire.disconnecting)
        self.assertEqual(self.streams.count, 0)

    def test_it_stops_already(self) -> None:
        session, wire = self.connect()
        session._draining = True
        self.send("GET /notify/v1/stream", basic())
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))

    def test_a_device_that_is_removed_ends_its_streams_at_once(self) -> None:
        desktop, desktop_wire = self.stream(fields=BY_DESKTOP)
        _, tablet_wire = self.stream(fields=BY_TABLET)
        self.assertEqual((desktop.account, desktop.device), (JOE.address, f"{JOE.address}/desktop"))
        desktop.abort(DEVICE_REMOVED)
        self.assertTrue(desktop_wire.aborted)
        desktop.connectionLost(Failure(ConnectionDone()))
        self.mail()
        self.assertEqual(len(self.told(tablet_wire)), 1)

    def test_with_another_password_it_ends_within_five_minutes(self) -> None:
        _, own = self.stream()
        _, desktop = self.stream(fields=BY_DESKTOP)
        self.advance(300.0)
        self.assertFalse(own.aborted)
        self.do(self.directory.change_account(attrs.evolve(JOE, password_hash=CHEAP.hash("other"))))
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.advance(300.0)
        self.assertFalse(own.aborted, "while nobody can tell")
        self.directory.refuse_with = None
        self.advance(300.0)
        self.assertEqual((own.aborted, desktop.aborted), (True, False))

    def test_with_the_same_password_written_anew_it_goes_on(self) -> None:
        """As the configuration's passwords are whenever that is read; with another one it ends."""
        _, desktop = self.stream(fields=BY_DESKTOP)
        _, tablet = self.stream(fields=BY_TABLET)
        self.reseal("desktop", sealed(JOE, f"{JOE.address}/desktop", password_of("desktop")))
        self.reseal("tablet", sealed(JOE, f"{JOE.address}/tablet", "another"))
        self.advance(330.0)
        self.assertEqual((desktop.aborted, tablet.aborted), (False, True))
        self.assertEqual(len(self.do(self.logins.since(0.0))), 2, "what is not new is no login")
        self.reseal("desktop", sealed(JOE, f"{JOE.address}/desktop", "another"))
        self.advance(330.0)
        self.assertTrue(desktop.aborted)

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 5.0)):
            self.clock.advance(5.0)

    def test_a_subscription_that_is_removed_ends_its_stream(self) -> None:
        _, wire = self.stream(fields=BY_DESKTOP)
        self.connect()
        _, document, _ = self.ask("GET /subscriptions", BY_DESKTOP)
        (subscription,) = document["subscriptions"]
        self.assertEqual((subscription["channel"], subscription["state"]), ("stream", "active"))
        self.assertEqual(self.ask(f"DELETE /subscriptions/{subscription['id']}", BY_DESKTOP)[0], 200)
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))

    def test_one_that_does_not_read_is_cut_after_a_minute(self) -> None:
        session, wire = self.stream("?ping=30")
        self.clock.advance(1.0)
        wire.flow.pauseProducing()
        sent = wire.value()
        self.mail(500)
        self.clock.advance(30.0)
        self.assertEqual(wire.value(), sent)
        self.clock.advance(30.0)
        self.assertTrue(wire.aborted)
        session.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.streams.count, 0)

    def test_one_that_reads_again_is_told_of_all_in_one(self) -> None:
        _, wire = self.stream()
        wire.flow.pauseProducing()
        self.mail(500)
        self.clock.advance(30.0)
        wire.flow.resumeProducing()
        (event,) = self.told(wire)
        self.assertEqual((event.id, json.loads(event.data)["count"]), ("500", 500))
