"""Which way an account is followed, and when another one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client.follower import FIRST_WAIT, LONGEST_WAIT, MISSING_WAIT, Follower, Transport
from mailsuite.client.kept import Kept
from mailsuite.client.news import News
from mailsuite.client.pop3 import LoginRefused, Look
from mailsuite.client.stream import StreamBroken, StreamMissing
from mailsuite.client.verifier import BASE_SECONDS, GRACE_SECONDS, POLL_SECONDS, Verifier
from mailsuite.model.notice import Kind
from mailsuite.wire.sse import Event

ALICE = "alice@example.org"


@attrs.define(eq=False)
class Stream:
    """Follows as the test says."""

    follows: list[tuple[str, Callable[[], None], Callable[[Event], None], Deferred[None]]] = attrs.field(
        factory=list
    )
    moved: Callable[[str], None] = print

    async def follow(
        self,
        last_id: str,
        opened: Callable[[], None],
        heard: Callable[[Event], None],
        moved: Callable[[str], None],
    ) -> None:
        ended: Deferred[None] = Deferred()
        self.follows.append((last_id, opened, heard, ended))
        self.moved = moved
        await ended

    def open(self) -> None:
        self.follows[-1][1]()

    def hear(self, data: object = None, type: str = "mail", id: str | None = "1") -> None:
        self.follows[-1][2](Event(json.dumps(data), type, id))
        if id is not None:
            self.moved(id)

    def end(self, error: Exception) -> None:
        self.follows[-1][3].errback(error)


class FollowerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.stream = Stream()
        self.news: list[News] = []
        self.gone = 0
        self.troubles: list[str | None] = []
        self.listens: list[bool] = []
        self.looks = 0
        self.present = ["old"]
        self.kept = Kept(Path("/dev/null/nowhere"))
        self.kept.looked(["old"])
        self.kept.last_id = "900"

    def follow(self, transport: Transport = Transport.AUTO) -> None:
        verifier = Verifier(self.clock, self.look, self.kept, ALICE, self.news.append, lambda words: None)
        self.follower = Follower(
            self.clock,
            ALICE,
            transport,
            self.stream,
            verifier,
            self.kept,
            self.news.append,
            self.went,
            self.troubles.append,
            self.listens.append,
            lambda: 0.5,
        )
        self.verifying = Deferred.fromCoroutine(verifier.run())
        self.following = Deferred.fromCoroutine(self.follower.follow())
        self.addCleanup(self.stop)

    def stop(self) -> None:
        for running in (self.verifying, self.following):
            running.addErrback(lambda _: None)
            running.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def look(self) -> Look:
        self.looks += 1
        return Look(tuple(self.present))

    def went(self) -> None:
        self.gone += 1

    def counts(self) -> list[int]:
        return [each.count for each in self.news]

    def test_the_stream_alone_while_it_is_there(self) -> None:
        self.follow()
        self.stream.open()
        self.stream.hear({"type": "mail.new", "count": 2, "id": "ev_1"})
        self.clock.advance(10 * POLL_SECONDS)
        self.follower.knocked()
        self.assertEqual((self.counts(), self.looks), ([2], 0))
        self.assertEqual(self.listens, [False])
        self.assertTrue(self.follower.is_live)

    def test_each_notice_is_shown_once(self) -> None:
        self.follow()
        self.stream.open()
        for number in ("1", "2", "3"):
            self.stream.hear({"type": "mail.new", "count": 1, "id": "ev_1"}, id=number)
        self.assertEqual(self.counts(), [1])

    def test_it_goes_on_where_it_was(self) -> None:
        self.follow()
        self.stream.open()
        self.stream.hear({"type": "mail.new", "id": "ev_1"}, id="912")
        self.stream.hear({}, "ping", id="912")
        self.stream.end(StreamBroken("gone"))
        self.clock.advance(FIRST_WAIT)
        self.assertEqual([each[0] for each in self.stream.follows], ["900", "912"])

    def test_a_short_break_opens_no_port_and_looks_at_nothing(self) -> None:
        self.follow()
        self.stream.open()
        self.stream.end(StreamBroken("gone"))
        self.clock.advance(FIRST_WAIT)
        self.stream.open()
        self.assertEqual((self.listens, self.looks), ([False, False], 0))

    def test_without_a_stream_it_listens_and_looks(self) -> None:
        self.follow()
        self.stream.end(ConnectionRefusedError())
        self.assertEqual((self.listens, self.looks), ([True], 1))
        self.assertEqual(self.troubles, ["nothing listens there"])
        self.present.append("new")
        self.follower.knocked()
        self.assertEqual(self.counts(), [1])
        self.present.append("newer")
        self.clock.advance(POLL_SECONDS)
        self.assertEqual(self.counts(), [1, 1])

    def test_what_the_stream_told_is_not_told_again_without_it(self) -> None:
        self.follow()
        self.stream.open()
        self.stream.hear({"type": "mail.new", "count": 1, "id": "ev_1"})
        self.present.append("new")
        self.stream.end(StreamBroken("gone"))
        self.clock.advance(FIRST_WAIT)
        self.stream.end(ConnectionRefusedError())
        self.assertEqual((self.looks, self.counts()), (1, [1]))

    def test_the_stream_takes_over_again(self) -> None:
        self.follow()
        self.stream.end(ConnectionRefusedError())
        self.clock.advance(FIRST_WAIT)
        self.stream.open()
        looks = self.looks
        self.clock.advance(10 * POLL_SECONDS)
        self.assertEqual((self.listens, self.looks), ([True, False], looks))
        self.assertEqual(self.troubles[-1], None)

    def test_failures_are_waited_for_longer_and_longer(self) -> None:
        self.follow(Transport.STREAM)
        waits = []
        for _ in range(10):
            self.stream.end(ConnectionRefusedError())
            (call,) = self.clock.getDelayedCalls()
            waits.append(call.getTime() - self.clock.seconds())
            self.clock.advance(waits[-1])
        self.assertEqual(waits[:4], [5.0, 10.0, 20.0, 40.0])
        self.assertEqual(waits[-1], LONGEST_WAIT)
        self.assertEqual((self.looks, self.listens), (0, []))

    def test_the_server_says_how_long(self) -> None:
        self.follow(Transport.STREAM)
        self.stream.end(StreamBroken("busy", 600.0))
        self.clock.advance(599)
        self.assertEqual(len(self.stream.follows), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.stream.follows), 2)

    def test_a_server_without_a_stream_is_asked_rarely(self) -> None:
        self.follow()
        self.stream.end(StreamMissing("none"))
        self.clock.advance(MISSING_WAIT - 1)
        self.assertEqual(len(self.stream.follows), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.stream.follows), 2)

    def test_a_gap_is_looked_at(self) -> None:
        self.follow()
        self.stream.open()
        self.present += ["a", "b"]
        self.stream.hear({}, "resync")
        self.clock.advance(GRACE_SECONDS)
        self.assertEqual((self.looks, self.counts()), (1, [2]))

    def test_mail_that_was_fetched_elsewhere(self) -> None:
        self.follow()
        self.stream.open()
        self.stream.hear({"type": "mail.cleared", "id": "ev_1"}, "cleared")
        self.assertEqual((self.gone, self.news), (1, []))

    def test_other_news(self) -> None:
        self.follow()
        self.stream.open()
        self.stream.hear({"type": "quota.reached", "id": "ev_1", "detail": "95 %"}, "quota")
        self.stream.hear({"type": "something.later", "id": "ev_2"}, "later")
        self.assertEqual([each.kind for each in self.news], [Kind.QUOTA_REACHED])
        self.assertEqual(self.kept.told, 0)

    def test_what_cannot_be_read_is_told_and_passed_over(self) -> None:
        self.follow()
        self.stream.open()
        self.stream.hear([1])
        self.stream.hear({"type": "mail.new", "count": 0, "id": "ev_0"}, id=None)
        self.stream.hear({"type": "mail.new", "id": "ev_1"})
        self.assertEqual(self.counts(), [1])
        self.assertIn("the server sends a notice that cannot be read", self.troubles)

    def test_knocks_alone(self) -> None:
        self.follow(Transport.LISTENER)
        self.clock.advance(10 * POLL_SECONDS)
        self.assertEqual((self.stream.follows, self.looks, self.listens), ([], 1, [True]))
        self.present.append("new")
        self.follower.knocked()
        self.assertEqual((self.looks, self.counts()), (2, [1]))

    def test_what_came_before_a_stream_that_was_never_there_is_looked_at(self) -> None:
        self.kept.last_id = ""
        self.present.append("since enrolling")
        self.follow()
        self.stream.open()
        self.clock.advance(GRACE_SECONDS)
        self.assertEqual((self.looks, self.counts()), (1, [1]))

    def test_what_was_looked_at_is_not_told_again_by_the_stream(self) -> None:
        """After a time without it, it begins with what comes from now on; what came between is looked at."""
        self.follow()
        self.stream.end(ConnectionRefusedError())
        self.present.append("polled")
        self.clock.advance(POLL_SECONDS)
        self.present.append("between")
        self.stream.open()
        self.clock.advance(GRACE_SECONDS)
        self.assertEqual(self.stream.follows[-1][0], "")
        self.assertEqual(self.counts(), [1, 1])

    def test_what_was_told_and_fetched_does_not_hide_what_comes_then(self) -> None:
        self.follow()
        self.stream.open()
        self.stream.hear({"type": "mail.new", "count": 3, "id": "ev_1"}, id="901")
        self.stream.hear({"type": "mail.cleared", "id": "ev_2"}, "cleared", id="902")
        self.present.append("new")
        self.stream.end(StreamBroken("gone"))
        self.clock.advance(FIRST_WAIT)
        self.stream.end(ConnectionRefusedError())
        self.assertEqual(self.counts(), [3, 1])

    def test_while_it_is_there_what_it_keeps_quiet_about_is_kept_up_with(self) -> None:
        self.follow()
        self.stream.open()
        self.present += ["junk", "list"]
        self.clock.advance(BASE_SECONDS)
        self.stream.end(StreamBroken("gone"))
        self.clock.advance(FIRST_WAIT)
        self.stream.end(ConnectionRefusedError())
        self.assertEqual((self.looks, self.counts()), (2, []))

    def test_polls_alone(self) -> None:
        self.follow(Transport.POLL)
        self.assertEqual((self.stream.follows, self.looks, self.listens), ([], 1, []))
        self.follower.knocked()
        self.assertEqual(self.looks, 1)

    def test_a_password_that_is_refused_ends_it(self) -> None:
        self.follow()
        self.stream.end(LoginRefused("no"))
        self.failureResultOf(self.following, LoginRefused)
