"""Who is told what, and when: rows Q-05, Q-07, Q-08, S-A16, S-A17, M-10."""

from __future__ import annotations

import email
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from mailsuite.delivery.dsn_decision import NoticeRules
from mailsuite.delivery.dsn_languages import Languages
from mailsuite.delivery.notices import BATCH, MAX_LATER, MAX_TOGETHER, PATIENCE
from mailsuite.delivery.notices_digest import RETRY
from mailsuite.model import reply as replies
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters, NotifyOn, Returned
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import Owed
from tests.delivery.dsn_cases import (
    DAY,
    DEFERRED,
    DELIVERED,
    EVE,
    JOE,
    LETTER,
    MAX,
    RELAYED,
    message,
    recipient,
)
from tests.delivery.dsn_reader import read_dsn
from tests.delivery.notices_case import ADMIN, STRANGER, NoticesCase

FAILURE, DELAY, SUCCESS, NEVER = NotifyOn.FAILURE, NotifyOn.DELAY, NotifyOn.SUCCESS, NotifyOn.NEVER
BUSY = TemporaryFailure(replies.STORE_UNAVAILABLE)
LIST = b"List-Id: <news.example.net>\r\n" + LETTER


class Told(NoticesCase):
    """Whoever logged in is told."""

    def test_a_sender_of_ours(self) -> None:
        self.failed()
        self.assertIsNone(self.work())
        content = self.only()
        self.assertTrue(content.startswith("Return-Path: <>\r\nDelivered-To: joe@example.net\r\n"))
        dsn = read_dsn(content.encode())
        self.assertEqual(dsn.recipients[0]["Final-Recipient"], "rfc822; eve@example.org")
        self.assertIn("From: Mail Delivery System <postmaster@example.net>\r\n", content)
        self.assertEqual(self.owed, [])
        self.assertEqual(self.queue.messages, ())
        self.assertEqual([each.account for each in self.intake.happenings], [JOE, JOE])
        (line,) = self.logged("notice.sent")
        for part in ("of=m1", "kind=failure", "to=joe@example.net", "recipients=1"):
            self.assertIn(part, line)

    def test_a_sender_elsewhere(self) -> None:
        """Somebody of ours who may send as somebody else."""
        self.failed(sender=MAX)
        self.assertIsNone(self.work())
        (queued,) = self.queued
        self.assertIsNone(queued.envelope.sender)
        self.assertEqual([each.address for each in queued.envelope.recipients], [MAX])
        self.assertIn(b"To: <max@example.com>", queued.content)
        self.assertIn(b"<postmaster@mail.example.net>", queued.content)
        self.assertEqual(self.owed, [])

    def test_who_reads_answers_elsewhere(self) -> None:
        self.notices = self.make(contact=lambda: ADMIN)
        self.failed(sender=MAX)
        self.work()
        self.assertIn(b"From: Mail Delivery System <admin@example.net>", self.queued[0].content)

    def test_nothing_is_owed(self) -> None:
        self.put()
        self.assertIsNone(self.work())
        self.assertEqual(self.lines, [])

    def test_all_recipients_of_a_kind_in_one_notice(self) -> None:
        self.failed(EVE, MAX)
        self.work()
        self.assertEqual(len(read_dsn(self.only().encode()).recipients), 2)

    def test_a_hundred_recipients_and_more(self) -> None:
        many = [Address(f"user{number}", "example.org") for number in range(MAX_TOGETHER + 1)]
        self.failed(*many)
        self.work()
        counts = [len(read_dsn(each.encode()).recipients) for each in self.contents()]
        self.assertEqual(sorted(counts), [1, MAX_TOGETHER])
        self.assertEqual(self.owed, [])

    def test_a_delay_with_its_end(self) -> None:
        self.notices = self.make(retry_until=lambda which, who: which.arrived + 5 * DAY)
        self.put()
        self.happens(DEFERRED, DELAY)
        self.work()
        self.assertIn("Will-Retry-Until: Mon, 23 Nov 2026 11:06:40 +0000", self.only())
        self.assertEqual(self.owed, [])
        self.assertEqual(len(self.queue.messages), 1)

    def test_a_delay_that_is_over_is_not_told(self) -> None:
        """It was over when nobody looked."""
        self.put()
        self.happens(DEFERRED, DELAY)
        self.change_last(RELAYED)
        self.assertIsNone(self.work())
        self.assertEqual(self.contents(), [])
        self.assertEqual(self.owed, [])

    def test_a_success(self) -> None:
        self.put(notify={SUCCESS})
        self.happens(RELAYED, SUCCESS)
        self.work()
        self.assertIn("Action: relayed", self.only())

    def test_in_german(self) -> None:
        self.rules = NoticeRules(language="de")
        self.failed()
        self.work()
        self.assertIn("Content-Language: de", self.only())

    def speak(self, domain: str, *accounts: Account) -> None:
        """The domain of ours, and these accounts, have a language."""
        self.now(self.directory.change_domain(Domain(JOE.domain, language=domain)))
        for account in accounts:
            self.now(self.directory.change_account(account))
        self.notices = self.make(language_of=Languages(self.directory).of)

    def test_in_the_language_of_the_account(self) -> None:
        self.speak("en", Account(JOE, language="de"))
        self.failed()
        self.work()
        self.assertIn("Content-Language: de", self.only())

    def test_in_the_language_of_the_domain(self) -> None:
        self.speak("de")
        self.failed(sender=Address("JOE", JOE.domain), account=None, vouched=True)
        self.work()
        self.assertIn("Content-Language: de", self.only())

    def test_in_the_language_of_who_sent_it_for_another(self) -> None:
        self.speak("en", Account(ADMIN, language="de"))
        self.failed(account=ADMIN)
        self.work()
        self.assertIn("Content-Language: de", self.only())

    def test_in_the_usual_language_where_nobody_has_said_one_that_we_know(self) -> None:
        self.rules = NoticeRules(language="de")
        self.speak("", Account(JOE, language="x-klingon"))
        self.failed()
        self.work()
        self.assertIn("Content-Language: de", self.only())

    def test_to_the_postmaster_in_that_of_the_domain(self) -> None:
        self.speak("de", Account(JOE, language="en"))
        self.failed(sender=None)
        self.work()
        (letter,) = self.contents(ADMIN)
        self.assertIn("Content-Language: de", letter)

    def test_it_waits_for_a_directory_that_does_not_answer(self) -> None:
        async def busy(*readers: Address | None) -> str:
            raise BUSY

        self.notices = self.make(language_of=busy)
        self.failed()
        self.work()
        self.assertEqual((self.contents(), self.owed), ([], ["m1"]))

    def test_what_was_asked_back(self) -> None:
        self.failed(parameters=MailParameters(returned=Returned.FULL))
        self.work()
        self.assertIn(LETTER.decode(), self.only())

    def test_a_content_that_cannot_be_read(self) -> None:
        class Broken:
            async def read(self, octets: int) -> bytes:
                raise BUSY

            def close(self) -> None:
                pass

        self.queue.content = lambda id: Broken()  # type: ignore[assignment,method-assign,return-value]
        self.failed()
        self.work()
        self.assertIsNone(read_dsn(self.only().encode()).returned)
        self.assertEqual(len(self.logged("notice.unread")), 1)

    def test_who_has_not_logged_in_and_is_known_all_the_same(self) -> None:
        self.failed(sender=STRANGER, account=None, vouched=True)
        self.work()
        self.assertEqual([each.address for each in self.queued[0].envelope.recipients], [STRANGER])


