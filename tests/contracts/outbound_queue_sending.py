"""What every IOutboundQueue promises those who send: leases, outcomes, notices that are owed, fairness."""

from __future__ import annotations

from collections import Counter

import attrs
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IQueuedContent
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope, OutboundRecipient
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import FROM, MAX_RECIPIENTS_AT_ONCE, Fate, Outcome, Room
from mailsuite.model.reply import Reply
from tests.contracts.outbound_queue import CONTENT, EVE, JOE, MAX, RICH, QueueCase

NOON = 1_700_000_000.0
LATER = NOON + 300
ANN = Address("ann", "example.net")
TAKEN = Outcome(Fate.RELAYED, Reply(250, "2.0.0", ("thanks",)), "mx.example.org [192.0.2.1]", NOON, True)
BUSY = Outcome(Fate.DEFERRED, Reply(450, "", ("later, ünder two lines", "please")), "mx.example.org", NOON)
GONE = Outcome(Fate.FAILED, Reply(550, "5.1.1", ("no such user",)), "mx.example.org", NOON)
HERE = Outcome(Fate.DELIVERED, Reply(250, "2.1.5", ("ok",)), "", NOON)


def letter(id, *recipients, sender=JOE, **rest):
    return OutboundEnvelope(id, sender, tuple(map(OutboundRecipient, recipients)), **rest)


def crowd(id, count, domain="example.org", **rest):
    return letter(id, *(Address(f"r{number}", domain) for number in range(count)), **rest)


class SendingCase(QueueCase):
    def claim(self, now=NOON, count=100, room=None, usual=20, seconds=60.0, **sources):
        return self.answer(self.queue.claim(now, now + seconds, count, Room(usual, room or {}, **sources)))

    def claimed(self, **how):
        """The ids of the messages that are leased, in that order."""
        return [lease.message.id for lease in self.claim(**how)]

    def record(self, lease, outcomes, due=LATER, owed=None):
        return self.answer(self.queue.record(lease, outcomes, due, owed or {}))

    def sent(self, lease):
        return self.record(lease, {each.number: TAKEN for each in lease.recipients})

    def owed(self, count=100):
        return self.answer(self.queue.owed(count))

    def next_due(self):
        return self.answer(self.queue.next_due())

    def restart(self):
        self.queue = self.restarted(self.queue)


