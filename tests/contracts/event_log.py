"""What every IEventLog promises. Implementations subclass it beside SynchronousTestCase."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IEventLog
from mailsuite.model.address import Address
from mailsuite.model.notice import Entry, Happening, Importance, Kind, MessageFacts

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
NOON = 1_700_000_000.0
FACTS = MessageFacts(
    sender="boss@example.org",
    sender_name="Zoë “the boss” \U0001f600",
    subject="a\x1b[31m line\r\nand \u202e another, and half of a pair: \udc80",
    list_id="all.example.org",
    label="shop",
    importance=Importance.HIGH,
    preview="Hello\nJoe",
    junk=True,
    bulk=True,
    auto=True,
    own=True,
)


def mail(account=JOE, at=NOON, **facts):
    return Happening(account, Kind.MAIL_NEW, at, uidl="u1", size=1234, **facts)


class EventLogContract:
    """Subclasses say how one is made that is empty."""

    def setUp(self):
        super().setUp()
        self.event_log = self.make_event_log()

    def make_event_log(self):
        raise NotImplementedError

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def append(self, *happenings, **how):
        return self.answer(self.event_log.append(happenings, **how))

    def read(self, after=0, limit=100, account=JOE):
        return self.answer(self.event_log.read(account, after, limit))

    def seqs(self, after=0, limit=100, account=JOE):
        return [entry.seq for entry in self.read(after, limit, account).entries]

    def head(self, account=JOE):
        return self.answer(self.event_log.heads([account]))[account]

    def trim(self, before=0.0, kept=1000):
        return self.answer(self.event_log.trim(before, kept))

    def test_provides_the_interface(self):
        verifyObject(IEventLog, self.event_log)

    def test_nothing_has_happened_at_first(self):
        stretch = self.read()
        self.assertEqual((stretch.entries, stretch.head, stretch.missed), ((), 0, False))
        self.assertEqual(self.head(), 0)
        self.assertEqual(self.answer(self.event_log.grown_since(0.0)), {})

    def test_nothing_appended_is_nothing(self):
        self.assertEqual(self.append(), ())

    def test_what_happened_is_read_back_as_it_was(self):
        happenings = [
            mail(facts=FACTS),
            mail(),
            mail(facts=MessageFacts()),
            Happening(JOE, Kind.QUOTA_REACHED, NOON + 0.125, size=95, detail="95 % \N{SNOWMAN} of 1 GB"),
        ]
        entries = self.append(*happenings)
        self.assertEqual(entries, tuple(Entry(n, each) for n, each in enumerate(happenings, 1)))
        self.assertEqual(self.read().entries, entries)

    def test_every_kind_can_be_kept(self):
        self.append(*(Happening(JOE, kind, NOON) for kind in Kind))
        self.assertEqual([entry.happening.kind for entry in self.read().entries], list(Kind))

    def test_each_account_counts_for_itself_and_without_gaps(self):
        entries = self.append(mail(), mail(ANN), mail())
        self.assertEqual([(e.happening.account, e.seq) for e in entries], [(JOE, 1), (ANN, 1), (JOE, 2)])
        self.append(mail(ANN), mail(), is_durable=False)
        self.assertEqual(self.seqs(), [1, 2, 3])
        self.assertEqual(self.seqs(account=ANN), [1, 2])

    def test_reading_goes_on_behind_a_place(self):
        self.append(*(mail(at=NOON + n) for n in range(5)))
        self.assertEqual(self.seqs(after=3), [4, 5])
        self.assertEqual(self.seqs(after=1, limit=2), [2, 3])
        self.assertEqual(self.seqs(after=5), [])
        self.assertEqual(self.seqs(after=9), [])
        self.assertEqual(self.seqs(limit=0), [])
        self.assertEqual(self.read(after=4, limit=1).head, 5)
        self.assertFalse(self.read(after=9).missed)

    def test_heads_are_answered_for_all_that_are_asked_about(self):
        self.append(mail(), mail(), mail(ANN))
        nobody = Address("nobody", "example.net")
        heads = self.answer(self.event_log.heads(account for account in (JOE, ANN, nobody)))
        self.assertEqual(heads, {JOE: 2, ANN: 1, nobody: 0})
        self.assertEqual(self.answer(self.event_log.heads([])), {})

    def test_heads_of_very_many_accounts(self):
        accounts = [Address(f"a{n}", "example.net") for n in range(2500)]
        self.append(mail(accounts[0]), mail(accounts[-1]))
        heads = self.answer(self.event_log.heads(accounts))
        self.assertEqual(len(heads), 2500)
        self.assertEqual((heads[accounts[0]], heads[accounts[1]], heads[accounts[-1]]), (1, 0, 1))

    def test_who_has_news_since_some_time(self):
        self.append(mail(at=NOON), mail(at=NOON + 60), mail(ANN, at=NOON + 10))
        self.assertEqual(self.answer(self.event_log.grown_since(NOON)), {JOE: 2, ANN: 1})
        self.assertEqual(self.answer(self.event_log.grown_since(NOON + 60)), {JOE: 2})
        self.assertEqual(self.answer(self.event_log.grown_since(NOON + 60.5)), {})

    def test_what_is_old_goes_and_its_numbers_do_not_come_again(self):
        self.append(mail(at=NOON), mail(at=NOON + 1), mail(at=NOON + 2), mail(ANN, at=NOON))
        self.assertEqual(self.trim(before=NOON + 2), 3)
        self.assertEqual(self.seqs(), [3])
        self.assertEqual((self.head(), self.head(ANN)), (3, 1))
        self.append(mail(ANN, at=NOON + 3))
        self.assertEqual(self.seqs(account=ANN), [2])
        self.assertEqual(self.trim(before=NOON + 2), 0)

    def test_of_each_account_the_newest_stay(self):
        self.append(*(mail(at=NOON + n) for n in range(5)), mail(ANN))
        self.assertEqual(self.trim(kept=2), 3)
        self.assertEqual(self.seqs(), [4, 5])
        self.assertEqual(self.seqs(account=ANN), [1])
        self.assertEqual(self.trim(kept=0), 3)
        self.assertEqual((self.seqs(), self.head()), ([], 5))

    def test_what_is_old_stays_while_something_younger_is_before_it(self):
        """A clock that was set back leaves no hole."""
        self.append(mail(at=NOON), mail(at=NOON + 60), mail(at=NOON + 1), mail(at=NOON + 70))
        self.assertEqual(self.trim(before=NOON + 30), 1)
        self.assertEqual(self.seqs(), [2, 3, 4])

    def test_reading_tells_where_something_is_gone(self):
        self.append(*(mail(at=NOON + n) for n in range(4)))
        self.assertFalse(self.read().missed)
        self.trim(before=NOON + 2)
        self.assertTrue(self.read(after=0).missed)
        self.assertTrue(self.read(after=1).missed)
        self.assertFalse(self.read(after=2).missed)
        self.assertFalse(self.read(after=3).missed)
        self.trim(kept=0)
        self.assertTrue(self.read(after=3).missed)
        self.assertFalse(self.read(after=4).missed)

    def test_what_is_erased_was_never_there(self):
        self.append(mail(facts=FACTS), mail(ANN))
        self.answer(self.event_log.erase(JOE))
        self.assertEqual(self.read(), attrs.evolve(self.read(), entries=(), head=0, missed=False))
        self.assertEqual(self.answer(self.event_log.grown_since(0.0)), {ANN: 1})
        self.append(mail())
        self.assertEqual((self.seqs(), self.seqs(account=ANN)), ([1], [1]))
        self.answer(self.event_log.erase(Address("nobody", "example.net")))