class Bulk(NoticesCase):
    """Who sends in bulk is told where the switch is on (row S-A17)."""

    def test_the_switch_is_on(self) -> None:
        self.failed(content=LIST)
        self.work()
        self.assertEqual(len(self.contents()), 1)

    def test_the_switch_is_off(self) -> None:
        self.rules = NoticeRules(for_bulk=False)
        self.failed(content=LIST)
        self.failed(id="m2")
        self.work()
        self.assertIn("Reference:  m2", self.only())
        self.assertEqual(self.owed, [])

    def test_what_was_asked_for_in_so_many_words(self) -> None:
        self.rules = NoticeRules(for_bulk=False)
        self.failed(content=LIST, notify={FAILURE})
        self.work()
        self.assertEqual(len(self.contents()), 1)

    def test_a_double_bounce_is_told_all_the_same(self) -> None:
        self.rules = NoticeRules(for_bulk=False)
        self.failed(content=LIST, sender=None)
        self.work()
        self.assertEqual(len(self.contents(ADMIN)), 1)


class Copies(NoticesCase):
    """The postmaster looks on (row S-A16)."""

    def setUp(self) -> None:
        super().setUp()
        self.rules = NoticeRules(copies=frozenset({FAILURE}))

    def test_a_copy_without_the_text_of_the_message(self) -> None:
        self.failed(parameters=MailParameters(returned=Returned.FULL))
        self.work()
        self.assertIn("\r\nHi.\r\n", self.only())
        copy = self.only(ADMIN)
        self.assertIn("Subject: Copy: a message from joe@example.net to eve@example.org", copy)
        self.assertNotIn("\r\nHi.\r\n", copy)
        read_dsn(copy.replace("X-Original-To: postmaster@example.net\r\n", "").encode())

    def test_of_the_kinds_that_are_wanted(self) -> None:
        self.put()
        self.happens(DEFERRED, DELAY)
        self.work()
        self.assertEqual(self.contents(ADMIN), [])

    def test_a_copy_that_fails_is_not_tried_again(self) -> None:
        self.failed()
        self.store.fail, self.store.fail_for = {"deliver": BUSY}, ADMIN
        self.assertIsNone(self.work())
        self.assertEqual(self.owed, [])
        self.assertEqual(len(self.contents()), 1)
        self.assertEqual(len(self.logged("notice.uncopied")), 1)


