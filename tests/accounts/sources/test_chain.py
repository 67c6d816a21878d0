"""Who is asked, in what order, and what becomes of sources that do not answer."""

from __future__ import annotations

from twisted.cred.error import LoginDenied, UnhandledCredentials
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.sources.health import FAILURES_UNTIL_SPARED, MAX_UNDER_WAY
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, OVERLOADED
from tests.accounts.sources.fakes import ANN, JOE, SECRET, Scripted, source


class ChainCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.lines = []
        self.one, self.two = Scripted(), Scripted("other")
        self.sources = Sources([self.source(self.one), self.source(self.two, name="two")])

    def source(self, checker, **other):
        return source(checker, self.clock, self.lines, **other)

    def check(self, password=SECRET, address=JOE):
        return Deferred.fromCoroutine(self.sources.check(address, password))

    def says(self, password=SECRET, address=JOE):
        return self.successResultOf(self.check(password, address))

    def is_down(self, password=SECRET, address=JOE):
        return self.failureResultOf(self.check(password, address), TemporaryFailure).value


class OrderTests(ChainCase):
    def test_the_first_that_says_yes_wins(self):
        self.assertTrue(self.says(SECRET))
        self.assertEqual(len(self.two.asked), 0)
        self.assertTrue(self.says("other"))
        self.assertFalse(self.says("wrong"))
        self.assertEqual(self.one.asked[-1], (b"joe@example.net", b"wrong"))
        self.assertEqual(self.two.asked[-1], (b"joe@example.net", b"wrong"))

    def test_only_those_of_the_domain_are_asked(self):
        self.sources.sources[0].domains = frozenset({"example.org"})
        self.assertTrue(self.says(SECRET, ANN))
        self.assertFalse(self.says(SECRET, JOE))
        self.assertEqual(self.one.asked, [(b"ann@example.org", SECRET.encode())])

    def test_without_a_source_nothing_is_served(self):
        self.assertTrue(self.sources.serves(JOE))
        self.assertFalse(Sources().serves(JOE))
        only = Sources([self.source(self.one, domains=frozenset({"example.org"}))])
        self.assertFalse(only.serves(JOE))
        self.assertTrue(only.serves(ANN))

    def test_a_name_is_asked_for_as_the_source_knows_it(self):
        self.sources = Sources([self.source(self.one, username="local")])
        self.assertTrue(self.says())
        self.assertEqual(self.one.asked, [(b"joe", SECRET.encode())])
        self.sources = Sources([self.source(self.one)])
        self.says("x", Address("jö *(x)", "example.net"))
        self.assertEqual(self.one.asked[-1][0], "jö *(x)@example.net".encode())

    def test_passwords_that_mean_something_else_elsewhere_reach_nobody(self):
        for password in ("", "\0", SECRET + "\0", SECRET + "\0x", "x" * 1025, "\ud800"):
            self.assertFalse(self.says(password))
        self.assertEqual(self.one.asked + self.two.asked, [])

    def test_octets_that_are_no_utf_8_reach_the_source_as_they_came(self):
        self.assertFalse(self.says(b"gr\xfcn".decode("utf-8", "surrogateescape")))
        self.assertEqual(self.one.asked, [(b"joe@example.net", b"gr\xfcn")])


