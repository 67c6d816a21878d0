"""Copies for archives: with the envelope in front, whole or the header alone, or no mail at all."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError, Deferred

from mailsuite.delivery.route_archive import ArchiveRule, Archives
from mailsuite.model import reply as replies
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.queue.memory import MemoryQueue
from tests.delivery.case import ANN, BODY, CLAIM, EVE, FULL, JOE, Case, Ruling

BOX = Address("archive", "example.net")


class ArchiveTests(Case):
    def keep(self, *to: Address, header_only: bool = False, **domains: ArchiveRule) -> None:
        rule = ArchiveRule(to or (BOX,), header_only=header_only)
        self.replaced(archives=Archives(rule, domains))
        self.reception.hello("client.example.org", True)

    def setUp(self) -> None:
        super().setUp()
        self.now(self.directory.add_account(Account(BOX)))

    def test_the_archive_has_the_message_and_its_envelope(self) -> None:
        self.keep()
        self.data(JOE, ANN)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        (content,) = self.contents(BOX)
        self.assertTrue(
            content.startswith(
                b"X-Envelope-From: <eve@example.org>\r\n"
                b"X-Envelope-To: <joe@example.net>,\r\n\t<ann@example.net>\r\n"
                b"Return-Path: <eve@example.org>\r\n"
                b"Delivered-To: archive@example.net\r\nReceived: "
            )
        )
        self.assertTrue(content.endswith(BODY))
        for account in (JOE, ANN):
            (content,) = self.contents(account)
            self.assertNotIn(b"X-Envelope", content)

    def test_of_the_header_alone(self) -> None:
        self.keep(header_only=True)
        for pieces in ((BODY,), tuple(BODY[at : at + 1] for at in range(len(BODY)))):
            self.envelope(JOE)
            self.now(self.reception.start_data())
            for piece in pieces:
                self.feed(piece)
            self.end()
            content = self.contents(BOX)[-1]
            self.assertTrue(content.endswith(b"\r\nSubject: hello\r\n\r\n"))
            self.assertTrue(self.contents(JOE)[-1].endswith(BODY))

    def test_a_message_without_any_field(self) -> None:
        self.keep(header_only=True)
        for body in (b"\r\nsecret\r\n\r\nmore\r\n", b"no field at all\r\n\r\nmore\r\n"):
            self.envelope(JOE)
            self.now(self.reception.start_data())
            self.feed(body)
            self.end()
            content = self.contents(BOX)[-1]
            self.assertTrue(content.endswith(b"+0000\r\n\r\n"), content)

    def test_each_domain_s_archive_knows_its_own_recipients(self) -> None:
        other = Address("boss", "example.com")
        self.now(self.directory.add_account(Account(other)))
        self.replaced(archives=Archives(domains={"example.net": ArchiveRule((BOX,))}))
        self.data(JOE, other)
        self.end()
        self.assertIn(b"X-Envelope-To: <joe@example.net>\r\n", self.contents(BOX)[0])

    def test_a_message_that_is_all_header(self) -> None:
        self.keep(header_only=True)
        self.envelope(JOE)
        self.now(self.reception.start_data())
        self.feed(b"Subject: no more\r\n")
        self.end()
        self.assertTrue(self.contents(BOX)[0].endswith(b"Subject: no more\r\n"))

    def test_who_archives_and_gets_it_has_both(self) -> None:
        self.keep(JOE)
        self.data(JOE)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertEqual([b"X-Envelope" in content for content in self.contents(JOE)], [False, True])

    def test_two_archives_of_which_one_wants_the_header_alone(self) -> None:
        header = ArchiveRule((BOX, ANN), header_only=True)
        rule = ArchiveRule((BOX,))
        self.replaced(archives=Archives(rule, {"example.net": header}))
        self.now(self.reception.authenticate(CLAIM))
        self.data(JOE)
        self.end()
        self.assertEqual(len(self.contents(BOX)), 1)
        self.assertTrue(self.contents(ANN)[0].endswith(b"hello\r\n\r\n"))

    def test_an_archive_that_leads_nowhere_lets_nothing_by(self) -> None:
        self.keep(Address("gone", "example.net"))
        self.envelope(JOE)
        self.assertEqual(self.now(self.reception.start_data()), replies.ARCHIVE_UNREACHABLE)
        (line,) = self.logged("smtp.unable")
        self.assertIn("the archive gone@example.net leads to no maildrop of ours", line)
        self.assert_nothing_happened()

    def test_a_full_archive_lets_nothing_by(self) -> None:
        self.keep()
        self.data(JOE)
        self.store.fail, self.store.fail_for = {"deliver": FULL}, BOX
        self.assertEqual(self.end(), replies.DISK_FULL)
        self.assert_nothing_happened()

    def test_mail_for_elsewhere_is_not_coming_in(self) -> None:
        self.keep()
        self.replaced(queue=MemoryQueue(), policy=Ruling())
        self.data(EVE)
        self.end()
        self.assertEqual(self.contents(BOX), ())

    def test_the_rules_of_a_failing_directory_are_told(self) -> None:
        self.keep()
        self.envelope(JOE)
        self.replaced_router()
        self.assertEqual(self.now(self.reception.start_data()), replies.INTERNAL_ERROR)
        self.assert_nothing_happened()

    def test_a_client_that_leaves_before_the_archive_is_found(self) -> None:
        waiting: Deferred[None] = Deferred()

        class Slow:
            async def route(self, recipient: Address) -> None:
                await waiting

        self.keep()
        self.envelope(JOE)
        self.replaced_router(Slow())
        starting = Deferred.fromCoroutine(self.reception.start_data())
        starting.cancel()
        self.failureResultOf(starting, CancelledError)
        self.assert_nothing_happened()

    def replaced_router(self, router: object = None) -> None:
        self.reception._services = attrs.evolve(self.services, router=router)
