"""What every IMailStore promises. Each implementation subclasses the contract beside SynchronousTestCase."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IDelivery, IMaildrop, IMailStore, IMessageBody
from mailsuite.model.address import Address
from mailsuite.model.failure import MaildropInUse, MessageGone
from mailsuite.model.quota import Quota
from mailsuite.model.retention import Retention, Usage
from mailsuite.model.view import View

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
CLASSIC = View()
SHORT = b"Subject: hello\r\n\r\nWorld.\r\n"
DOTTED = b"Subject: dots\r\n\r\n.\r\n..two\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 4 * 16_384 + b"\r\n"
"""One MiB and a little: beyond every buffer."""


NOW = 1_795_000_000.0
"""2026-11-18 09:46:40 UTC."""


class MailStoreCase:
    """Subclasses say how a store is made, found again after a restart, and robbed of a message."""

    now = NOW

    def setUp(self):
        self.store = self.make_store()

    def seconds(self):
        """The clock of all stores."""
        return self.now

    def make_store(self):
        """A store with the usual rules, by the clock of this test."""
        raise NotImplementedError

    def restarted(self, store):
        """Another store on the same data, the first being gone."""
        raise NotImplementedError

    def take_away(self, account, uidl):
        """Remove the message as another program would."""
        raise NotImplementedError

    def answer(self, coroutine):
        """Run *coroutine* to its end; its result, or what it raises."""
        outcome = []
        Deferred.fromCoroutine(coroutine).addBoth(outcome.append)
        self.wait_for(outcome)
        result = outcome[0]
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result

    def wait_for(self, outcome):
        self.assertTrue(outcome, "the coroutine waits for something")

    # -- what tests say often

    def begun(self, content=SHORT, account=JOE):
        delivery = self.store.begin(account)
        for start in range(0, len(content), 50_000):
            delivery.write(content[start : start + 50_000])
        return delivery

    def delivered(self, content=SHORT, account=JOE):
        (stored,) = self.answer(self.store.deliver([self.begun(content, account)]))
        return stored

    def opened(self, account=JOE, view=CLASSIC):
        return self.answer(self.store.open_maildrop(account, view))

    def seen(self, account=JOE, view=CLASSIC):
        """The messages in the maildrop, as a session of their own sees them."""
        maildrop = self.opened(account, view)
        contents = [self.content(maildrop, ref) for ref in maildrop.messages]
        self.answer(maildrop.release())
        return contents

    def content(self, maildrop, ref):
        body = self.answer(maildrop.open(ref))
        self.assertEqual(body.size, ref.size)
        chunks = []
        while chunk := self.answer(body.read()):
            self.assertLessEqual(len(chunk), 65_536)
            chunks.append(chunk)
        self.assertEqual(self.answer(body.read()), b"", "the end stays the end")
        body.close()
        return b"".join(chunks)


class MailStoreContract(MailStoreCase):
    """Delivery, and the maildrop as it is without views."""

    # -- delivery

    def test_provides_the_interfaces(self):
        delivery = self.begun()
        verifyObject(IMailStore, self.store)
        verifyObject(IDelivery, delivery)
        self.answer(self.store.deliver([delivery]))
        maildrop = self.opened()
        verifyObject(IMaildrop, maildrop)
        body = self.answer(maildrop.open(maildrop.messages[0]))
        verifyObject(IMessageBody, body)
        body.close()

    def test_a_maildrop_without_mail_is_empty(self):
        self.assertEqual(self.seen(), [])

    def test_visible_only_after_commit(self):
        delivery = self.begun()
        self.assertEqual(self.seen(), [])
        self.answer(delivery.prepare())
        self.assertEqual(self.seen(), [])
        stored = self.answer(delivery.commit())
        self.assertEqual(self.seen(), [SHORT])
        self.assertEqual((stored.account, stored.size), (JOE, len(SHORT)))

    def test_deliver_is_prepare_and_commit(self):
        deliveries = [self.begun(SHORT), self.begun(LARGE), self.begun(DOTTED, ANN), self.begun(b"", ANN)]
        stored = self.answer(self.store.deliver(deliveries))
        self.assertEqual([one.account for one in stored], [JOE, JOE, ANN, ANN])
        self.assertEqual([one.size for one in stored], [len(SHORT), len(LARGE), len(DOTTED), 0])
        self.assertEqual(self.seen(JOE), [SHORT, LARGE])
        self.assertEqual(self.seen(ANN), [DOTTED, b""])

    def test_deliver_takes_what_is_prepared_already(self):
        prepared, fresh = self.begun(SHORT), self.begun(DOTTED)
        self.answer(prepared.prepare())
        self.answer(self.store.deliver([prepared, fresh]))
        self.assertEqual(self.seen(), [SHORT, DOTTED])

    def test_deliver_nothing(self):
        self.assertEqual(self.answer(self.store.deliver([])), ())

    def test_stored_names_the_message_as_the_maildrop_does(self):
        stored = self.delivered()
        (ref,) = self.opened().messages
        self.assertEqual((ref.uidl, ref.size), (stored.uidl, stored.size))

    def test_any_chunking_stores_the_same(self):
        delivery = self.store.begin(JOE)
        for octet in DOTTED:
            delivery.write(bytes([octet]))
        self.answer(self.store.deliver([delivery]))
        self.assertEqual(self.seen(), [DOTTED])
        (ref,) = self.opened().messages
        self.assertTrue(ref.dot_lines)

    def test_abort_at_each_step(self):
        for content in (SHORT, LARGE):
            fresh = self.store.begin(JOE)
            self.answer(fresh.abort())
            written = self.begun(content)
            self.answer(written.abort())
            prepared = self.begun(content)
            self.answer(prepared.prepare())
            self.answer(prepared.abort())
            committed = self.begun(content)
            self.answer(committed.prepare())
            self.answer(committed.commit())
            self.answer(committed.abort())
            delivered = self.begun(content)
            self.answer(self.store.deliver([delivered]))
            self.answer(delivered.abort())
            for delivery in (fresh, written, prepared, committed, delivered):
                self.answer(delivery.abort())
            self.assertEqual(self.seen(), [])

    def test_order_of_calls_is_kept(self):
        delivery = self.begun()
        with self.assertRaises(RuntimeError):
            self.answer(delivery.commit())
        self.answer(delivery.prepare())
        with self.assertRaises(RuntimeError):
            delivery.write(b"more")
        self.answer(delivery.abort())
        with self.assertRaises(RuntimeError):
            self.answer(delivery.prepare())
        with self.assertRaises(RuntimeError):
            self.answer(delivery.commit())
        with self.assertRaises(RuntimeError):
            self.answer(self.store.deliver([delivery]))
        self.assertEqual(self.seen(), [])

    def test_drained_returns_where_nothing_is_congested(self):
        delivery = self.begun()
        self.assertFalse(delivery.congested)
        self.answer(delivery.drained())

    # -- the maildrop

    def test_one_session_at_a_time(self):
        first = self.opened()
        with self.assertRaises(MaildropInUse):
            self.opened()
        self.opened(ANN)  # another account is another lock
        self.answer(first.release())
        second = self.opened()
        self.answer(first.release())  # a second release does not take the lock from another
        with self.assertRaises(MaildropInUse):
            self.opened()
        self.answer(second.release())
        self.answer(self.opened().release())

    def test_delivery_does_not_wait_for_the_lock(self):
        maildrop = self.opened()
        self.delivered()
        self.assertEqual(maildrop.messages, ())

    def test_the_list_is_frozen(self):
        self.delivered(SHORT)
        self.delivered(DOTTED)
        maildrop = self.opened()
        before = maildrop.messages
        self.delivered(LARGE)
        self.take_away(JOE, before[0].uidl)
        self.assertEqual(maildrop.messages, before)
        with self.assertRaises(MessageGone):
            self.answer(maildrop.open(before[0]))
        self.assertEqual(self.content(maildrop, before[1]), DOTTED)
        self.answer(maildrop.release())
        self.assertEqual(self.seen(), [DOTTED, LARGE])

    def test_oldest_first(self):
        contents = [b"Subject: %d\r\n\r\n" % number for number in range(25)]
        for content in contents:
            self.delivered(content)
        self.assertEqual(self.seen(), contents)

    def test_uidl(self):
        for _ in range(12):
            self.delivered(SHORT)
        first = self.opened()
        uidls = [ref.uidl for ref in first.messages]
        self.assertEqual(len(set(uidls)), 12, "identical messages have names of their own")
        for uidl in uidls:
            self.assertTrue(1 <= len(uidl) <= 70)
            self.assertTrue(all("!" <= character <= "~" for character in uidl))
        self.answer(first.update(first.messages[:1], []))
        self.answer(first.release())
        self.store = self.restarted(self.store)
        again = self.opened()
        self.assertEqual([ref.uidl for ref in again.messages], uidls[1:])
        self.answer(again.release())
        self.assertNotIn(self.delivered(SHORT).uidl, uidls)

    def test_sizes_are_exact(self):
        contents = [b"", b".", b".\r\n", SHORT, DOTTED, b"\0\xff\x80\r\n", b"x" * 70_000 + b"\r\n", LARGE]
        for content in contents:
            self.delivered(content)
        maildrop = self.opened()
        self.assertEqual([ref.size for ref in maildrop.messages], [len(content) for content in contents])
        for ref, content in zip(maildrop.messages, contents, strict=True):
            self.assertEqual(self.content(maildrop, ref), content)
            if not ref.dot_lines:
                self.assertNotIn(b"\n.", b"\n" + content)

    def test_bodies_are_independent(self):
        self.delivered(LARGE)
        maildrop = self.opened()
        one, two = (self.answer(maildrop.open(maildrop.messages[0])) for _ in range(2))
        start = self.answer(one.read())
        self.assertEqual(self.answer(two.read()), start)
        one.close()
        one.close()
        self.assertEqual(start + self.answer(two.read()), LARGE[: 2 * len(start)])
        two.close()
        with self.assertRaises(RuntimeError):
            self.answer(two.read())

    def test_update(self):
        for content in (SHORT, DOTTED, LARGE):
            self.delivered(content)
        maildrop = self.opened()
        first, second, third = maildrop.messages
        self.take_away(JOE, third.uidl)
        self.assertEqual(self.answer(maildrop.update([first, third], [])), 0)
        with self.assertRaises(MessageGone):
            self.answer(maildrop.open(first))
        self.assertEqual(self.content(maildrop, second), DOTTED)
        self.assertEqual(self.answer(maildrop.update([], [])), 0)
        self.answer(maildrop.release())
        self.assertEqual(self.seen(), [DOTTED])

    def test_release_alone_deletes_nothing(self):
        self.delivered()
        self.answer(self.opened().release())
        self.assertEqual(self.seen(), [SHORT])

    def test_what_was_warned_of_survives_a_restart(self):
        self.assertEqual(self.answer(self.store.warned(JOE)), 0)
        for level in (80, 95, 0):
            self.answer(self.store.note_warned(JOE, level))
            self.assertEqual(self.answer(self.store.warned(JOE)), level)
            self.store = self.restarted(self.store)
            self.assertEqual(self.answer(self.store.warned(JOE)), level)
        self.assertEqual(self.answer(self.store.warned(ANN)), 0)

    def test_the_oldest_deletions_beyond_their_quota_are_forgotten(self):
        self.store.deleted_quota = Quota(2 * len(SHORT), 2)
        for _ in range(4):
            self.delivered()
        maildrop = self.opened()
        for ref in maildrop.messages:
            self.answer(maildrop.update([ref], []))
            self.now += 1
        kept = [one.uidl for one in self.answer(self.store.deleted(JOE))]
        self.assertEqual(kept, [ref.uidl for ref in maildrop.messages[:1:-1]])
        usage = self.answer(self.store.usage(JOE))
        self.assertEqual(usage, Usage(0, 0, 2, 2 * len(SHORT)))

    def test_what_is_removed_or_brought_back_is_told(self):
        self.delivered()
        self.delivered(account=ANN)
        told = []
        self.store.changed = told.append

        def hears(coroutine):
            told.clear()
            self.answer(coroutine)
            self.wait_for(told)
            self.assertEqual(set(told), {JOE})

        maildrop = self.opened()
        hears(maildrop.update(maildrop.messages, []))
        self.answer(maildrop.release())
        (deleted,) = self.answer(self.store.deleted(JOE))
        hears(self.store.undelete(JOE, [deleted.uidl]))
        hears(self.store.expire(JOE, Retention(0.0, 0.0), self.now + 10))
        self.assertEqual(self.seen(account=ANN), [SHORT])

    def test_mail_survives_a_restart(self):
        self.delivered()
        self.store = self.restarted(self.store)
        self.assertEqual(self.seen(), [SHORT])
