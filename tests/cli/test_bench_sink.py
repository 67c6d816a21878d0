"""The sink of ``mailsuite bench``, without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection

from mailsuite.cli.bench_sink import GRACE, IDLE_SECONDS, Count, Manner, Sink, SinkSession

LETTER = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\nDATA\r\n"
BODY = b"Subject: x\r\n\r\n..y\r\n.\r\n"
USUAL = Manner()
OCTETS = len(b"Subject: x\r\n\r\n.y\r\n")


class Wire(StringTransportWithDisconnection):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


class Bench:
    def __init__(self, manner: Manner, drawn: Callable[[], float]) -> None:
        self.clock = Clock()
        self.told = 0
        self.sink = Sink(self.clock, manner, drawn, self.tell)

    def tell(self) -> None:
        self.told += 1

    def connect(self) -> tuple[SinkSession, Wire]:
        session = self.sink.buildProtocol(None)
        wire: Any = Wire()
        wire.protocol = session
        session.makeConnection(wire)
        session.dataReceived(b"EHLO x\r\n")
        wire.clear()
        return session, wire


def bench(manner: Manner = USUAL, *drawn: float) -> Bench:
    draws = list(drawn)
    return Bench(manner, lambda: draws.pop(0) if draws else 0.99)


def test_it_takes_everything_and_counts() -> None:
    made = bench()
    session, wire = made.connect()
    made.clock.advance(2)
    session.dataReceived(LETTER + BODY + LETTER)
    session.dataReceived(BODY + b"QUIT\r\n")
    codes = [line[:3] for line in wire.value().splitlines()]
    assert codes == [b"250", b"250", b"250", b"354", b"250"] * 2 + [b"221"]
    assert made.sink.count == Count(sessions=1, messages=2, recipients=4, octets=2 * OCTETS)
    assert (made.sink.seconds, made.told) == (2, 2)
    assert not wire.connected
    assert made.sink.open == set()
    assert made.clock.getDelayedCalls() == []


@pytest.mark.parametrize(("drawn", "code"), [(0.09, b"554"), (0.1, b"451"), (0.29, b"451"), (0.31, b"250")])
def test_a_share_is_refused(drawn: float, code: bytes) -> None:
    made = bench(Manner(defer=0.2, reject=0.1), drawn)
    session, wire = made.connect()
    session.dataReceived(LETTER + BODY)
    assert wire.value().splitlines()[-1][:3] == code
    count = made.sink.count
    assert (count.messages, count.deferred, count.rejected) == (
        code == b"250",
        code == b"451",
        code == b"554",
    )


def test_a_defective_message_is_refused_whatever_was_drawn() -> None:
    made = bench()
    session, wire = made.connect()
    session.dataReceived(LETTER + b"bare\nline\r\n.\r\n")
    assert wire.value().splitlines()[-1].startswith(b"55")
    assert made.sink.count.rejected == 1


def test_answers_come_late() -> None:
    made = bench(Manner(delay=5))
    session, wire = made.connect()
    session.dataReceived(LETTER + BODY + b"NOOP\r\n")
    wire.clear()
    assert wire.producerState == "paused"
    made.clock.advance(4)
    assert wire.value() == b""
    made.clock.advance(1)
    assert [line[:3] for line in wire.value().splitlines()] == [b"250", b"250"]
    assert wire.producerState == "producing"


def test_who_waits_for_a_late_answer_may_go() -> None:
    made = bench(Manner(delay=5))
    session, wire = made.connect()
    session.dataReceived(LETTER + BODY)
    wire.loseConnection()
    made.clock.advance(5)
    assert (made.told, made.sink.count.messages) == (0, 0)


def test_who_is_silent_is_closed_upon() -> None:
    made = bench()
    _, wire = made.connect()
    made.clock.pump([60.0] * int(IDLE_SECONDS / 60))
    assert wire.value().startswith(b"421 ")
    assert not wire.connected


def test_at_the_end_messages_under_way_are_finished() -> None:
    made = bench()
    _, idle = made.connect()
    busy, wire = made.connect()
    busy.dataReceived(LETTER)
    drained = Deferred.fromCoroutine(made.sink.drained())
    assert idle.value().startswith(b"421 ")
    assert not drained.called
    busy.dataReceived(BODY)
    assert wire.value().splitlines()[-2][:3] == b"250"
    assert wire.value().splitlines()[-1][:3] == b"421"
    assert drained.called
    assert made.clock.getDelayedCalls() == []


def test_nobody_holds_up_the_end() -> None:
    made = bench()
    busy, wire = made.connect()
    busy.dataReceived(LETTER)
    drained = Deferred.fromCoroutine(made.sink.drained())
    made.clock.advance(GRACE)
    assert (wire.aborted, drained.called) == (True, True)
    assert Deferred.fromCoroutine(made.sink.drained()).called
