"""The book has all in memory, what was decided on the disk at once, and where each stands a moment later."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.model.subscription import Attempt, Cursor, Standing, SubscriptionState, preference_id
from mailsuite.notices.memory import MemorySubscriptions
from mailsuite.notify import book as book_module
from mailsuite.notify.book import WRITE_AFTER, WRITE_AGAIN_AFTER, Book
from mailsuite.observe.log import Log
from tests.contracts.subscriptions import ANN, FULL, JOE, NOON, PLAIN

AWAY = TemporaryFailure(DIRECTORY_UNAVAILABLE, "the disk is away")
MINE = preference_id(JOE)


class HeldSubscriptions(MemorySubscriptions):
    """Records when the test says so."""

    def __init__(self):
        super().__init__()
        self.held = []

    async def record(self, cursors, attempts=()):
        gate = Deferred()
        self.held.append(gate)
        cursors, attempts = tuple(cursors), tuple(attempts)
        await gate
        await super().record(cursors, attempts)


class BookTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.lines = []
        self.log = Log(lambda line, urgent: self.lines.append(line))
        self.kept = MemorySubscriptions()
        self.book = self.make_book()

    def make_book(self):
        book = Book(self.kept, self.clock, self.log)
        self.answer(book.load())
        return book

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def fails(self, coroutine, kind=TemporaryFailure):
        self.failureResultOf(Deferred.fromCoroutine(coroutine), kind)

    def on_disk(self):
        """What another process would find."""
        return {each.subscription.id: each for each in self.answer(self.kept.all())}

    def add(self, *subscriptions, acked=0):
        for each in subscriptions:
            self.answer(self.book.add(each, acked))

    def test_nobody_follows_at_first(self):
        self.assertFalse(self.book.follows(JOE))
        self.assertEqual((self.book.of(JOE), self.book.all()), ((), ()))
        self.assertIsNone(self.book.find(PLAIN.id))
        self.assertIsNone(self.book.preference(JOE))

    def test_what_is_added_is_there_and_on_the_disk(self):
        self.add(PLAIN, acked=7)
        standing = Standing(PLAIN, Cursor(PLAIN.id, 7))
        self.assertTrue(self.book.follows(JOE))
        self.assertFalse(self.book.follows(ANN))
        self.assertEqual((self.book.of(JOE), self.book.all()), ((standing,), (standing,)))
        self.assertEqual(self.book.find(PLAIN.id), standing)
        self.assertEqual(self.on_disk(), {PLAIN.id: standing})

    def test_it_knows_at_the_start_what_it_knew(self):
        self.add(PLAIN, FULL, acked=3)
        self.book.keep(Cursor(MINE, 4))
        self.answer(self.book.stop())
        again = self.make_book()
        self.assertEqual(again.all(), self.book.all())
        self.assertTrue(again.follows(JOE))
        self.assertEqual(again.preference(JOE), Cursor(MINE, 4))

    def test_an_account_is_followed_while_anybody_may_be_told(self):
        """FULL has not answered its code yet, and a dead one never comes back."""
        self.add(FULL)
        self.assertFalse(self.book.follows(ANN))
        for state, follows in (
            (SubscriptionState.ACTIVE, True),
            (SubscriptionState.PAUSED, True),
            (SubscriptionState.SUSPENDED, True),
            (SubscriptionState.DEAD, False),
            (SubscriptionState.ACTIVE, True),
        ):
            self.answer(self.book.change(attrs.evolve(FULL, state=state)))
            self.assertEqual(self.book.follows(ANN), follows, state)
        self.add(attrs.evolve(PLAIN, account=ANN))
        self.answer(self.book.remove(FULL.id))
        self.assertTrue(self.book.follows(ANN))
        self.answer(self.book.remove(PLAIN.id))
        self.assertFalse(self.book.follows(ANN))

    def test_a_change_leaves_the_cursor_and_whose_it_is(self):
        self.add(PLAIN, acked=2)
        self.book.keep(Cursor(PLAIN.id, 5))
        self.answer(self.book.change(attrs.evolve(PLAIN, name="new", account=ANN)))
        wanted = Standing(attrs.evolve(PLAIN, name="new"), Cursor(PLAIN.id, 5))
        self.assertEqual(self.book.of(JOE), (wanted,))
        self.assertEqual(self.book.of(ANN), ())

    def test_what_a_device_made_goes_with_it(self):
        theirs = [
            attrs.evolve(PLAIN, id=f"sub_{n}", device=device) for n, device in enumerate(["", "d", "d"])
        ]
        self.add(*theirs, FULL)
        self.book.keep(Cursor(MINE, 4))
        self.assertEqual(self.answer(self.book.remove_of(JOE, "d")), ("sub_1", "sub_2"))
        self.assertEqual([each.subscription.id for each in self.book.of(JOE)], ["sub_0"])
        self.assertIsNotNone(self.book.preference(JOE))
        self.assertEqual(self.answer(self.book.remove_of(JOE)), ("sub_0",))
        self.assertIsNone(self.book.preference(JOE))
        self.assertEqual(list(self.on_disk()), [FULL.id])
        self.assertEqual(self.answer(self.book.remove_of(JOE)), ())

    def test_all_of_a_device_go_though_one_is_gone_already(self):
        self.add(*(attrs.evolve(PLAIN, id=f"sub_{number}", device="d") for number in range(3)))
        self.answer(self.kept.remove("sub_1"))  # by somebody else, who is about to say so
        self.assertEqual(self.answer(self.book.remove_of(JOE, "d")), ("sub_0", "sub_2"))
        self.assertEqual(list(self.on_disk()), [])

    def test_where_it_stands_counts_at_once_and_is_written_a_moment_later(self):
        self.add(PLAIN)
        for seq in (1, 2, 3):
            self.book.keep(Cursor(PLAIN.id, seq), Attempt(PLAIN.id, seq, NOON, 0.1, "ok"))
        self.assertEqual(self.book.find(PLAIN.id).cursor.acked, 3)
        self.assertEqual(self.on_disk()[PLAIN.id].cursor.acked, 0)
        self.clock.advance(WRITE_AFTER)
        self.assertEqual(self.on_disk()[PLAIN.id].cursor.acked, 3)
        self.assertEqual(len(self.answer(self.kept.attempts(PLAIN.id))), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_was_tried_this_moment_can_be_looked_at(self):
        self.add(PLAIN)
        attempt = Attempt(PLAIN.id, 1, NOON, 0.1, "ok")
        self.book.keep(Cursor(PLAIN.id, 1), attempt)
        self.assertEqual(self.answer(self.book.attempts(PLAIN.id)), (attempt,))

    def test_what_came_while_it_wrote_is_written_next(self):
        self.kept = HeldSubscriptions()
        self.book = self.make_book()
        self.add(PLAIN)
        self.book.keep(Cursor(PLAIN.id, 1))
        self.clock.advance(WRITE_AFTER)
        self.book.keep(Cursor(PLAIN.id, 2))
        self.clock.advance(10)
        self.assertEqual(len(self.kept.held), 1)
        self.kept.held[0].callback(None)
        self.clock.advance(WRITE_AFTER)
        self.kept.held[1].callback(None)
        self.assertEqual(self.on_disk()[PLAIN.id].cursor.acked, 2)

    def test_what_could_not_be_written_never_covers_what_came_later(self):
        self.kept = HeldSubscriptions()
        self.book = self.make_book()
        self.add(PLAIN)
        self.book.keep(Cursor(PLAIN.id, 1))
        self.clock.advance(WRITE_AFTER)
        self.book.keep(Cursor(PLAIN.id, 2), Attempt(PLAIN.id, 2, NOON, 0.1, "ok"))
        looking = Deferred.fromCoroutine(self.book.attempts(PLAIN.id))
        self.kept.held[1].callback(None)
        self.assertEqual(len(self.successResultOf(looking)), 1)
        self.kept.held[0].errback(AWAY)
        self.clock.advance(WRITE_AGAIN_AFTER)
        self.kept.held[2].callback(None)
        self.assertEqual(self.on_disk()[PLAIN.id].cursor.acked, 2)

    def test_what_cannot_be_written_is_written_later(self):
        self.patch(book_module, "MAX_ATTEMPTS_WAITING", 3)
        self.add(PLAIN)
        self.kept.refuse_with = AWAY
        for seq in range(1, 6):
            self.book.keep(Cursor(PLAIN.id, seq), Attempt(PLAIN.id, seq, NOON, 0.1, "ok"))
            self.clock.advance(WRITE_AFTER)
        self.assertEqual(len([line for line in self.lines if "notify.cursors_unwritten" in line]), 1)
        self.kept.refuse_with = None
        self.clock.advance(WRITE_AGAIN_AFTER)
        self.assertEqual(self.on_disk()[PLAIN.id].cursor.acked, 5)
        self.assertEqual([each.seq for each in self.answer(self.kept.attempts(PLAIN.id))], [5, 4, 3])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_stops_when_all_is_written(self):
        self.add(PLAIN)
        self.book.keep(Cursor(PLAIN.id, 1))
        self.answer(self.book.stop())
        self.assertEqual(self.on_disk()[PLAIN.id].cursor.acked, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.answer(self.book.stop())

    def test_it_stops_while_it_waits_to_write_again(self):
        self.add(PLAIN)
        self.kept.refuse_with = AWAY
        self.book.keep(Cursor(PLAIN.id, 1))
        self.clock.advance(WRITE_AFTER)
        self.answer(self.book.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(any("notify.cursors_lost" in line for line in self.lines))

    def test_where_what_is_gone_stands_is_nobodys_business(self):
        self.add(PLAIN)
        self.book.keep(Cursor(PLAIN.id, 1), Attempt(PLAIN.id, 1, NOON, 0.1, "ok"))
        self.answer(self.book.remove(PLAIN.id))
        self.book.keep(Cursor(PLAIN.id, 2))
        self.add(PLAIN, acked=9)
        self.clock.advance(WRITE_AFTER)
        self.assertEqual(self.on_disk()[PLAIN.id].cursor.acked, 9)
        self.assertEqual(self.answer(self.book.attempts(PLAIN.id)), ())

    def test_what_cannot_be_written_at_once_has_not_happened(self):
        self.add(PLAIN)
        self.kept.refuse_with = AWAY
        for coroutine in (
            self.book.add(FULL, 0),
            self.book.change(attrs.evolve(PLAIN, name="x")),
            self.book.remove(PLAIN.id),
            self.book.remove_of(JOE),
        ):
            self.fails(coroutine)
        self.assertEqual(self.book.all(), (Standing(PLAIN, Cursor(PLAIN.id)),))

    def test_what_is_not_there_is_refused(self):
        self.add(PLAIN)
        for coroutine in (self.book.add(PLAIN, 0), self.book.change(FULL), self.book.remove(FULL.id)):
            self.fails(coroutine, PermanentFailure)

    def test_who_watches_hears_of_every_change_and_of_no_cursor(self):
        heard, more = [], []
        unwatch = self.book.watch(heard.append)
        self.book.watch(lambda id: 1 // 0)
        self.book.watch(more.append)
        self.add(PLAIN)
        self.book.keep(Cursor(PLAIN.id, 1))
        self.answer(self.book.change(PLAIN))
        unwatch()
        self.answer(self.book.remove(PLAIN.id))
        self.assertEqual((heard, more), ([PLAIN.id] * 2, [PLAIN.id] * 3))
        self.assertEqual(len([line for line in self.lines if "notify.watcher_failed" in line]), 3)
        self.clock.advance(WRITE_AFTER)
        self.flushLoggedErrors()

    def test_a_change_that_comes_too_late_brings_nothing_back(self):
        class Slow(MemorySubscriptions):
            gate = Deferred()

            async def change(self, subscription):
                await super().change(subscription)
                await self.gate

        self.kept = Slow()
        self.book = self.make_book()
        self.add(PLAIN)
        changing = Deferred.fromCoroutine(self.book.change(attrs.evolve(PLAIN, name="new")))
        self.answer(self.book.remove(PLAIN.id))
        Slow.gate.callback(None)
        self.successResultOf(changing)
        self.assertEqual((self.book.all(), self.book.follows(JOE)), ((), False))
