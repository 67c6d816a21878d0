"""What every IQueueDesk promises. Implementations subclass the contract beside SynchronousTestCase."""

from __future__ import annotations

import attrs
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IQueueDesk
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope, OutboundRecipient, RecipientParameters
from mailsuite.model.outbound import DestinationShape, Fate, Outcome, QueueFilter, QueueState
from mailsuite.model.reply import Reply
from tests.contracts.outbound_queue import CONTENT, EVE, JOE, MAX
from tests.contracts.outbound_queue_sending import (
    ANN,
    BUSY,
    GONE,
    LATER,
    NOON,
    TAKEN,
    SendingCase,
    crowd,
    letter,
)

ALL = QueueFilter()
BOB = Address("bob", "example.org")
NO_MORE = Reply(554, "5.0.0", ("Given up by the administrator",))


def of(*ids):
    return QueueFilter(ids=frozenset(ids))


class QueueDeskContract(SendingCase):
    def setUp(self):
        super().setUp()
        self.desk = self.make_desk(self.queue)

    def make_desk(self, queue):
        """The desk of this queue."""
        raise NotImplementedError

    def restart(self):
        super().restart()
        self.desk = self.make_desk(self.queue)

    def find(self, which=ALL, now=NOON, **rest):
        return self.answer(self.desk.find(which, now, **rest))

    def ids(self, which=ALL, now=NOON, **rest):
        found = [entry.message.id for entry in self.find(which, now, **rest)]
        if not rest:
            self.assertEqual(self.answer(self.desk.count(which, now)), len(found))
        return found

    def do(self, verb, which, *rest, now=NOON):
        """How many were changed; and that their ids were told."""
        told = []
        count = self.answer(getattr(self.desk, verb)(which, now, *rest, changed=told.extend))
        self.assertEqual(len(told), count)
        self.changed = told
        return count

    def states(self, id="id1", now=NOON):
        (entry,) = self.find(of(id), now)
        return [state.name for state in entry.states]

    def test_the_interface_of_the_desk(self):
        verifyObject(IQueueDesk, self.desk)

    # Looking.

    def test_an_entry_says_where_each_recipient_stands(self):
        self.put(crowd("one", 4, arrived=NOON - 9))
        (lease,) = self.claim()
        (entry,) = self.find()
        self.assertEqual(entry.states, (QueueState.LEASED,) * 4)
        self.record(lease, {0: TAKEN, 1: BUSY, 2: GONE})
        (entry,) = self.find()
        self.assertEqual(entry.message, lease.message)
        self.assertEqual([each.number for each in entry.recipients], [0, 1, 2, 3])
        self.assertEqual([each.last for each in entry.recipients], [TAKEN, BUSY, GONE, None])
        self.assertEqual([each.name for each in entry.states], ["OVER", "WAITING", "OVER", "WAITING"])
        self.assertEqual(entry.due, (0, LATER, 0, LATER))
        self.assertEqual(self.states("one", now=LATER), ["OVER", "READY", "OVER", "READY"])

    def test_pages_in_the_order_of_arrival(self):
        self.put_all(letter(f"m{number}", EVE) for number in range(5))
        self.assertEqual(self.ids(count=2), ["m0", "m1"])
        self.assertEqual(self.ids(after="m1", count=2), ["m2", "m3"])
        for lease in self.claim():
            if lease.message.id == "m3":
                self.sent(lease)
        self.assertEqual(self.ids(after="m3"), ["m4"])
        self.assertEqual(self.ids(after="m4"), [])

    def test_filters(self):
        self.put(letter("one", EVE, arrived=NOON - 100))
        self.put(letter("two", MAX, sender=None, arrived=NOON - 50))
        self.put(letter("three", MAX, EVE, sender=Address("Ann", "example.net"), account=JOE, arrived=NOON))
        for which, expected in (
            (ALL, "one two three"),
            (of("two", "four"), "two"),
            (QueueFilter(sender="<>"), "two"),
            (QueueFilter(sender="ANN@EXAMPLE.NET"), "three"),
            (QueueFilter(sender="ann@example"), ""),
            (QueueFilter(sender="@example.net"), "one three"),
            (QueueFilter(sender="@ample.net"), ""),
            (QueueFilter(recipient="@Example.ORG"), "one three"),
            (QueueFilter(recipient="Eve@example.org"), "one three"),
            (QueueFilter(recipient="ve@example.org"), ""),
            (QueueFilter(account=JOE), "three"),
            (QueueFilter(account=ANN), ""),
            (QueueFilter(older_than=50), "one"),
            (QueueFilter(older_than=49), "one two"),
            (QueueFilter(state=QueueState.READY), "one two three"),
            (QueueFilter(state=QueueState.WAITING), ""),
            (QueueFilter(error="busy"), ""),
            (QueueFilter(sender="@example.net", recipient="@example.com", older_than=-1), "three"),
        ):
            self.assertEqual(self.ids(which), expected.split(), which)

    def test_filters_look_at_recipients_that_are_not_over(self):
        self.put(letter("one", EVE, BOB))
        (lease,) = self.claim()
        self.record(lease, {0: GONE, 1: BUSY})
        for which, expected in (
            (QueueFilter(recipient="eve@example.org"), []),
            (QueueFilter(recipient="bob@example.org"), ["one"]),
            (QueueFilter(error="NO SUCH USER"), []),
            (QueueFilter(error="450 Later, Ünder two lines please"), ["one"]),
            (QueueFilter(error="%"), []),
            (QueueFilter(state=QueueState.OVER), ["one"]),
            (QueueFilter(state=QueueState.WAITING), ["one"]),
            (QueueFilter(state=QueueState.READY), []),
        ):
            self.assertEqual(self.ids(which), expected, which)
        self.assertEqual(self.ids(QueueFilter(state=QueueState.READY), now=LATER), ["one"])
        self.assertEqual(self.ids(QueueFilter(state=QueueState.WAITING), now=LATER), [])
        self.claim(now=LATER)
        self.assertEqual(self.ids(QueueFilter(state=QueueState.LEASED)), ["one"])
        self.assertEqual(self.ids(QueueFilter(state=QueueState.HELD)), [])

    def test_the_shape_by_age(self):
        self.put(letter("old", EVE, BOB, arrived=NOON - 700))
        self.put(letter("new", EVE, MAX, arrived=NOON - 10))
        self.put(letter("late", MAX, arrived=NOON - 300, release=LATER))
        self.put(letter("most", BOB, arrived=NOON - 301))
        shape = self.answer(self.desk.shape(NOON, (300.0, 600.0)))
        self.assertEqual(
            shape,
            (
                DestinationShape("example.org", (1, 1, 2)),
                DestinationShape("example.com", (2, 0, 0)),
            ),
        )
        self.assertEqual(len(self.answer(self.desk.shape(NOON, (), 1))), 1)
        (lease, *_) = self.claim(room={"example.org": 0})
        self.record(lease, {each.number: BUSY for each in lease.recipients})
        (last,) = (each.last for each in self.answer(self.desk.shape(LATER, ())) if "com" in each.destination)
        self.assertEqual(last, BUSY.said)

    def test_errors_by_how_many_have_them(self):
        self.put(crowd("five", 5))
        (lease,) = self.claim()
        other = attrs.evolve(BUSY, reply=Reply(451, "4.3.0", ("other",)))
        self.record(lease, {0: other, 1: BUSY, 2: BUSY, 3: GONE})
        expected = ((BUSY.said, 2), ("451 4.3.0 other", 1))
        self.assertEqual(self.answer(self.desk.errors(NOON)), expected)
        self.assertEqual(self.answer(self.desk.errors(NOON, 1)), expected[:1])

    # Changing.

    def test_what_is_held_is_not_sent_until_it_is_released(self):
        self.put(letter("a", EVE))
        self.put(letter("b", EVE))
        self.put(letter("late", EVE, release=LATER))
        self.assertEqual(self.do("hold", of("a", "late")), 2)
        self.assertEqual(self.changed, ["a", "late"])
        self.assertEqual(self.do("hold", of("a", "late")), 0)
        self.assertEqual(self.states("a"), ["HELD"])
        self.restart()
        self.assertEqual(self.claimed(now=LATER), ["b"])
        self.assertEqual(self.do("retry", of("a")), 0)
        self.assertEqual(self.next_due(), LATER + 60)
        self.assertEqual(self.do("release", ALL), 2)
        self.assertEqual(self.next_due(), 0)
        self.assertEqual(sorted(self.claimed()), ["a", "late"])

    def test_who_watches_hears_of_a_release(self):
        self.put()
        self.do("hold", ALL)
        calls = []
        self.queue.watch(lambda: calls.append(True))
        self.do("release", ALL)
        self.assertTrue(calls)

    def test_what_was_to_be_sent_later_is_released_at_once(self):
        self.put(letter("late", EVE, release=LATER))
        self.assertEqual(self.do("retry", ALL), 0)
        self.assertEqual(self.claim(), ())
        self.assertEqual(self.do("release", ALL), 1)
        self.assertEqual(self.do("release", ALL), 0)
        self.assertEqual(self.claimed(), ["late"])

    def test_release_leaves_alone_what_waits_for_its_next_attempt(self):
        self.put()
        (lease,) = self.claim()
        self.record(lease, {0: BUSY})
        self.assertEqual(self.do("release", ALL), 0)
        self.assertEqual(self.claim(), ())

    def test_what_waits_is_tried_now_and_its_destinations_too(self):
        self.put(letter("a", EVE))
        self.put(letter("b", EVE))
        lease, *_ = self.claim(count=1)
        self.record(lease, {0: BUSY})
        self.assertEqual(self.do("retry", of("a")), 1)
        self.assertEqual(sorted(self.claimed()), ["a", "b"])
        self.assertEqual(self.do("retry", ALL), 0)

    def test_what_is_ready_is_not_tried_sooner(self):
        self.put()
        self.assertEqual(self.do("retry", ALL), 0)
        self.assertEqual(self.claimed(), ["id1"])

    def test_what_is_removed_is_gone(self):
        self.put(letter("a", EVE, MAX))
        self.put(letter("b", EVE))
        self.assertEqual(self.do("remove", of("a")), 1)
        self.restart()
        self.assertEqual(self.ids(), ["b"])
        self.assertEqual(self.claimed(), ["b"])
        self.assertEqual(self.owed(), ())
        self.put(letter("a", EVE))
        self.assertEqual(self.ids(), ["b"])

    def test_notices_of_what_is_removed_are_owed_no_more(self):
        self.put()
        self.do("bounce", ALL, NO_MORE)
        self.assertEqual(len(self.owed()), 1)
        self.assertEqual(self.do("remove", ALL), 1)
        self.assertEqual(self.owed(), ())
        self.assertEqual(self.ids(), [])
        self.assertEqual(self.do("remove", ALL), 0)

    def test_what_is_given_up_fails_and_the_sender_is_told(self):
        never = OutboundRecipient(BOB, RecipientParameters(frozenset({NotifyOn.NEVER})))
        asked = OutboundRecipient(MAX, RecipientParameters(frozenset({NotifyOn.FAILURE})))
        self.put(OutboundEnvelope("a", JOE, (OutboundRecipient(EVE), never, asked)))
        self.assertEqual(self.do("bounce", ALL, NO_MORE), 1)
        self.assertEqual(self.claim(), ())
        (notice,) = self.owed()
        self.assertIs(notice.kind, NotifyOn.FAILURE)
        self.assertEqual([(each.number, each.tries) for each in notice.recipients], [(0, 0), (2, 0)])
        self.assertEqual({each.last for each in notice.recipients}, {Outcome(Fate.FAILED, NO_MORE, at=NOON)})
        self.assertEqual(self.states("a"), ["OVER"] * 3)
        self.answer(self.queue.told(notice))
        self.assertEqual(self.ids(), [])

    def test_what_nobody_wants_to_hear_of_is_given_up_silently(self):
        never = OutboundRecipient(BOB, RecipientParameters(frozenset({NotifyOn.NEVER})))
        self.put(OutboundEnvelope("a", JOE, (never,)))
        self.do("bounce", ALL, NO_MORE)
        self.assertEqual(self.owed(), ())
        self.assertEqual(self.ids(), [])

    def test_those_who_have_it_do_not_fail(self):
        self.put(crowd("a", 3))
        (lease,) = self.claim()
        self.record(lease, {0: TAKEN, 1: BUSY}, owed={0: NotifyOn.SUCCESS, 1: NotifyOn.DELAY})
        self.do("bounce", ALL, NO_MORE)
        notices = {each.kind: [one.number for one in each.recipients] for each in self.owed()}
        self.assertEqual(notices, {NotifyOn.SUCCESS: [0], NotifyOn.FAILURE: [1, 2]})

    def test_another_address_gets_it_in_the_place_of_those_that_are_left(self):
        self.put(crowd("a", 150))
        leases = self.claim()
        self.record(leases[0], {leases[0].recipients[0].number: TAKEN})
        self.record(leases[1], {})
        self.assertEqual(self.do("redirect", ALL, MAX), 1)
        (lease,) = self.claim()
        self.assertEqual(lease.destination, "example.com")
        (recipient,) = lease.recipients
        self.assertEqual((recipient.number, recipient.recipient), (150, OutboundRecipient(MAX)))
        (entry,) = self.find()
        self.assertEqual([each.number for each in entry.recipients], [leases[0].recipients[0].number, 150])
        self.sent(lease)
        self.assertEqual(self.ids(), [])

    def test_what_the_sender_wanted_to_hear_stays(self):
        parameters = RecipientParameters(frozenset({NotifyOn.SUCCESS}), "rfc822;eve@example.org")
        self.put(OutboundEnvelope("one", JOE, (OutboundRecipient(EVE, parameters),)))
        same = RecipientParameters(frozenset({NotifyOn.SUCCESS}), "rfc822;bob@example.org")
        self.put(
            OutboundEnvelope("two", JOE, (OutboundRecipient(EVE, parameters), OutboundRecipient(BOB, same)))
        )
        self.put(OutboundEnvelope("three", JOE, (OutboundRecipient(EVE, parameters), OutboundRecipient(BOB))))
        self.assertEqual(self.do("redirect", ALL, MAX), 3)
        found = {lease.message.id: lease.recipients[0].recipient.parameters for lease in self.claim()}
        self.assertEqual(
            found,
            {
                "one": parameters,
                "two": RecipientParameters(frozenset({NotifyOn.SUCCESS})),
                "three": RecipientParameters(),
            },
        )

    def test_what_is_held_stays_held_when_it_goes_elsewhere(self):
        self.put()
        self.do("hold", ALL)
        self.do("redirect", ALL, MAX)
        self.assertEqual(self.claim(), ())
        self.do("release", ALL)
        (lease,) = self.claim()
        self.assertEqual(lease.destination, "example.com")

    def test_what_waits_for_the_time_its_sender_chose_waits_on_when_it_goes_elsewhere(self):
        self.put(letter("later", EVE, release=LATER))
        self.put(letter("released", EVE, release=LATER))
        self.do("release", of("released"))
        self.do("redirect", ALL, MAX)
        self.assertEqual(self.claimed(seconds=600), ["released"])
        (lease,) = self.claim(now=LATER)
        self.assertEqual((lease.message.id, lease.destination), ("later", "example.com"))

    # While it is being sent.

    def test_what_is_being_sent_is_held_when_it_comes_back(self):
        self.put()
        (lease,) = self.claim()
        self.assertEqual(self.do("hold", ALL), 1)
        self.assertEqual(self.do("hold", ALL), 0)
        self.assertEqual(self.states(), ["LEASED"])
        self.assertTrue(self.record(lease, {0: BUSY}))
        self.assertEqual(self.states(), ["HELD"])
        self.assertEqual(self.claim(now=LATER), ())
        self.assertEqual(self.do("release", ALL), 1)
        (lease,) = self.claim()
        self.do("hold", ALL)
        self.assertEqual(self.do("release", ALL), 1)
        self.answer(self.queue.give_back([lease], NOON))
        (lease,) = self.claim()
        self.do("hold", ALL)
        self.sent(lease)
        self.assertEqual(self.ids(), [])

    def test_a_lease_that_ends_by_itself_obeys_too(self):
        self.put()
        self.claim()
        self.do("hold", ALL)
        self.assertEqual(self.claim(now=LATER), ())
        self.assertEqual(self.states(), ["HELD"])

    def test_what_is_being_sent_is_removed_when_it_comes_back(self):
        self.put(crowd("id1", 2))
        (lease,) = self.claim()
        self.assertEqual(self.do("remove", ALL), 1)
        self.assertEqual(self.answer(self.queue.content("id1").read(99)), CONTENT)
        self.assertTrue(self.record(lease, {0: TAKEN, 1: BUSY}))
        self.assertEqual(self.ids(), [])
        self.assertIsNone(self.next_due())

    def test_what_is_being_sent_is_given_up_when_it_comes_back(self):
        self.put(crowd("id1", 2))
        (lease,) = self.claim()
        self.do("bounce", ALL, NO_MORE)
        self.assertTrue(self.record(lease, {0: TAKEN, 1: BUSY}, owed={1: NotifyOn.DELAY}))
        (notice,) = self.owed()
        (recipient,) = notice.recipients
        self.assertEqual((recipient.number, recipient.last.reply), (1, NO_MORE))
        self.assertEqual(self.claim(now=LATER), ())

    def test_what_is_being_sent_goes_elsewhere_once_when_it_comes_back(self):
        self.put(crowd("id1", 150))
        leases = self.claim()
        self.do("redirect", ALL, MAX)
        self.assertEqual(self.claim(), ())
        for lease in leases:
            self.answer(self.queue.give_back([lease], LATER))
        (lease,) = self.claim(now=LATER)
        self.assertEqual([each.recipient.address for each in lease.recipients], [MAX])

    def test_it_goes_there_again_where_it_had_failed_there(self):
        self.put(letter("id1", MAX, EVE))
        for lease in self.claim():
            self.record(lease, {0: GONE} if lease.destination == "example.com" else {1: BUSY})
        self.do("redirect", ALL, MAX)
        (lease,) = self.claim()
        self.assertEqual([(each.number, each.recipient.address) for each in lease.recipients], [(2, MAX)])