class DoubleBounces(NoticesCase):
    """What nobody else can be told goes to the postmaster, and never bounces (row S-A17)."""

    def test_a_notice_of_ours(self) -> None:
        self.failed(sender=MAX)
        self.work()
        self.happens()  # the notice itself
        self.assertEqual(len(self.owed), 1)
        self.work()
        letter = self.only(ADMIN)
        self.assertTrue(letter.startswith("Return-Path: <>\r\n"))
        self.assertIn("Subject: Nobody could be told: a message to max@example.com failed", letter)
        self.assertIn("Not delivered: your message to eve@example.org", letter)  # all of it comes back
        self.assertEqual(self.owed, [])
        self.assertEqual(self.queue.messages, ())

    def test_a_letter_to_a_postmaster_elsewhere_ends_there(self) -> None:
        self.notices = self.make(contact=lambda: MAX)
        self.failed(sender=None, account=STRANGER)
        self.work()
        (queued,) = self.queued
        self.assertEqual(queued.envelope.recipients[0].parameters.notify, {NEVER})

    def test_the_null_sender_of_who_logged_in(self) -> None:
        self.failed(sender=None)
        self.work()
        self.assertIn("X-Original-To: postmaster@example.net", self.only(ADMIN))

    def test_a_sender_who_is_gone(self) -> None:
        gone = Address("gone", "example.net")
        self.failed(sender=gone)
        self.work()
        self.assertIn("Sender:     gone@example.net", self.only(ADMIN))
        self.assertEqual(self.owed, [])
        self.assertEqual(len(self.logged("notice.undeliverable")), 1)

    def test_delays_and_successes_of_who_is_gone_are_told_to_nobody(self) -> None:
        self.put(sender=Address("gone", "example.net"))
        self.happens(DEFERRED, DELAY)
        self.work()
        self.assertEqual(self.contents(ADMIN), [])
        self.assertEqual(self.owed, [])

    def test_a_maildrop_that_takes_nothing_for_days(self) -> None:
        self.failed()
        self.store.fail, self.store.fail_for = {"deliver": BUSY}, JOE
        self.assertEqual(self.work(), RETRY)
        self.clock.advance(PATIENCE)
        self.assertIsNone(self.work())
        self.assertEqual(len(self.contents(ADMIN)), 1)
        self.assertEqual(self.owed, [])

    def test_no_postmaster(self) -> None:
        self.notices = self.make(contact=lambda: Address("gone", "example.net"))
        self.failed(sender=None, account=STRANGER)
        self.assertIsNone(self.work())
        self.assertEqual(self.owed, [])
        self.assertEqual(len(self.logged("notice.lost")), 1)

    def test_a_postmaster_who_takes_nothing_for_days(self) -> None:
        self.failed(sender=None)
        self.store.fail = {"deliver": BUSY}
        self.assertEqual(self.work(), RETRY)
        self.clock.advance(PATIENCE)
        self.assertEqual(self.work(), RETRY)
        self.assertEqual(self.owed, ["m1"])
        self.clock.advance(PATIENCE)
        self.assertIsNone(self.work())
        self.assertEqual(self.owed, [])
        self.assertEqual(len(self.logged("notice.lost")), 1)

    def test_where_nothing_was_tried_the_arrival_counts(self) -> None:
        self.failed()
        self.change_last(None)
        self.store.fail, self.store.fail_for = {"deliver": BUSY}, JOE
        self.clock.advance(PATIENCE - 3600)
        self.assertEqual(self.work(), RETRY)
        self.clock.advance(RETRY)
        self.assertIsNone(self.work())
        self.assertEqual(len(self.contents(ADMIN)), 1)