class SendingContract(SendingCase):
    # What is leased.

    def test_an_empty_queue_has_nothing(self):
        self.assertEqual(self.claim(), ())
        self.assertEqual(self.owed(), ())
        self.assertIsNone(self.next_due())

    def test_a_lease_says_all_that_was_put(self):
        envelope = attrs.evolve(RICH, account=JOE, arrived=NOON - 5)
        self.put(envelope)
        for _ in range(2):
            leases = sorted(self.claim(), key=lambda lease: lease.destination)
            self.assertEqual([lease.destination for lease in leases], ["example.com", "example.org"])
            for lease, number in zip(leases, (1, 0), strict=True):
                message = lease.message
                self.assertEqual(
                    (message.id, message.sender, message.parameters, message.account),
                    (envelope.id, None, envelope.parameters, JOE),
                )
                self.assertEqual(
                    (message.arrived, message.release, message.size), (NOON - 5, 0, len(CONTENT))
                )
                self.assertTrue(message.vouched)
                (recipient,) = lease.recipients
                self.assertEqual((recipient.number, recipient.tries, recipient.last), (number, 0, None))
                self.assertEqual(recipient.recipient, envelope.recipients[number])
            self.answer(self.queue.give_back(leases, NOON))
            self.restart()

    def test_nobody_gets_what_somebody_has(self):
        self.put()
        (lease,) = self.claim()
        self.assertEqual(self.claim(), ())
        self.assertEqual(self.next_due(), NOON + 60)
        self.assertEqual(self.claim(now=NOON + 59.5), ())
        (again,) = self.claim(now=NOON + 60)
        self.assertEqual((again.message, again.recipients), (lease.message, lease.recipients))
        self.assertFalse(again.message.vouched)
        self.assertNotEqual(again.token, lease.token)
        self.assertFalse(self.sent(lease))
        self.assertEqual(self.answer(self.queue.extend([lease], NOON + 999)), ())
        self.assertTrue(self.sent(again))
        self.assertFalse(self.sent(again))
        self.assertEqual(self.queued(self.queue), [])

    def test_a_lease_that_is_extended_is_held_for_longer(self):
        self.put()
        leases = self.claim()
        self.assertEqual(self.answer(self.queue.extend(leases, NOON + 600)), leases)
        self.assertEqual(self.claim(now=NOON + 599), ())
        self.assertEqual(len(self.claim(now=NOON + 600)), 1)

    def test_what_was_leased_by_a_process_that_died_is_due_at_once(self):
        self.put()
        (lease,) = self.claim()
        if (another := self.restarted(self.queue)) is self.queue:
            return  # a queue that does not outlive the process
        self.queue = another
        self.assertEqual(self.next_due(), 0)
        (again,) = self.claim()
        self.assertEqual(again.recipients, lease.recipients)
        self.assertFalse(self.sent(lease))

    def test_what_is_given_back_is_as_if_it_had_never_been_taken(self):
        self.put()
        leases = self.claim()
        self.answer(self.queue.give_back(leases, LATER))
        self.answer(self.queue.give_back(leases, NOON))
        self.assertEqual(self.claim(), ())
        self.assertEqual(self.next_due(), LATER)
        (again,) = self.claim(now=LATER)
        self.assertEqual(again.recipients, leases[0].recipients)

    def test_many_recipients_make_more_leases(self):
        self.put(crowd("many", 2 * MAX_RECIPIENTS_AT_ONCE + 1))
        leases = self.claim()
        self.assertEqual(sorted(len(lease.recipients) for lease in leases), [1, 100, 100])
        numbers = sorted(each.number for lease in leases for each in lease.recipients)
        self.assertEqual(numbers, list(range(201)))

    def test_at_most_as_many_as_asked_for_and_as_there_is_room(self):
        self.put_all(
            letter(f"{name}{number}", who) for number in range(5) for name, who in (("o", EVE), ("c", MAX))
        )
        self.assertEqual(self.claim(usual=0), ())
        self.assertEqual([each[0] for each in self.claimed(room={"example.org": 0}, usual=2)], ["c", "c"])
        self.assertEqual(self.claimed(room={"example.org": 3}, usual=0), ["o0", "o1", "o2"])
        self.assertEqual(self.claim(room={"example.org": -1, "example.com": 0}), ())
        self.assertEqual(len(self.claim(count=3)), 3)
        self.assertEqual(len(self.claim()), 2)

    def test_the_oldest_of_one_origin_goes_first(self):
        self.put_all(letter(f"m{number}", EVE, arrived=NOON - 5 + number) for number in range(5))
        self.assertEqual(self.claimed(), ["m0", "m1", "m2", "m3", "m4"])

    def test_what_is_to_be_sent_later_waits(self):
        self.put(letter("later", EVE, arrived=NOON, release=LATER))
        self.assertEqual(self.claim(), ())
        self.assertEqual(self.next_due(), LATER)
        self.restart()
        self.assertEqual(self.next_due(), LATER)
        (lease,) = self.claim(now=LATER)
        self.assertEqual(lease.message.release, LATER)

    def test_more_than_one_batch_becomes_due(self):
        self.put_all(crowd(f"c{number}", 9, release=NOON) for number in range(3))
        self.assertEqual(sorted(self.claimed()), ["c0", "c1", "c2"])

    # What came of it.

    def test_each_recipient_has_a_fate_of_its_own(self):
        self.put(crowd("four", 4))
        (lease,) = self.claim()
        self.assertTrue(self.record(lease, {0: TAKEN, 1: BUSY, 2: GONE}))
        self.assertEqual(self.claim(), ())
        self.assertEqual(self.next_due(), LATER)
        self.restart()
        (lease,) = self.claim(now=LATER)
        self.assertEqual(
            [(each.number, each.tries, each.last) for each in lease.recipients], [(1, 1, BUSY), (3, 0, None)]
        )
        self.assertTrue(self.record(lease, {1: TAKEN, 3: HERE}))
        self.assertEqual(self.queued(self.queue), [])
        self.assertIsNone(self.next_due())

    def test_nobody_gets_it_twice_whatever_dies(self):
        self.put(crowd("three", 3))
        (lease,) = self.claim()
        self.record(lease, {0: TAKEN, 1: GONE}, due=NOON)
        self.restart()
        (lease,) = self.claim()
        self.restart()
        (lease,) = self.claim(now=NOON + 999)
        self.assertEqual([each.number for each in lease.recipients], [2])

    def test_what_is_over_everywhere_is_gone_and_so_is_its_content(self):
        self.put(letter("one", EVE, MAX))
        first, second = self.claim()
        self.sent(first)
        self.assertEqual(len(self.queued(self.queue)), 1)
        content = self.queue.content("one")
        self.assertEqual(self.answer(content.read(100)), CONTENT)
        content.close()
        self.sent(second)
        self.assertEqual(self.queued(self.queue), [])
        self.failure(self.queue.content("one").read(1), TemporaryFailure)

    def test_owed_notices_are_there_until_they_were_told(self):
        self.put(crowd("three", 3))
        (lease,) = self.claim()
        owed = {0: NotifyOn.SUCCESS, 1: NotifyOn.DELAY, 2: NotifyOn.FAILURE}
        self.record(lease, {0: TAKEN, 1: BUSY, 2: GONE}, owed=owed)
        self.restart()
        notices = self.owed()
        found = {each.kind: [(one.number, one.last) for one in each.recipients] for each in notices}
        self.assertEqual(
            found,
            {NotifyOn.SUCCESS: [(0, TAKEN)], NotifyOn.DELAY: [(1, BUSY)], NotifyOn.FAILURE: [(2, GONE)]},
        )
        self.assertEqual({each.message for each in notices}, {lease.message})
        self.assertEqual(self.owed(), notices)
        for each in notices:
            self.assertTrue(self.owed())
            self.answer(self.queue.told(each))
            self.answer(self.queue.told(each))
        self.assertEqual(self.owed(), ())
        (lease,) = self.claim(now=LATER)
        self.assertEqual([each.warned for each in lease.recipients], [True])
        self.sent(lease)
        self.assertEqual(self.queued(self.queue), [])

    def test_a_message_stays_while_a_notice_is_owed(self):
        self.put()
        (lease,) = self.claim()
        self.record(lease, {0: GONE}, owed={0: NotifyOn.FAILURE})
        self.assertEqual(self.claim(now=NOON + 9999), ())
        (notice,) = self.owed()
        self.assertEqual(self.answer(self.queue.content("id1").read(7)), CONTENT[:7])
        self.answer(self.queue.told(notice))
        self.assertEqual(self.queued(self.queue), [])
        self.answer(self.queue.told(notice))

    def test_a_failure_takes_the_place_of_a_delay_that_nobody_told(self):
        self.put()
        (lease,) = self.claim()
        self.record(lease, {0: BUSY}, due=NOON, owed={0: NotifyOn.DELAY})
        (delay,) = self.owed()
        (lease,) = self.claim()
        self.record(lease, {0: GONE}, owed={0: NotifyOn.FAILURE})
        self.answer(self.queue.told(delay))
        (failure,) = self.owed()
        self.assertIs(failure.kind, NotifyOn.FAILURE)

    def test_nobody_else_is_touched_by_what_is_recorded(self):
        self.put(letter("id1", EVE, MAX))
        first, second = self.claim()
        (one,), (other,) = first.recipients, second.recipients
        self.record(
            first, {other.number: GONE, 77: GONE}, owed={other.number: NotifyOn.FAILURE, 77: NotifyOn.DELAY}
        )
        self.assertEqual(self.owed(), ())
        (again,) = self.claim(now=LATER, room={second.destination: 0})
        self.assertEqual(again.recipients, (one,))

    def test_the_oldest_notices_come_first(self):
        for name in ("a", "b", "c"):
            self.put(letter(name, EVE))
        for lease in self.claim():
            self.record(lease, {0: GONE}, owed={0: NotifyOn.FAILURE})
        self.assertEqual([each.message.id for each in self.owed(2)], ["a", "b"])

    # Putting, once more.

    def test_a_message_is_there_once(self):
        queuing = self.put()
        self.answer(queuing.commit())
        again = self.put()
        self.assertEqual(len(self.queued(self.queue)), 1)
        self.answer(again.abort())
        self.assertEqual(len(self.queued(self.queue)), 1)
        self.restart()
        self.put()
        (lease,) = self.claim()
        self.sent(lease)
        self.put()
        self.assertEqual(self.queued(self.queue), [])
        self.assertIsNone(self.next_due())

    def test_what_was_leased_cannot_be_taken_back(self):
        queuing = self.put()
        leases = self.claim()
        self.answer(queuing.abort())
        self.assertEqual(len(self.queued(self.queue)), 1)
        self.answer(self.queue.give_back(leases, NOON))
        self.answer(queuing.abort())
        self.assertEqual(len(self.queued(self.queue)), 1)

    def test_what_was_taken_back_may_be_put_again(self):
        self.answer(self.put().abort())
        self.assertIsNone(self.next_due())
        self.put()
        self.assertEqual(self.claimed(), ["id1"])

    def test_whoever_watches_is_called(self):
        calls = []
        self.queue.watch(lambda: calls.append(len(self.queued(self.queue))))
        queuing = self.begun()
        self.answer(queuing.prepare())
        self.assertEqual(calls, [])
        self.answer(queuing.commit())
        self.assertEqual(calls, [1])

    # Content.

    def test_content_is_read_piece_by_piece_by_each_reader_on_its_own(self):
        self.put()
        one, two = self.queue.content("id1"), self.queue.content("id1")
        verifyObject(IQueuedContent, one)
        self.assertEqual(self.answer(one.read(5)), CONTENT[:5])
        self.assertEqual(self.answer(two.read(1000)), CONTENT)
        self.assertEqual(self.answer(one.read(1000)), CONTENT[5:])
        self.assertEqual(self.answer(one.read(1000)), b"")
        for each in (one, two, one):
            each.close()
        self.queue.content("id1").close()

    def test_there_is_no_content_of_what_is_not_there(self):
        self.failure(self.queue.content("nobody").read(1), TemporaryFailure)

    # Destinations.

    def test_recipients_go_by_the_destinations_that_hold_now(self):
        self.put(letter("mixed", EVE, MAX, Address("eva", "example.org")))
        self.put(letter("late", EVE, release=LATER))
        self.answer(self.queue.reroute(lambda sender, recipient: "smarthost"))
        leases = self.claim()
        self.assertEqual({lease.destination for lease in leases}, {"smarthost"})
        self.assertEqual(sorted(each.number for lease in leases for each in lease.recipients), [0, 1, 2])
        self.put(letter("new", MAX))
        (new,) = self.claim()
        self.assertEqual(new.destination, "smarthost")
        (late,) = self.claim(now=LATER, count=1)
        self.assertEqual(late.destination, "smarthost")

    def test_what_is_leased_or_over_keeps_its_destination_until_it_comes_back(self):
        self.put(letter("mixed", EVE, Address("eva", "example.org")))
        (lease,) = self.claim()
        self.answer(self.queue.reroute(lambda sender, recipient: recipient.local))
        self.assertEqual(self.claim(), ())
        self.record(lease, {0: TAKEN, 1: BUSY}, owed={1: NotifyOn.DELAY})
        (lease,) = self.claim(now=LATER)
        self.assertEqual(lease.destination, "eva")
        (recipient,) = lease.recipients
        self.assertEqual((recipient.number, recipient.tries, recipient.last), (1, 1, BUSY))
        (notice,) = self.owed()
        self.assertEqual(notice.recipients, (recipient,))

    # What waits for the time that its sender chose.

    def held(self, account, now=NOON):
        usage = self.answer(self.queue.held_by(account, now))
        return usage.messages, usage.octets

    def test_how_much_an_account_has_that_waits(self):
        self.put_all(letter(f"a{number}", EVE, account=ANN, release=LATER + number) for number in range(3))
        self.put(letter("joe", EVE, account=JOE, release=LATER))
        self.put(letter("now", EVE, account=ANN))
        self.put(letter("nobody", EVE, release=LATER))
        size = len(CONTENT)
        self.assertEqual(self.held(ANN), (3, 3 * size))
        self.assertEqual(self.held(JOE), (1, size))
        self.assertEqual(self.held(MAX), (0, 0))
        self.assertEqual(self.held(ANN, LATER), (2, 2 * size))
        self.restart()
        self.assertEqual(self.held(ANN), (3, 3 * size))
        self.assertEqual(self.held(ANN, LATER + 9), (0, 0))

    # Sources.

    def by_source(self):
        """Mail of ANN and JOE comes from two addresses, that of others from the usual one."""
        from_two = {ANN: f"{FROM}192.0.2.1", JOE: f"{FROM}192.0.2.2"}
        self.answer(self.queue.reroute(lambda sender, to: to.domain + from_two.get(sender, "")))

    def test_each_source_of_a_destination_has_room_for_itself(self):
        self.by_source()
        self.put_all(
            letter(f"{who.local}{number}", EVE, sender=who) for number in range(9) for who in (ANN, JOE, MAX)
        )
        leases = self.claim(usual=2)
        self.assertEqual(
            Counter(lease.destination for lease in leases),
            {"example.org": 2, "example.org from 192.0.2.1": 2, "example.org from 192.0.2.2": 2},
        )
        self.assertTrue(
            all(lease.destination.endswith("1") for lease in leases if lease.message.sender == ANN)
        )
        full = {"example.org": 0, "example.org from 192.0.2.1": 0}
        self.assertEqual([id[:3] for id in self.claimed(room=full)], ["joe"] * 7)

    def test_a_source_has_room_for_so_much_wherever_it_goes(self):
        self.by_source()
        self.put_all(
            letter(f"{who.local}{number}", Address("r", f"d{number}.example"), sender=who)
            for who in (JOE, ANN, MAX)
            for number in range(20)
        )
        taken = Counter(id[:3] for id in self.claimed(sources={"192.0.2.1": 3}, from_each=5))
        self.assertEqual(taken, {"ann": 3, "joe": 5, "max": 5})
        self.assertEqual(self.claimed(from_each=0), [])
        self.assertEqual(self.claimed(sources={"": 0, "192.0.2.1": 0, "192.0.2.2": -1}), [])
        self.assertEqual(self.claimed(room={"d0.example": 9}, usual=0, sources={"": 0}), [])
        taken = Counter(id[:3] for id in self.claimed(sources={"192.0.2.1": 0}))
        self.assertEqual(taken, {"joe": 15, "max": 15})
        self.assertEqual(self.next_due(), 0)

    def test_a_source_has_no_more_room_where_few_destinations_have_much(self):
        self.by_source()
        self.put_all(
            letter(f"{number}", Address("r", f"d{number % 2}.example"), sender=ANN) for number in range(12)
        )
        self.assertEqual(len(self.claimed(sources={"192.0.2.1": 3}, usual=5)), 3)
        self.assertEqual(len(self.claimed(from_each=4, usual=5)), 4)

    def test_a_full_source_with_much_to_send_does_not_hold_up_another_one(self):
        self.by_source()
        self.put_all(
            letter(f"joe{number}", Address("r", f"d{number % 50}.example"), sender=JOE)
            for number in range(150)
        )
        self.claim(count=20, usual=2)
        self.put(letter("letter", EVE, sender=ANN))
        self.assertEqual(self.claimed(count=3, sources={"192.0.2.2": 0}), ["letter"])
        self.restart()
        self.by_source()
        self.assertEqual(self.claimed(count=3, now=NOON + 999, sources={"192.0.2.2": 0}), ["letter"])

    def test_a_message_goes_by_the_source_that_holds_now(self):
        self.put_all(letter(f"m{number}", EVE, sender=who) for number, who in enumerate((JOE, ANN, None)))
        (lease,) = self.claim(count=1)
        self.by_source()
        self.answer(self.queue.give_back([lease], NOON))
        self.assertEqual(
            sorted(lease.destination for lease in self.claim()),
            ["example.org", "example.org from 192.0.2.1", "example.org from 192.0.2.2"],
        )

    # Fairness.

    def test_a_newsletter_does_not_hold_up_a_letter_to_the_same_destination(self):
        self.put(crowd("news", 100 * MAX_RECIPIENTS_AT_ONCE))
        self.claim(count=10)
        self.put(letter("letter", EVE, sender=ANN))
        self.assertIn("letter", self.claimed(count=3))

    def test_a_newsletter_does_not_hold_up_a_letter_to_another_destination(self):
        self.put_all(
            letter(f"news{number}", Address("r", f"d{number % 100}.example"), sender=JOE)
            for number in range(200)
        )
        self.claim(count=20, usual=2)
        self.put(letter("letter", EVE, sender=ANN))
        self.assertIn("letter", self.claimed(count=3))

    def test_nor_where_most_of_its_destinations_are_full(self):
        self.put_all(
            letter(f"news{number}", Address("r", f"d{number % 50}.example"), sender=JOE)
            for number in range(150)
        )
        full = {f"d{number}.example": 0 for number in range(45)}
        self.claim(count=10, room=full)
        self.put(letter("letter", Address("r", "d46.example"), sender=ANN))
        self.assertIn("letter", self.claimed(count=3, room=full))

    def test_what_there_is_room_for_is_found_behind_all_that_is_full(self):
        self.put_all(letter(f"m{number}", Address("r", f"d{number}.example")) for number in range(10))
        full = {f"d{number}.example": 0 for number in range(9)}
        self.assertEqual(self.claimed(count=1, room=full), ["m9"])

    def test_who_logged_in_counts_and_not_the_sender(self):
        self.put_all(
            letter(f"news{number}", EVE, sender=Address(f"s{number}", "example.net"), account=JOE)
            for number in range(30)
        )
        self.put(letter("letter", EVE, sender=JOE, account=ANN))
        self.assertIn("letter", self.claimed(count=3))

    def test_large_mail_costs_more_turns(self):
        large = b"x" * (4 * 1024 * 1024)
        for number in range(4):
            self.put(letter(f"large{number}", EVE), large)
        self.put_all(letter(f"small{number}", EVE, sender=ANN) for number in range(8))
        taken = self.claimed(count=12)
        self.assertEqual([id[:-1] for id in taken[-3:]], ["large"] * 3)
        self.assertNotEqual(taken[-4][:-1], "large")

    def test_who_sends_one_after_the_other_does_not_starve_the_others(self):
        self.put(letter("patient0", EVE, sender=ANN))
        self.put(letter("patient1", EVE, sender=ANN))
        taken = []
        for number in range(6):
            self.put(letter(f"busy{number}", EVE, sender=JOE))
            taken += self.claimed(count=1)
        self.assertIn("patient0", taken)
        self.assertIn("patient1", taken)
