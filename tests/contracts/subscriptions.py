"""What every ISubscriptions promises. Implementations subclass it beside SynchronousTestCase."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import ISubscriptions
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.notice import Importance, Kind, Level
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_SUBSCRIPTION
from mailsuite.model.subscription import (
    ATTEMPTS_KEPT,
    Attempt,
    Cursor,
    DeadLetter,
    NoticeFilter,
    QuietSpan,
    QuietTimes,
    Standing,
    Subscription,
    SubscriptionState,
    WhileQuiet,
    preference_id,
)

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
NOON = 1_700_000_000.0
PLAIN = Subscription("sub_plain", JOE, "", "webhook", "https://a.example/hook", "a.example:443")
FULL = Subscription(
    id="sub_full",
    account=ANN,
    device="d42",
    channel="webpush",
    target="https://push.example/very/secret?way=1",
    target_key="push.example:443",
    secrets=(b"\x00\xff newest", b""),
    options={"p256dh": "BNc\u00e9", "auth": "x" * 300},
    name="Zoë's \U0001f4f1",
    level=Level.SUBJECT,
    filter=NoticeFilter(
        kinds=frozenset({Kind.MAIL_NEW, Kind.TEST}),
        senders=("*@example.org", "boss?"),
        lists=("all.*",),
        subjects=("*[urgent]*",),
        labels=("shop",),
        importance=Importance.HIGH,
        smallest=1,
        largest=10**12,
        wanted=frozenset({"bulk", "own"}),
        if_unfetched_after=300.0,
    ),
    quiet=QuietTimes(
        zone="Europe/Berlin",
        spans=(QuietSpan(frozenset(range(5)), 1320, 390), QuietSpan(frozenset({5, 6}), 0, 0)),
        manner=WhileQuiet.DIGEST,
        breakthrough=("*@family.example",),
    ),
    window=2.5,
    urgency="high",
    created=NOON,
    expires=NOON + 86400.25,
    state=SubscriptionState.UNVERIFIED,
    reason="nobody has answered the code yet",
    code="c0de" * 16,
    guesses=3,
)


class SubscriptionsContract:
    """Subclasses say how one is made that is empty."""

    def setUp(self):
        super().setUp()
        self.subscriptions = self.make_subscriptions()

    def make_subscriptions(self):
        raise NotImplementedError

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, coroutine, reply):
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), PermanentFailure)
        self.assertIs(failure.value.reply, reply)

    def all(self):
        return {each.subscription.id: each for each in self.answer(self.subscriptions.all())}

    def add(self, subscription=PLAIN, acked=0):
        self.answer(self.subscriptions.add(subscription, acked))

    def record(self, *cursors, attempts=()):
        self.answer(self.subscriptions.record(cursors, attempts))

    def attempts(self, id=PLAIN.id):
        return self.answer(self.subscriptions.attempts(id))

    def letters(self, id=PLAIN.id):
        return self.answer(self.subscriptions.dead_letters(id))

    def test_provides_the_interface(self):
        verifyObject(ISubscriptions, self.subscriptions)

    def test_nobody_follows_at_first(self):
        self.assertEqual(self.all(), {})
        self.assertEqual(self.answer(self.subscriptions.preferences()), ())
        self.assertEqual((self.attempts(), self.letters()), ((), ()))

    def test_what_is_added_is_read_back_as_it_was(self):
        self.add(PLAIN, 7)
        self.add(FULL)
        self.assertEqual(
            self.all(),
            {
                PLAIN.id: Standing(PLAIN, Cursor(PLAIN.id, acked=7)),
                FULL.id: Standing(FULL, Cursor(FULL.id)),
            },
        )

    def test_an_id_is_taken_once(self):
        self.add(PLAIN, 7)
        self.refused(self.subscriptions.add(attrs.evolve(FULL, id=PLAIN.id), 9), ALREADY_EXISTS)
        self.assertEqual(self.all()[PLAIN.id], Standing(PLAIN, Cursor(PLAIN.id, acked=7)))

    def test_all_that_may_change_changes_and_the_cursor_stays(self):
        self.add(PLAIN, 7)
        changed = attrs.evolve(FULL, id=PLAIN.id, account=JOE, device="", channel="webhook")
        self.answer(self.subscriptions.change(changed))
        self.assertEqual(self.all()[PLAIN.id], Standing(changed, Cursor(PLAIN.id, acked=7)))

    def test_whose_it_is_does_not_change(self):
        self.add(PLAIN)
        self.answer(self.subscriptions.change(attrs.evolve(PLAIN, account=ANN, device="d1", channel="ntfy")))
        self.assertEqual(self.all()[PLAIN.id].subscription, PLAIN)

    def test_what_is_not_there_can_be_neither_changed_nor_removed(self):
        self.refused(self.subscriptions.change(PLAIN), NO_SUCH_SUBSCRIPTION)
        self.refused(self.subscriptions.remove(PLAIN.id), NO_SUCH_SUBSCRIPTION)
        self.assertEqual(self.all(), {})

    def test_what_is_removed_takes_everything_along(self):
        self.add(PLAIN, 7)
        self.add(FULL, 8)
        for id in (PLAIN.id, FULL.id):
            self.record(attempts=[Attempt(id, 1, NOON, 0.1, "ok")])
            self.answer(self.subscriptions.bury(DeadLetter(id, 1, 1, NOON, "http 500", 500)))
        self.answer(self.subscriptions.remove(PLAIN.id))
        self.assertEqual(list(self.all()), [FULL.id])
        self.assertEqual((self.attempts(), self.letters()), ((), ()))
        self.assertEqual((len(self.attempts(FULL.id)), len(self.letters(FULL.id))), (1, 1))
        self.add(PLAIN, 1)
        self.assertEqual(self.all()[PLAIN.id].cursor, Cursor(PLAIN.id, acked=1))
        self.assertEqual((self.attempts(), self.letters()), ((), ()))

    def test_where_each_stands_is_kept(self):
        self.add(PLAIN, 7)
        self.add(FULL, 8)
        cursor = Cursor(PLAIN.id, 9, NOON + 0.5, 3, NOON, NOON - 9, NOON - 1, "timed-out", 12, 4)
        self.record(Cursor(PLAIN.id, 8), cursor)
        self.assertEqual(self.all()[PLAIN.id].cursor, cursor)
        self.assertEqual(self.all()[FULL.id].cursor, Cursor(FULL.id, acked=8))

    def test_of_what_is_gone_nothing_is_recorded(self):
        self.add(FULL)
        self.record(
            Cursor(PLAIN.id, 9), Cursor(FULL.id, 2), attempts=[Attempt(PLAIN.id, 9, NOON, 0.1, "ok", 200)]
        )
        self.answer(self.subscriptions.bury(DeadLetter(PLAIN.id, 1, 2, NOON, "gone")))
        self.assertEqual(self.all()[FULL.id].cursor.acked, 2)
        self.add(PLAIN)
        self.assertEqual(self.all()[PLAIN.id].cursor, Cursor(PLAIN.id))
        self.assertEqual((self.attempts(), self.letters()), ((), ()))

    def test_a_preference_has_a_cursor_and_no_subscription(self):
        id = preference_id(JOE)
        self.add(PLAIN)
        self.record(Cursor(id, 3), attempts=[Attempt(id, 3, NOON, 0.1, "refused")])
        self.record(Cursor(id, 4, last_result="sent"))
        self.assertEqual(self.answer(self.subscriptions.preferences()), (Cursor(id, 4, last_result="sent"),))
        self.assertEqual(list(self.all()), [PLAIN.id])
        self.assertEqual([attempt.seq for attempt in self.attempts(id)], [3])
        self.answer(self.subscriptions.remove(id))
        self.answer(self.subscriptions.remove(id))
        self.assertEqual((self.answer(self.subscriptions.preferences()), self.attempts(id)), ((), ()))

    def test_the_newest_attempts_are_kept(self):
        self.add(PLAIN)
        self.add(FULL)
        tries = [Attempt(PLAIN.id, n, NOON + n, 0.25, f"http {n}", n) for n in range(ATTEMPTS_KEPT + 10)]
        self.record(attempts=tries[:5])
        self.record(attempts=[*tries[5:], Attempt(FULL.id, 1, NOON, 0.5, "ok", 201)])
        self.assertEqual(self.attempts(), tuple(reversed(tries[10:])))
        self.assertEqual(self.attempts(FULL.id), (Attempt(FULL.id, 1, NOON, 0.5, "ok", 201),))

    def test_what_was_given_up_is_kept_until_it_is_taken_up_again(self):
        self.add(PLAIN)
        later, earlier = (
            DeadLetter(PLAIN.id, 5, 9, NOON, "http 503", 503),
            DeadLetter(PLAIN.id, 1, 4, NOON, "x"),
        )
        for letter in (later, earlier, attrs.evolve(later, result="timed-out", code=0)):
            self.answer(self.subscriptions.bury(letter))
        self.assertEqual(self.letters(), (earlier, attrs.evolve(later, result="timed-out", code=0)))
        self.answer(self.subscriptions.unbury(PLAIN.id, 9))
        self.answer(self.subscriptions.unbury(PLAIN.id, 7))
        self.assertEqual(self.letters(), (earlier,))

    def test_what_is_old_is_forgotten(self):
        self.add(PLAIN)
        old, young = Attempt(PLAIN.id, 1, NOON - 1, 0.1, "ok"), Attempt(PLAIN.id, 2, NOON, 0.1, "ok")
        self.record(attempts=[old, young])
        for seq, at in ((1, NOON - 1), (2, NOON)):
            self.answer(self.subscriptions.bury(DeadLetter(PLAIN.id, seq, seq, at, "x")))
        self.assertEqual(self.answer(self.subscriptions.trim(NOON)), 2)
        self.assertEqual(self.attempts(), (young,))
        self.assertEqual([letter.seq for letter in self.letters()], [2])
        self.assertEqual(self.answer(self.subscriptions.trim(NOON)), 0)
        self.assertEqual(list(self.all()), [PLAIN.id])

    def test_what_is_sealed_by_the_newest_key_is_left_alone(self):
        self.add(PLAIN)
        self.assertEqual(self.answer(self.subscriptions.reseal()), (0, 0))
