"""Whoever follows an account has its mail written down before the 250; of all others nothing is found out."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError, Deferred

from mailsuite.delivery.arrivals import Arrivals, Mail
from mailsuite.delivery.message_facts import ROOM
from mailsuite.delivery.route_archive import ArchiveRule, Archives
from mailsuite.model import reply as replies
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.message import Stored
from mailsuite.model.notice import Happening, Importance, Kind, Level, MessageFacts
from mailsuite.model.quota import Quota, QuotaReached
from mailsuite.model.retention import Usage
from mailsuite.wire.smtp.events import BodyEnd
from tests.delivery.case import ANN, BODY, CLAIM, EVE, FULL, JOE, Case
from tests.delivery.dsn_cases import DEFERRED, RELAYED
from tests.delivery.notices_case import NoticesCase

TAGGED = Address("joe+shop", "example.net")
LETTER = b"From: Eve <eve@example.org>\r\nSubject: Offer\r\nImportance: high\r\n\r\nBuy now\r\n"


class ReceivedTests(Case):
    def follow(self, *accounts: Address, level: Level = Level.SUBJECT) -> None:
        self.intake.follows = dict.fromkeys(accounts, level)

    def send(self, *recipients: Address, sender: Address | None = EVE, letter: bytes = LETTER) -> None:
        self.envelope(*recipients, sender=sender)
        self.now(self.reception.start_data())
        self.feed(letter)
        self.assertEqual(self.end().code, 250)

    def test_who_is_followed_has_it_written_down_with_what_the_message_says(self) -> None:
        self.follow(JOE)
        self.send(TAGGED, ANN)
        facts = MessageFacts("eve@example.org", "Eve", "Offer", label="shop", importance=Importance.HIGH)
        (happening,) = self.intake.happenings
        (content,) = self.contents()
        self.assertEqual(
            happening,
            Happening(JOE, Kind.MAIL_NEW, self.clock.seconds(), happening.uidl, len(content), facts),
        )
        self.assertTrue(happening.uidl)

    def test_each_by_their_own_level(self) -> None:
        self.intake.follows = {JOE: Level.PREVIEW, ANN: Level.COUNT}
        self.send(JOE, ANN)
        joe, ann = (each.facts for each in self.intake.happenings)
        assert joe is not None
        assert ann is not None
        self.assertEqual((joe.subject, joe.preview), ("Offer", "Buy now"))
        self.assertEqual((ann.subject, ann.preview, ann.importance), ("", "", Importance.HIGH))

    def test_of_the_others_nothing_is_kept(self) -> None:
        self.follow(ANN)
        self.envelope(JOE)
        self.now(self.reception.start_data())
        self.feed(LETTER)
        incoming = self.reception._incoming
        assert incoming is not None
        self.assertEqual(bytes(incoming.beginning), b"")
        self.end()
        self.assertEqual(self.intake.happenings, [])
        self.assertEqual(self.intake.asked, [JOE])

    def test_of_a_long_message_the_beginning_is_kept(self) -> None:
        self.follow(JOE)
        self.envelope(JOE)
        self.now(self.reception.start_data())
        for _ in range(3):
            self.feed(LETTER * (ROOM // len(LETTER)))
        incoming = self.reception._incoming
        assert incoming is not None
        self.assertEqual(len(incoming.beginning), ROOM)
        self.end()
        self.assertEqual(len(self.intake.happenings), 1)

    def test_a_null_reverse_path_and_a_submission(self) -> None:
        self.follow(JOE, ANN)
        self.send(JOE, sender=None)
        self.now(self.reception.authenticate(CLAIM))
        self.send(JOE, ANN, sender=JOE)
        bounce, own, others = (each.facts for each in self.intake.happenings)
        assert bounce is not None
        assert own is not None
        assert others is not None
        self.assertTrue(bounce.auto)
        self.assertEqual([own.own, others.own], [True, False])
        self.assertFalse(own.auto)

    def test_what_a_submission_gets_added_is_what_is_told(self) -> None:
        self.service = "submission"
        self.reception.facts = attrs.evolve(self.reception.facts, service="submission")
        self.follow(JOE)
        self.now(self.reception.authenticate(CLAIM))
        self.send(JOE, sender=JOE, letter=b"Subject: note\r\n\r\nx\r\n")
        (happening,) = self.intake.happenings
        assert happening.facts is not None
        self.assertEqual(happening.facts.sender, "joe@example.net")

    def test_no_250_before_it_is_written_down(self) -> None:
        self.follow(JOE)
        self.store.held, self.intake.held = Deferred(), Deferred()
        self.data(JOE)
        ending = self.ending()
        self.assertEqual(self.intake.happenings, [])
        self.store.held.callback(None)
        self.assertEqual(len(self.contents()), 1)
        self.assertNoResult(ending)
        self.intake.held.callback(None)
        self.assertEqual(self.successResultOf(ending), replies.message_accepted("id1"))
        self.assertEqual(len(self.intake.happenings), 1)

    def test_a_client_that_leaves_meanwhile_changes_nothing(self) -> None:
        self.follow(JOE)
        self.intake.held = Deferred()
        self.data(JOE)
        ending = self.ending()
        ending.cancel()
        self.failureResultOf(ending, CancelledError)
        self.assertEqual(self.intake.happenings, [])
        self.intake.held.callback(None)
        self.assertEqual(len(self.intake.happenings), 1)
        self.assertEqual(len(self.logged("smtp.accepted")), 1)
        self.assert_nothing_open()

    def test_a_message_that_is_not_kept_is_not_written_down(self) -> None:
        self.follow(JOE)
        self.data(JOE)
        self.store.fail = {"deliver": FULL}
        self.assertEqual(self.end(), replies.DISK_FULL)
        self.data(JOE)
        self.assertEqual(self.end(replies.BARE_NEWLINE), replies.BARE_NEWLINE)
        self.assertEqual(self.intake.happenings, [])

    def test_what_is_wrong_with_a_follower_does_not_undo_a_250(self) -> None:
        self.follow(JOE)
        self.intake.held = Deferred()
        self.data(JOE)
        ending = self.ending()
        self.intake.held.errback(ValueError("of the intake"))
        self.assertEqual(self.successResultOf(ending), replies.message_accepted("id1"))
        (line,) = self.logged("notify.untold")
        self.assertIn("account=joe@example.net uidl=", line)
        self.assertEqual(len(self.logged("smtp.accepted")), 1)

    def test_nor_what_is_wrong_with_the_notice_of_success(self) -> None:
        def broken(*what: object) -> None:
            raise ValueError("of the notice")

        self.replaced(delivered=broken)
        self.reception.hello("client.example.org", True)
        self.data(JOE)
        incoming = self.reception._incoming
        assert incoming is not None
        accepted = incoming.envelope.accepted[0]
        asked = attrs.evolve(accepted.parameters, notify=frozenset({NotifyOn.SUCCESS}))
        incoming.envelope.accepted[0] = attrs.evolve(accepted, parameters=asked)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        (line,) = self.logged("smtp.telling_failed")
        self.assertIn("id=id1", line)

    def test_an_archive_of_headers_has_no_preview(self) -> None:
        box = Address("archive", "example.net")
        self.now(self.directory.add_account(Account(box)))
        for brief, preview in ((True, ""), (False, "Buy now")):
            self.replaced(archives=Archives(ArchiveRule((box,), header_only=brief), {}))
            self.reception.hello("client.example.org", True)
            self.follow(box, level=Level.PREVIEW)
            self.send(JOE)
            happening = self.intake.happenings[-1]
            assert happening.facts is not None
            self.assertEqual((happening.account, happening.facts.preview), (box, preview))

    def test_an_archive_of_headers_that_nobody_follows(self) -> None:
        box = Address("archive", "example.net")
        self.now(self.directory.add_account(Account(box)))
        self.replaced(archives=Archives(ArchiveRule((box,), header_only=True), {}))
        self.reception.hello("client.example.org", True)
        self.follow(JOE)
        self.send(JOE)
        self.assertEqual([each.account for each in self.intake.happenings], [JOE])


class EachTests(ReceivedTests):
    service = "lmtp"

    def test_those_who_have_it_and_no_others(self) -> None:
        self.follow(JOE, ANN)
        self.data(JOE, ANN)
        self.store.fail, self.store.fail_for = {"deliver": FULL}, ANN
        ending = Deferred.fromCoroutine(self.reception.end_each(BodyEnd(len(BODY), None, False)))
        good, bad = self.successResultOf(ending)
        self.assertEqual((good.code, bad), (250, replies.DISK_FULL))
        self.assertEqual([each.account for each in self.intake.happenings], [JOE])


class OwnMailTests(NoticesCase):
    def test_a_notice_of_ours_is_written_down_like_any_mail(self) -> None:
        self.intake.follows = {JOE: Level.SUBJECT}
        self.failed()
        self.work()
        (happening,) = [each for each in self.intake.happenings if each.kind is Kind.MAIL_NEW]
        assert happening.facts is not None
        self.assertTrue(happening.facts.auto)
        self.assertIn("Not delivered: ", happening.facts.subject)

    def outgoing(self) -> list[tuple[Address, Kind, str]]:
        return [
            (each.account, each.kind, each.detail)
            for each in self.intake.happenings
            if each.kind is not Kind.MAIL_NEW
        ]

    def test_mail_that_failed_is_told_of_by_itself_once_for_each_message(self) -> None:
        self.intake.follows = {JOE: Level.SUBJECT}
        self.failed(EVE, Address("max", "example.org"), Address("moritz", "example.org"))
        self.work()
        detail = "not delivered to eve@example.org and 2 more"
        self.assertEqual(self.outgoing(), [(JOE, Kind.QUEUE_FAILED, detail)])
        self.work()
        self.assertEqual(len(self.outgoing()), 1)

    def test_so_is_mail_that_is_late(self) -> None:
        self.put()
        self.happens(DEFERRED, NotifyOn.DELAY)
        self.work()
        detail = "not delivered yet to eve@example.org"
        self.assertEqual(self.outgoing(), [(JOE, Kind.QUEUE_DELAYED, detail)])

    def test_not_what_a_stranger_sent_nor_what_went_well(self) -> None:
        self.failed(account=None, id="m1")
        self.put(notify={NotifyOn.SUCCESS}, id="m2")
        self.happens(RELAYED, NotifyOn.SUCCESS)
        self.work()
        self.assertEqual(self.outgoing(), [])

    def test_a_quota_is_told_of_by_itself(self) -> None:
        arrivals = Arrivals(self.clock.seconds, self.log, self.intake)
        reached = QuotaReached(JOE, 95, Usage(1, 96), Quota(100))
        self.now(arrivals.quota_reached(reached))
        at = self.clock.seconds()
        detail = "your mailbox is more than 95 percent full"
        self.assertEqual(
            self.intake.happenings,
            [Happening(JOE, Kind.QUOTA_REACHED, at, size=95, detail=detail)],
        )

    def test_where_nobody_follows_anybody(self) -> None:
        arrivals = Arrivals(self.clock.seconds, self.log)
        self.now(arrivals.tell([Stored(JOE, "uidl", 7)], Mail(LETTER, EVE)))
        self.now(arrivals.quota_reached(QuotaReached(JOE, 80, Usage(1, 81), Quota(100))))
        self.assertEqual(self.lines, [])

    def test_stopping_ends_the_wait(self) -> None:
        self.intake.follows, self.intake.held = {JOE: Level.COUNT}, Deferred()
        arrivals = Arrivals(self.clock.seconds, self.log, self.intake)
        telling = Deferred.fromCoroutine(arrivals.tell([Stored(JOE, "uidl", 7)], Mail(LETTER, EVE)))
        telling.cancel()
        self.failureResultOf(telling, CancelledError)
        self.assertEqual(self.lines, [])
