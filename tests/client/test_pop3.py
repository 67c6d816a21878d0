"""A look at a maildrop, against a server that answers by a script."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client.pop3 import ANSWER_SECONDS, Login, LoginRefused, Look, TryLater, look
from mailsuite.client.pop3_replies import MAX_LINE, MAX_LISTING, NotPop3, Reply, ReplyReader

ALICE = Login("alice@example.org", "amber-river-violet-anchor")


@attrs.define(eq=False)
class Script:
    """An endpoint whose server says one thing after the other."""

    answers: Sequence[bytes]
    piece: int = 1000
    transport: StringTransport = attrs.field(factory=StringTransport)
    protocol: object = None

    def connect(self, factory: IProtocolFactory) -> Deferred[object]:
        self.protocol = factory.buildProtocol(None)
        left = iter(self.answers)
        transport = self.transport
        heard = transport.write

        def write(data: bytes) -> None:
            heard(data)
            say(next(left, b""))

        def say(answer: bytes) -> None:
            clock.callLater(0, deliver, answer)

        def deliver(answer: bytes) -> None:
            for begin in range(0, len(answer), self.piece):
                self.protocol.dataReceived(answer[begin : begin + self.piece])

        clock = self.clock
        transport.write = write
        self.protocol.makeConnection(transport)
        say(next(left))
        return succeed(self.protocol)

    clock: Clock = attrs.field(factory=Clock)

    def run(self) -> Deferred[Look]:
        looked = Deferred.fromCoroutine(look(self, self.clock, ALICE))
        for _ in range(20):
            self.clock.advance(0)
        return looked


HELLO = b"+OK ready\r\n"
NO_CAPA = b"-ERR what?\r\n"
OK = b"+OK\r\n"
UIDLS = b"+OK\r\n1 aaa\r\n2 ..bbb\r\n.\r\n"
CAPA = b"+OK\r\nTOP\r\nLOGIN-DELAY 600 USER\r\nUIDL\r\n.\r\n"


class LookTests(SynchronousTestCase):
    def looked(self, *answers: bytes, piece: int = 1000) -> Look:
        self.script = Script(answers, piece)
        return self.successResultOf(self.script.run())

    def refused(self, *answers: bytes) -> Exception:
        self.script = Script(answers)
        return self.failureResultOf(self.script.run()).value

    def test_what_is_there(self) -> None:
        found = self.looked(HELLO, NO_CAPA, OK, OK, NO_CAPA, UIDLS, OK)
        self.assertEqual(found, Look(("aaa", "..bbb"), 0.0))
        said = self.script.transport.value().decode()
        self.assertEqual(
            said.split("\r\n"),
            ["CAPA", "USER alice@example.org", f"PASS {ALICE.password}", "CAPA", "UIDL", "QUIT", ""],
        )

    def test_in_pieces(self) -> None:
        for piece in (1, 2, 7):
            found = self.looked(HELLO, CAPA, OK, OK, CAPA, UIDLS, OK, piece=piece)
            self.assertEqual(found, Look(("aaa", "..bbb"), 600.0))

    def test_the_connection_is_closed_however_it_went(self) -> None:
        self.looked(HELLO, NO_CAPA, OK, OK, NO_CAPA, UIDLS, OK)
        self.assertTrue(self.script.transport.disconnected)
        self.refused(b"-ERR go away\r\n")
        self.assertTrue(self.script.transport.disconnected)

    def test_a_delay_that_only_the_user_is_told(self) -> None:
        own = b"+OK\r\nLOGIN-DELAY 1800\r\n.\r\n"
        self.assertEqual(self.looked(HELLO, CAPA, OK, OK, own, UIDLS, OK).login_delay, 1800.0)

    def test_a_server_without_uidl(self) -> None:
        listed = b"+OK\r\n1 120\r\n2 3000\r\n.\r\n"
        found = self.looked(HELLO, NO_CAPA, OK, OK, NO_CAPA, NO_CAPA, listed, OK)
        self.assertEqual(found.messages, ("1 120", "2 3000"))

    def test_a_server_that_lists_nothing(self) -> None:
        error = self.refused(HELLO, NO_CAPA, OK, OK, NO_CAPA, NO_CAPA, NO_CAPA)
        self.assertIsInstance(error, TryLater)

    def test_a_wrong_password_and_a_wrong_name(self) -> None:
        for answers in ([OK, b"-ERR [AUTH] no\r\n"], [OK, b"-ERR no\r\n"], [b"-ERR no\r\n"]):
            error = self.refused(HELLO, NO_CAPA, *answers)
            self.assertIsInstance(error, LoginRefused)
            self.assertNotIn(ALICE.password, str(error))

    def test_what_passes_by_itself(self) -> None:
        for code in (b"[IN-USE]", b"[in-use]", b"[SYS/TEMP]"):
            self.assertIsInstance(self.refused(HELLO, NO_CAPA, OK, b"-ERR " + code + b" x\r\n"), TryLater)

    def test_too_many_logins(self) -> None:
        error = self.refused(HELLO, CAPA, OK, b"-ERR [LOGIN-DELAY] wait\r\n")
        self.assertIsInstance(error, TryLater)
        self.assertEqual(error.after, 600.0)

    def test_a_server_that_will_not_talk(self) -> None:
        self.assertIsInstance(self.refused(b"-ERR [SYS/TEMP] later\r\n"), TryLater)

    def test_something_else(self) -> None:
        for said in (b"220 smtp ready\r\n", b"x" * (MAX_LINE + 1), b"+OK\r\n+OK\r\n"):
            self.assertIsInstance(self.refused(said), NotPop3)

    def test_one_that_speaks_unasked(self) -> None:
        script = Script([HELLO])
        script.transport.write = lambda data: None
        looked = Deferred.fromCoroutine(look(script, script.clock, ALICE))
        script.clock.advance(0)
        script.protocol._waiting = None
        script.protocol.dataReceived(b"+OK\r\n")
        self.assertTrue(script.transport.disconnected)
        looked.cancel()
        self.failureResultOf(looked)

    def test_one_that_falls_silent(self) -> None:
        script = Script([HELLO, b""])
        looked = script.run()
        self.assertNoResult(looked)
        script.clock.advance(ANSWER_SECONDS)
        self.failureResultOf(looked, TookTooLong)
        self.assertTrue(script.transport.disconnected)

    def test_one_that_goes_away(self) -> None:
        script = Script([HELLO, b""])
        looked = script.run()
        script.protocol.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(looked, ConnectionDone)

    def test_one_that_has_gone_between_two_commands(self) -> None:
        script = Script([HELLO, NO_CAPA])
        looked = Deferred.fromCoroutine(look(script, script.clock, ALICE))
        script.protocol.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(looked, ConnectionDone)

    def test_a_line_end_in_a_password_is_no_second_command(self) -> None:
        script = Script([HELLO, NO_CAPA, OK])
        sly = Login("alice", "x\r\nDELE 1")
        looked = Deferred.fromCoroutine(look(script, script.clock, sly))
        for _ in range(9):
            script.clock.advance(0)
        self.failureResultOf(looked, LoginRefused)
        self.assertNotIn(b"DELE", script.transport.value())


def test_the_password_is_not_shown() -> None:
    assert ALICE.password not in repr(ALICE)


@pytest.mark.parametrize(
    ("text", "code"),
    [("[AUTH] no", "AUTH"), ("[sys/temp]", "SYS/TEMP"), ("no [AUTH]", ""), ("[", ""), ("", "")],
)
def test_codes(text: str, code: str) -> None:
    assert Reply(False, text).code == code


def test_a_list_has_a_bound() -> None:
    reader = ReplyReader()
    assert reader.feed(b"+OK\r\n", True) is None
    line = b"1 " + b"x" * 1000 + b"\r\n"
    listing = line * (MAX_LISTING // len(line) + 1)
    with pytest.raises(NotPop3, match="list"):
        reader.feed(listing, True)


def test_a_line_has_one_too() -> None:
    with pytest.raises(NotPop3, match="too long"):
        ReplyReader().feed(b"+OK " + b"x" * MAX_LINE + b"\n", False)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)), st.booleans())
def test_cuts_change_nothing(said: bytes, cuts: list[int], is_multiline: bool) -> None:
    def read(pieces: list[bytes]) -> object:
        reader = ReplyReader()
        for piece in pieces:
            try:
                reply = reader.feed(piece, is_multiline)
            except NotPop3:
                return NotPop3
            if reply is not None:
                return reply
        return None

    places = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    whole, cut = read([said]), read([said[a:b] for a, b in itertools.pairwise(places)])
    # What follows an answer is told only of what has come by then.
    assert cut == whole or whole is NotPop3
