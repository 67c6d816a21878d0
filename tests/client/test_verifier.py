"""When the server is asked, and what is told."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client.kept import Kept
from mailsuite.client.news import News
from mailsuite.client.pop3 import LoginRefused, Look, TryLater
from mailsuite.client.verifier import BASE_SECONDS, GRACE_SECONDS, POLL_SECONDS, RETRIES, Verifier, Why

ALICE = "alice@example.org"


class VerifierTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.looks: list[Deferred[Look]] = []
        self.news: list[int] = []
        self.troubles: list[str | None] = []
        kept = Kept(Path("/dev/null/nowhere"))
        kept.looked(["old"])
        self.verifier = Verifier(self.clock, self.look, kept, ALICE, self.tell, self.troubles.append)
        self.running = Deferred.fromCoroutine(self.verifier.run())
        self.addCleanup(self.stop)

    def stop(self) -> None:
        self.running.addErrback(lambda _: None)
        self.running.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def look(self) -> Deferred[Look]:
        self.looks.append(Deferred())
        return self.looks[-1]

    def tell(self, news: News) -> None:
        self.assertEqual((news.account, news.source), (ALICE, "pop3"))
        self.news.append(news.count)

    def found(self, *messages: str, delay: float = 0.0) -> None:
        self.looks[-1].callback(Look(messages, delay))

    def test_nothing_is_asked_without_a_reason(self) -> None:
        self.clock.advance(10 * POLL_SECONDS)
        self.assertEqual(self.looks, [])

    def test_a_knock_with_mail_behind_it(self) -> None:
        self.verifier.ask(Why.KNOCK)
        self.found("old", "new", "newer")
        self.assertEqual(self.news, [2])
        self.assertEqual(self.verifier.counters.spurious, 0)

    def test_a_knock_with_nothing_behind_it_shows_nothing(self) -> None:
        self.verifier.ask(Why.KNOCK)
        self.found("old")
        self.assertEqual(self.news, [])
        self.assertEqual(self.verifier.counters.spurious, 1)

    def test_a_poll_that_finds_nothing_is_not_spurious(self) -> None:
        self.verifier.poll_for(Why.POLL)
        self.found("old")
        self.assertEqual(self.verifier.counters.spurious, 0)

    def test_one_look_at_a_time_and_one_more_for_all_that_came_meanwhile(self) -> None:
        for _ in range(10):
            self.verifier.ask(Why.KNOCK)
        self.assertEqual(len(self.looks), 1)
        self.found("old")
        self.assertEqual(len(self.looks), 2)
        self.found("old", "new")
        self.assertEqual((len(self.looks), self.news), (2, [1]))

    def test_polling(self) -> None:
        self.verifier.poll_for(Why.POLL)
        self.verifier.poll_for(Why.POLL)
        self.found("old")
        self.clock.advance(POLL_SECONDS - 1)
        self.assertEqual(len(self.looks), 1)
        self.clock.advance(1)
        self.found("old", "new")
        self.assertEqual(self.news, [1])
        self.verifier.poll_for(Why.BASE)
        self.clock.advance(BASE_SECONDS - 1)
        self.assertEqual(len(self.looks), 2)

    def test_while_the_stream_is_there_it_only_keeps_up(self) -> None:
        self.verifier.poll_for(Why.BASE)
        self.clock.advance(BASE_SECONDS)
        self.found("old", "told by the stream", "and what it keeps quiet about")
        self.assertEqual(self.news, [])
        self.verifier.poll_for(Why.POLL)
        self.found("old", "told by the stream", "and what it keeps quiet about", "new")
        self.assertEqual(self.news, [1])
        self.assertEqual(len(self.looks), 2)

    def test_the_stream_speaks_first(self) -> None:
        """What came in the moment it began is found by both, and told by the stream alone."""
        self.verifier.poll_for(Why.BASE)
        self.verifier.ask(Why.GAP)
        self.found("old", "missed", "told by the stream in a moment")
        self.verifier.kept.told += 1
        self.assertEqual(self.news, [])
        self.clock.advance(GRACE_SECONDS)
        self.assertEqual(self.news, [1])

    def test_what_comes_when_the_stream_goes_is_told(self) -> None:
        self.verifier.poll_for(Why.BASE)
        self.clock.advance(BASE_SECONDS)
        self.verifier.poll_for(Why.POLL)  # while it looks only to keep up
        self.found("old", "new")
        self.assertEqual(self.news, [1])

    def test_keeping_up_gives_way(self) -> None:
        self.verifier.ask(Why.GAP)
        self.verifier.ask(Why.BASE)
        self.verifier.ask(Why.POLL)
        self.found("old")
        self.found("old", "new")
        self.assertEqual(self.news, [1])

    def test_keeping_up_does_not_take_a_knocks_place(self) -> None:
        self.verifier.poll_for(Why.BASE)
        self.clock.advance(BASE_SECONDS)
        self.verifier.ask(Why.GAP)
        self.found("old")
        self.found("old", "new")
        self.clock.advance(GRACE_SECONDS)
        self.assertEqual(self.news, [1])

    def test_the_server_wants_fewer_logins(self) -> None:
        self.verifier.poll_for(Why.POLL)
        self.found("old", delay=1800)
        self.clock.advance(1799)
        self.assertEqual(len(self.looks), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.looks), 2)

    def test_a_knock_need_not_wait_for_the_poll(self) -> None:
        self.verifier.poll_for(Why.POLL)
        self.found("old", delay=1800)
        self.verifier.ask(Why.KNOCK)
        self.assertEqual(len(self.looks), 2)

    def test_a_look_for_a_knock_that_fails_is_tried_again_a_few_times(self) -> None:
        self.verifier.ask(Why.KNOCK)
        for number, wait in enumerate(RETRIES, start=1):
            self.looks[-1].errback(TryLater("busy"))
            self.clock.advance(wait - 0.1)
            self.assertEqual(len(self.looks), number)
            self.clock.advance(0.1)
            self.assertEqual(len(self.looks), number + 1)
        self.looks[-1].errback(TryLater("busy"))
        self.clock.advance(86_400)
        self.assertEqual(len(self.looks), len(RETRIES) + 1)
        self.assertEqual(self.verifier.counters.failures, len(RETRIES) + 1)

    def test_it_is_still_a_knock_then(self) -> None:
        self.verifier.ask(Why.KNOCK)
        self.looks[-1].errback(ConnectionRefusedError())
        self.clock.advance(RETRIES[0])
        self.found("old")
        self.assertEqual(self.verifier.counters.spurious, 1)
        self.assertEqual(self.troubles, ["nothing listens there", None])

    def test_the_server_says_how_long_to_wait(self) -> None:
        self.verifier.ask(Why.KNOCK)
        self.looks[-1].errback(TryLater("too often", 600))
        self.clock.advance(599)
        self.assertEqual(len(self.looks), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.looks), 2)

    def test_polls_that_fail_go_on(self) -> None:
        self.verifier.poll_for(Why.POLL)
        for number in range(1, 6):
            self.assertEqual(len(self.looks), number)
            self.looks[-1].errback(ConnectionRefusedError())
            self.clock.advance(POLL_SECONDS)
        self.assertEqual(self.news, [])

    def test_a_gap_of_the_stream_is_looked_at(self) -> None:
        self.verifier.ask(Why.GAP)
        self.found("old", "new")
        self.assertEqual((self.news, self.verifier.counters.spurious), ([1], 0))

    def test_a_poll_does_not_take_a_knocks_place(self) -> None:
        self.verifier.ask(Why.KNOCK)
        self.verifier.ask(Why.KNOCK)
        self.verifier.ask(Why.POLL)
        self.found("old")
        self.found("old")
        self.assertEqual(self.verifier.counters.spurious, 2)

    def test_a_password_that_is_refused_ends_it(self) -> None:
        self.verifier.poll_for(Why.POLL)
        self.looks[-1].errback(LoginRefused("no"))
        self.failureResultOf(self.running, LoginRefused)
        self.verifier.ask(Why.KNOCK)
        self.assertEqual(len(self.looks), 1)