class DownTests(ChainCase):
    def test_no_and_down_is_down(self):
        self.one.raises = RuntimeError("canary")
        failure = self.is_down("wrong")
        self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
        self.assertEqual(failure.detail, "one: RuntimeError")
        self.assertEqual(len(self.two.asked), 1)

    def test_down_and_yes_is_yes(self):
        self.one.raises = RuntimeError("canary")
        self.assertTrue(self.says("other"))

    def test_what_else_a_checker_may_say(self):
        self.two.raises = LoginDenied("no")
        self.assertFalse(self.says("wrong"))
        for error in (UnhandledCredentials(), Refused(), OSError("no"), CancelledError(), KeyError(SECRET)):
            self.one.raises = error
            self.is_down("x" + repr(error)[:5])

    def test_nobody_in_particular_is_no_yes(self):
        for nobody in ((), b"", None):
            self.one.avatar = nobody
            self.sources.forget(JOE)
            self.assertFalse(self.says())

    def test_a_slow_source_is_down_after_its_time(self):
        self.one.held = []
        checking = self.check()
        self.clock.advance(4.99)
        self.assertNoResult(checking)
        self.clock.advance(0.02)
        failure = self.failureResultOf(checking, TemporaryFailure)
        self.assertEqual(failure.value.detail, "one: no answer within 5 seconds")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_checker_that_does_not_hear_of_its_end_may_answer_later(self):
        self.one.held = []
        checking = self.check()
        stubborn = self.one.held[0]
        stubborn._canceller = lambda deferred: deferred.callback(b"joe")  # answers where it should stop
        self.clock.advance(6)
        self.failureResultOf(checking, TemporaryFailure)
        self.one.held = None
        self.assertEqual(self.says("other"), True)

    def test_the_log_says_it_once(self):
        self.one.raises = Refused()
        for number in range(5):
            self.is_down(f"wrong {number}")
        self.one.raises = None
        self.assertTrue(self.says())
        self.says("wrong")
        self.assertEqual([line.split()[2] for line in self.lines], ["source.down", "source.up"])
        self.assertIn("source=one reason=", self.lines[0])
        self.assertIn("failures=5", self.lines[1])

    def test_no_password_is_in_a_line_or_a_failure(self):
        for error in (KeyError(SECRET), RuntimeError(SECRET), TemporaryFailure(DIRECTORY_UNAVAILABLE)):
            self.sources = Sources([self.source(self.one)])
            self.one.raises = error
            checking = self.check()
            failure = self.failureResultOf(checking)
            self.lines.append(failure.getTraceback() + repr(failure.value) + repr(self.sources))
            self.assertIsNone(failure.value.__cause__)
        self.assertNotIn("canary", "".join(self.lines))

    def test_while_it_is_down_one_question_at_a_time_goes_there(self):
        self.one.raises = Refused()
        for number in range(FAILURES_UNTIL_SPARED):
            self.is_down(f"wrong {number}")
        self.one.raises, self.one.held, self.one.asked = None, [], []
        first = self.check("a")
        self.assertEqual(self.is_down("b").detail, "one: is down")
        self.assertEqual(len(self.one.asked), 1)
        self.one.held[0].callback(b"joe")
        self.assertTrue(self.successResultOf(first))
        waiting = [self.check("c"), self.check("d")]
        self.assertEqual(len(self.one.asked), 3)
        for deferred in waiting:
            deferred.cancel()
            self.failureResultOf(deferred, CancelledError)

    def test_busy_threads_of_ours_say_nothing_about_the_source(self):
        self.one.raises = TemporaryFailure(OVERLOADED, "hashing: all are busy")
        self.assertEqual(self.is_down().reply, DIRECTORY_UNAVAILABLE)
        self.assertEqual(self.lines, [])

    def test_questions_at_once_are_bounded(self):
        self.one.held = []
        self.sources = Sources([self.source(self.one)])
        waiting = [self.check(f"x{number}") for number in range(MAX_UNDER_WAY)]
        self.assertIn("64 questions", self.is_down("one more").detail)
        self.assertEqual(len(self.one.asked), MAX_UNDER_WAY)
        for deferred in waiting:
            deferred.addErrback(lambda failure: None).cancel()
        self.one.held = None
        self.assertTrue(self.says())

    def test_a_client_that_goes_away_is_no_failure_of_the_source(self):
        self.one.held = []
        checking = self.check()
        checking.cancel()
        self.failureResultOf(checking, CancelledError)
        self.assertTrue(self.one.held[0].called, "the checker hears of it")
        self.assertEqual(self.lines, [])
        self.assertEqual(self.sources.sources[0].health.failures, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class MemoryTests(ChainCase):
    def test_an_answer_is_not_asked_for_twice(self):
        for _ in range(3):
            self.assertTrue(self.says())
            self.assertFalse(self.says("wrong"))
        self.assertEqual(len(self.one.asked), 2)
        self.clock.advance(11)
        self.assertTrue(self.says())
        self.assertFalse(self.says("wrong"))
        self.assertEqual(len(self.one.asked), 3)
        self.clock.advance(300)
        self.assertTrue(self.says())
        self.assertEqual(len(self.one.asked), 4)

    def test_one_that_is_down_is_not_remembered(self):
        self.one.raises = Refused()
        self.is_down()
        self.one.raises = None
        self.assertTrue(self.says())

    def test_who_was_right_a_short_time_ago_does_not_notice(self):
        self.assertTrue(self.says())
        self.one.raises = Refused()
        self.assertTrue(self.says())

    def test_a_change_empties_it_at_once(self):
        self.assertTrue(self.says())
        self.assertFalse(self.says("new"))
        self.one.password = "new"
        self.sources.forget(JOE)
        self.assertFalse(self.says())
        self.assertTrue(self.says("new"))

    def test_a_change_while_it_is_asked_counts(self):
        self.one.held = []
        checking = self.check()
        self.sources.forget(JOE)
        self.one.held[0].callback(b"joe")
        self.assertTrue(self.successResultOf(checking))
        self.one.held = None
        self.one.password = "new"
        self.assertFalse(self.says())


class ExchangeTests(ChainCase):
    def test_others_take_their_place_and_the_old_ones_can_be_stopped(self):
        closed = []

        async def close():
            closed.append("one")

        self.sources.sources[0].close = close
        old = self.sources.use(Sources([self.source(Scripted("third"))]))
        self.assertTrue(self.says("third"))
        self.assertFalse(self.says(SECRET))
        self.successResultOf(Deferred.fromCoroutine(old.stop()))
        self.assertEqual(closed, ["one"])
        self.successResultOf(Deferred.fromCoroutine(self.sources.stop()))