class Trouble(NoticesCase):
    """What cannot be told now is told later."""

    def test_it_stays_owed(self) -> None:
        self.failed()
        self.store.fail = {"deliver": BUSY}
        self.assertEqual(self.work(), RETRY)
        self.assertEqual(self.owed, ["m1"])
        self.assertEqual(len(self.logged("notice.postponed")), 1)
        self.store.fail = {}
        self.clock.advance(RETRY / 2)
        self.assertEqual(self.work(), RETRY / 2)  # not before its time
        self.assertEqual(self.contents(), [])
        self.clock.advance(RETRY / 2)
        self.assertIsNone(self.work())
        self.assertEqual(len(self.contents()), 1)
        self.assertEqual(self.owed, [])

    def test_a_mistake_of_ours(self) -> None:
        self.failed()
        self.store.fail = {"deliver": RuntimeError("oops")}
        self.assertEqual(self.work(), RETRY)
        self.assertEqual(self.owed, ["m1"])
        self.assertIn("oops", self.logged("notice.failed")[0])

    def test_one_that_fails_does_not_hold_up_the_others(self) -> None:
        self.failed()
        self.failed(id="m2", sender=ADMIN, account=ADMIN)
        self.store.fail, self.store.fail_for = {"deliver": BUSY}, JOE
        self.assertEqual(self.work(), RETRY)
        self.assertEqual(self.owed, ["m1"])

    def test_more_than_a_batch_fail(self) -> None:
        for number in range(BATCH):
            self.put(id=f"m{number}")
        self.put(id="last", sender=ADMIN, account=ADMIN)
        self.happens()
        self.store.fail, self.store.fail_for = {"deliver": BUSY}, JOE
        self.assertEqual(self.work(), 0.0)
        self.assertEqual(self.contents(ADMIN), [])
        self.assertEqual(self.work(), RETRY)
        self.assertEqual(len(self.contents(ADMIN)), 1)

    def test_where_nothing_goes_not_everything_is_tried(self) -> None:
        for number in range(MAX_LATER + BATCH + 1):
            self.put(id=f"m{number}")
        self.happens()
        self.store.fail = {"deliver": BUSY}
        waits = [self.work() for _ in range(MAX_LATER // BATCH + 2)]
        self.assertEqual(waits, [0.0] * (MAX_LATER // BATCH) + [RETRY, RETRY])
        self.assertEqual(len(self.logged("notice.postponed")), MAX_LATER)

    def test_what_somebody_else_has_settled_is_forgotten(self) -> None:
        self.failed()
        self.store.fail = {"deliver": BUSY}
        self.work()
        for each in self.now(self.queue.owed(10)):
            self.now(self.queue.told(each))
        self.assertIsNone(self.work())

    def test_the_queue_is_not_available(self) -> None:
        self.queue.refuse_with = BUSY
        self.failureResultOf(Deferred.fromCoroutine(self.notices.work()), TemporaryFailure)

    def test_a_crash_before_it_is_known_that_it_was_told(self) -> None:
        """A notice in a maildrop is there twice then; one to another server is the same message."""
        self.failed()
        self.failed(id="m2", sender=MAX)
        told, self.queue.told = self.queue.told, self.broken  # type: ignore[method-assign]
        self.work()
        self.assertEqual(len(self.owed), 2)
        self.queue.told = told  # type: ignore[method-assign]
        self.notices = self.make()
        self.clock.advance(60)
        self.work()
        self.assertEqual(self.owed, [])
        self.assertEqual(len(self.queued), 1)
        ids = {email.message_from_string(each)["Message-ID"] for each in self.contents()}
        self.assertEqual((len(self.contents()), len(ids)), (2, 1))

    async def broken(self, owed: Owed) -> None:
        raise BUSY

    def test_it_stops(self) -> None:
        self.failed()
        self.store.held = Deferred()
        running = Deferred.fromCoroutine(self.notices.work())
        self.assertNoResult(running)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.store.held.callback(None)  # what was begun runs to its end
        self.assertEqual(len(self.contents()), 1)
        self.assertEqual(self.owed, ["m1"])


class Delivered(NoticesCase):
    """What went into maildrops of ours (RFC 3461 section 5.2.3)."""

    def delivered(self, notify: set[NotifyOn] | None, **changes: Any) -> None:
        people = (recipient(0, ADMIN, DELIVERED, notify), recipient(1, EVE, DELIVERED, {FAILURE}))
        expanded = changes.pop("expanded", frozenset())
        self.now(self.notices.delivered(message(**changes), people, LETTER[:80], expanded))

    def test_who_has_asked(self) -> None:
        self.delivered({SUCCESS})
        dsn = read_dsn(self.only().encode())
        self.assertEqual([each["Action"] for each in dsn.recipients], ["delivered"])
        assert dsn.returned is not None
        self.assertIn(b"Subject: Offer", dsn.returned.octets)

    def test_a_name_for_several(self) -> None:
        self.delivered({SUCCESS}, expanded=frozenset({0}))
        self.assertIn("Action: expanded", self.only())

    def test_who_has_not(self) -> None:
        self.delivered(None)
        self.delivered({NEVER})
        self.delivered({SUCCESS}, sender=None)
        self.assertEqual(self.contents(), [])
        self.assertEqual(self.lines, [])

    def test_the_door_has_promised_it_to_whoever_could_ask(self) -> None:
        self.delivered({SUCCESS}, account=None)
        self.assertEqual(len(self.contents()), 1)

    def test_of_so_many_in_two_notices(self) -> None:
        people = tuple(recipient(number, ADMIN, DELIVERED, {SUCCESS}) for number in range(101))
        self.now(self.notices.delivered(message(), people, LETTER[:80]))
        self.assertEqual([len(read_dsn(each.encode()).recipients) for each in self.contents()], [100, 1])

    def test_it_cannot_be_told(self) -> None:
        self.store.fail = {"deliver": BUSY}
        self.delivered({SUCCESS})
        self.assertEqual(len(self.logged("notice.undeliverable")), 1)
        self.store.fail = {"deliver": RuntimeError("oops")}
        self.delivered({SUCCESS})
        self.assertEqual(len(self.logged("notice.failed")), 1)

    def test_it_stops(self) -> None:
        self.store.held = Deferred()
        people = (recipient(0, ADMIN, DELIVERED, {SUCCESS}),)
        running = Deferred.fromCoroutine(self.notices.delivered(message(), people, LETTER))
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.store.held.callback(None)
        self.assertEqual(len(self.contents()), 1)
