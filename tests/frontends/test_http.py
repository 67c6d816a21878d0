"""HTTP on a socket: whole requests in, answers out, in time and within bounds."""

from __future__ import annotations

import json

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.frontends.admission import Admission
from mailsuite.frontends.door import CLOSE_TIMEOUT, Door
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.http import REQUEST_TIMEOUT, HttpSession
from mailsuite.frontends.http_core import MAX_BODY_OCTETS, Answer, HttpRequest
from mailsuite.model.address import Address
from mailsuite.observe.log import Log
from tests.frontends.lines import Wire

IDLE = 60.0


@attrs.frozen
class Heard:
    """An answer as a client reads it."""

    status: int
    fields: dict[str, str]
    body: bytes


def heard(octets: bytes) -> list[Heard]:
    """The answers in *octets*, whole ones."""
    answers = []
    while octets:
        head, _, octets = octets.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(fields.get("content-length", "0"))
        answers.append(Heard(int(first.split()[1]), fields, octets[:length]))
        octets = octets[length:]
    return answers


class HttpCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line), "debug")
        self.asked: list[HttpRequest] = []
        self.waits: list[Deferred[None]] = []
        self.ended: list[str] = []
        self.door = Door("notify", "notify", self.clock, self.log, IDLE)
        self.factory = SessionFactory(
            self.clock, lambda: HttpSession(self.door, self.answer), Admission(100, 100), b"", self.log
        )
        self.session, self.wire = self.connect()

    def connect(self) -> tuple[HttpSession, Wire]:
        wire = Wire()
        session = self.factory.buildProtocol(wire.getPeer())
        assert isinstance(session, HttpSession)
        session.makeConnection(wire)
        return session, wire

    async def answer(self, session: HttpSession, request: HttpRequest) -> Answer | None:
        self.asked.append(request)
        match request.path:
            case b"/wait":
                self.waits.append(waiting := Deferred())
                try:
                    await waiting
                finally:
                    self.ended.append(request.method.decode())
            case b"/broken":
                raise RuntimeError("a mistake of ours")
            case b"/stream":
                request.begin(200, {"content-type": "text/event-stream"})
                request.write(b"one")
                self.waits.append(waiting := Deferred())
                session.on_leave(lambda: waiting.callback(None))
                await waiting
                session.on_leave(None)
                request.write(b"two")
                request.finish()
                return None
            case b"/half":
                request.begin(200, {})
                request.write(b"one")
                raise RuntimeError("a mistake of ours")
        return Answer(200, request.content.read() or b"hello")

    def ask(self, line: str, fields: str = "", body: bytes = b"") -> list[Heard]:
        self.wire.clear()
        self.session.dataReceived(f"{line} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode() + body)
        return heard(self.wire.value())


class Asking(HttpCase):
    def test_an_answer(self) -> None:
        (answer,) = self.ask("GET /x?y=1")
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        self.assertEqual(answer.fields["cache-control"], "no-store")
        self.assertIn("date", answer.fields)
        self.assertNotIn("server", answer.fields)
        self.assertEqual(self.asked[0].args, {b"y": [b"1"]})
        self.assertFalse(self.wire.disconnecting)

    def test_only_its_head(self) -> None:
        self.wire.clear()
        self.session.dataReceived(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(self.wire.value().endswith(b"\r\n\r\n"))
        self.assertIn(b"Content-Length: 5", self.wire.value())

    def test_one_after_the_other_however_they_come(self) -> None:
        octets = (
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        for size in (1, 2, 7, len(octets)):
            self.wire.clear()
            for start in range(0, len(octets), size):
                self.session.dataReceived(octets[start : start + size])
            self.assertEqual([each.body for each in heard(self.wire.value())], [b"abc", b"hello"])

    def test_what_comes_behind_waits(self) -> None:
        self.assertEqual(self.ask("GET /wait"), [])
        self.session.dataReceived(b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(len(self.asked), 1)
        self.waits[0].callback(None)
        self.assertEqual(len(heard(self.wire.value())), 2)

    def test_what_comes_behind_is_bounded(self) -> None:
        self.ask("GET /wait")
        for _ in range(70):
            self.session.dataReceived(b"x" * 1024)
        self.assertEqual(self.wire.producerState, "paused")

    def test_a_chunked_body(self) -> None:
        (answer,) = self.ask("POST /", "Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n")
        self.assertEqual(answer.body, b"abc")

    def test_the_client_wants_to_end(self) -> None:
        (answer,) = self.ask("GET /", "Connection: close\r\n")
        self.assertEqual(answer.fields["connection"], "close")
        self.assertTrue(self.wire.disconnecting)

    def test_a_mistake_of_ours(self) -> None:
        (answer,) = self.ask("GET /broken")
        self.assertEqual((answer.status, json.loads(answer.body)["status"]), (500, 500))
        self.assertNotIn(b"RuntimeError", answer.body)
        self.assertIn("a mistake of ours", "".join(self.lines))
        self.assertEqual(self.ask("GET /")[0].status, 200)

    def test_a_mistake_in_the_middle_of_an_answer(self) -> None:
        self.wire.clear()
        self.session.dataReceived(b"GET /half HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(self.wire.aborted)


class Bounds(HttpCase):
    def test_a_body_beyond_the_limit(self) -> None:
        for fields, body in (
            (f"Content-Length: {MAX_BODY_OCTETS + 1}\r\n", b"x"),
            (
                "Transfer-Encoding: chunked\r\n",
                b"10001\r\n" + b"x" * (MAX_BODY_OCTETS + 1) + b"\r\n0\r\n\r\n",
            ),
        ):
            self.session, self.wire = self.connect()
            (answer,) = self.ask("POST /", fields, body)
            self.assertEqual((answer.status, answer.fields["connection"]), (413, "close"))
            self.assertIn("has more than", json.loads(answer.body)["detail"])
            self.assertTrue(self.wire.disconnecting)
        self.assertEqual(self.asked, [])

    def test_a_body_at_the_limit(self) -> None:
        (answer,) = self.ask("POST /", f"Content-Length: {MAX_BODY_OCTETS}\r\n", b"x" * MAX_BODY_OCTETS)
        self.assertEqual(len(answer.body), MAX_BODY_OCTETS)

    def test_what_is_no_http(self) -> None:
        for octets in (
            b"EHLO example.net\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n",
            b"y" * 20_000,
        ):
            with self.subTest(octets=octets[:40]):
                self.session, self.wire = self.connect()
                self.session.dataReceived(octets)
                self.assertEqual([each.status for each in heard(self.wire.value())], [400])
                self.assertTrue(self.wire.disconnecting)
        self.assertEqual(self.asked, [])


class Time(HttpCase):
    def test_a_request_that_takes_too_long(self) -> None:
        self.session.dataReceived(b"GET / HTTP/1.1\r\n")
        for _ in range(int(REQUEST_TIMEOUT)):
            self.session.dataReceived(b"X: y\r\n")
            self.clock.advance(1.0)
        self.assertEqual([each.status for each in heard(self.wire.value())], [408])
        self.assertTrue(self.wire.disconnecting)
        self.clock.advance(CLOSE_TIMEOUT)
        self.assertTrue(self.wire.aborted)

    def test_so_with_the_second_request(self) -> None:
        self.ask("GET /")
        self.clock.advance(IDLE - 1.0)
        self.wire.clear()
        self.session.dataReceived(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        for _ in range(int(REQUEST_TIMEOUT)):
            self.assertFalse(self.wire.disconnecting)
            self.session.dataReceived(b"x")
            self.clock.advance(1.0)
        self.assertEqual([each.status for each in heard(self.wire.value())], [408])

    def test_nobody_asks(self) -> None:
        self.clock.advance(REQUEST_TIMEOUT)
        self.assertEqual((self.wire.value(), self.wire.disconnecting), (b"", True))

    def test_nobody_asks_again(self) -> None:
        self.ask("GET /")
        self.clock.advance(IDLE - 1.0)
        self.assertFalse(self.wire.disconnecting)
        self.clock.advance(1.0)
        self.assertTrue(self.wire.disconnecting)

    def test_an_answer_that_is_long_in_coming(self) -> None:
        self.ask("GET /wait")
        for _ in range(20):
            self.clock.advance(IDLE)
        self.assertFalse(self.wire.disconnecting)
        self.waits[0].callback(None)
        self.assertEqual(heard(self.wire.value())[0].status, 200)

    def test_a_client_that_does_not_read_is_cut(self) -> None:
        self.session.dataReceived(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        self.session._flow.pauseProducing()
        self.assertTrue(self.session.is_choked)
        self.clock.advance(IDLE)
        self.assertTrue(self.wire.aborted)


class Ends(HttpCase):
    def test_the_client_goes_while_it_is_answered(self) -> None:
        for method in ("GET", "POST"):
            self.session, self.wire = self.connect()
            self.ask(f"{method} /wait")
            self.session.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.ended, ["GET"], "what changes something comes to its end")
        self.waits[1].callback(None)
        self.assertEqual(self.ended, ["GET", "POST"])
        self.assertEqual(len(self.factory.sessions), 1)
        self.assertNotIn(" error ", "".join(self.lines))

    def test_the_service_stops(self) -> None:
        idle = self.connect()[1]
        self.ask("GET /wait")
        stream, stream_wire = self.connect()
        stream.dataReceived(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        drained = Deferred.fromCoroutine(self.factory.drain())
        self.assertTrue(idle.disconnecting)
        self.assertTrue(stream_wire.disconnecting)
        self.assertTrue(stream_wire.value().endswith(b"3\r\ntwo\r\n0\r\n\r\n"))
        self.assertFalse(self.wire.disconnecting)
        self.waits[0].callback(None)
        self.assertEqual(heard(self.wire.value())[0].status, 200)
        self.assertTrue(self.wire.disconnecting)
        for session in list(self.factory.sessions):
            session.connectionLost(Failure(ConnectionLost()))
        self.assertTrue(drained.called)

    def test_the_client_sends_no_more(self) -> None:
        """A short answer comes all the same; one that goes on ends."""
        self.ask("GET /wait")
        stream, stream_wire = self.connect()
        stream.dataReceived(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        for session in (self.session, stream):
            session.readConnectionLost()
        self.assertTrue(stream_wire.value().endswith(b"3\r\ntwo\r\n0\r\n\r\n"))
        self.assertTrue(stream_wire.disconnecting)
        self.assertFalse(self.wire.disconnecting)
        self.waits[0].callback(None)
        self.assertEqual(heard(self.wire.value())[0].status, 200)
        self.assertTrue(self.wire.disconnecting)

    def test_it_is_cut(self) -> None:
        self.session.known_as(Address("joe", "example.net"), "phone", "BASIC")
        self.session.dataReceived(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        self.session.abort("the device was removed")
        self.assertTrue(self.wire.aborted)
        self.assertEqual(
            (self.session.account, self.session.device), (Address("joe", "example.net"), "phone")
        )
