"""No backscatter: strangers are not told, the postmaster is, by one letter an hour (row Q-08)."""

from __future__ import annotations

import email
import email.policy
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from mailsuite.delivery.dsn_languages import Languages
from mailsuite.delivery.notices_digest import DIGEST_EVERY, MAX_DIGEST, RETRY
from mailsuite.model import reply as replies
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.failure import TemporaryFailure
from tests.delivery.dsn_cases import DEFERRED, EVE, MAX, RELAYED
from tests.delivery.notices_case import ADMIN, STRANGER, NoticesCase


class Strangers(NoticesCase):
    def stranger(self, id: str = "m1", **more: Any) -> None:
        self.failed(id=id, **{"sender": STRANGER, "account": None, **more})

    def letters(self) -> list[str]:
        return [
            str(email.message_from_string(each, policy=email.policy.default)["Subject"])
            for each in self.contents(ADMIN)
        ]

    def test_one_letter_about_all_of_an_hour(self) -> None:
        self.stranger()
        self.assertEqual(self.work(), DIGEST_EVERY)
        self.clock.advance(DIGEST_EVERY / 2)
        self.stranger("m2")
        self.assertEqual(self.work(), DIGEST_EVERY / 2)
        self.assertEqual(self.contents(ADMIN), [])
        self.assertEqual(self.owed, ["m1", "m2"])  # a crash loses none of it
        self.clock.advance(DIGEST_EVERY / 2)
        self.assertIsNone(self.work())
        self.assertEqual(self.letters(), ["Mail that could not be forwarded: 2"])
        self.assertEqual(self.owed, [])
        self.assertEqual(self.queued, [])
        self.assertEqual(len(self.logged("notice.withheld")), 2)
        self.assertIn("messages=2", self.logged("notice.digest")[0])

    def test_in_the_language_of_the_postmaster(self) -> None:
        self.now(self.directory.change_account(Account(ADMIN, language="de")))
        self.notices = self.make(language_of=Languages(self.directory).of, contact=lambda: ADMIN)
        self.stranger()
        self.work()
        self.clock.advance(DIGEST_EVERY)
        self.work()
        (letter,) = self.contents(ADMIN)
        self.assertIn("Content-Language: de", letter)

    def test_the_next_hour(self) -> None:
        for id in ("m1", "m2"):
            self.stranger(id)
            self.work()
            self.clock.advance(DIGEST_EVERY)
            self.work()
        self.assertEqual(self.letters(), ["Mail that could not be forwarded: 1"] * 2)

    def test_nothing_was_told_after_a_crash(self) -> None:
        self.stranger()
        self.work()
        self.notices = self.make()
        self.assertEqual(self.work(), DIGEST_EVERY)
        self.clock.advance(DIGEST_EVERY)
        self.work()
        self.assertEqual(len(self.letters()), 1)

    def test_delays_and_successes_are_told_to_nobody(self) -> None:
        self.put(sender=STRANGER, account=None)
        self.happens(DEFERRED, NotifyOn.DELAY)
        self.put(id="m2", sender=STRANGER, account=None, notify={NotifyOn.SUCCESS})
        self.happens(RELAYED, NotifyOn.SUCCESS)
        self.assertIsNone(self.work())
        self.assertEqual(self.owed, [])
        self.assertEqual(self.contents(ADMIN), [])
        self.assertEqual(self.queued, [])

    def test_a_stranger_without_an_address(self) -> None:
        self.stranger(sender=None)
        self.assertEqual(self.work(), DIGEST_EVERY)
        self.assertIn("sender=<>", self.logged("notice.withheld")[0])

    def test_a_flood(self) -> None:
        for number in range(MAX_DIGEST + 3):
            self.put(id=f"m{number}", sender=STRANGER, account=None)
        self.happens()
        while self.work() == 0.0:
            pass
        self.assertEqual(len(self.owed), MAX_DIGEST)
        self.clock.advance(DIGEST_EVERY)
        self.work()
        self.assertEqual(self.letters(), [f"Mail that could not be forwarded: {MAX_DIGEST + 3}"])
        self.assertIn("3 more are in the log", self.only(ADMIN))
        self.assertEqual(self.owed, [])
        self.stranger("later")
        self.work()
        self.clock.advance(DIGEST_EVERY)
        self.work()
        self.assertEqual(self.letters()[-1], "Mail that could not be forwarded: 1")

    def test_others_are_told_meanwhile(self) -> None:
        for number in range(120):
            self.put(id=f"m{number}", sender=STRANGER, account=None)
        self.put(id="ours")
        self.happens()
        while self.work() == 0.0:
            pass
        self.assertEqual(len(self.contents()), 1)

    def test_a_letter_that_cannot_be_sent_now(self) -> None:
        self.stranger()
        self.work()
        self.clock.advance(DIGEST_EVERY)
        self.store.fail = {"deliver": TemporaryFailure(replies.DISK_FULL)}
        self.assertEqual(self.work(), RETRY)
        self.assertEqual(len(self.logged("notice.postponed")), 1)
        self.store.fail = {}
        self.clock.advance(RETRY)
        self.assertIsNone(self.work())
        self.assertEqual(len(self.letters()), 1)

    def test_a_mistake_of_ours(self) -> None:
        self.stranger()
        self.work()
        self.clock.advance(DIGEST_EVERY)
        self.store.fail = {"deliver": RuntimeError("oops")}
        self.assertEqual(self.work(), RETRY)
        self.assertIn("oops", self.logged("notice.failed")[0])
        self.assertEqual(self.owed, ["m1"])

    def test_it_stops(self) -> None:
        self.stranger()
        self.work()
        self.clock.advance(DIGEST_EVERY)
        self.store.held = Deferred()
        running = Deferred.fromCoroutine(self.notices.work())
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.store.held.callback(None)
        self.assertEqual(len(self.letters()), 1)

    def test_nobody_to_tell(self) -> None:
        self.notices = self.make(contact=lambda: Address("gone", "example.net"))
        self.stranger()
        self.work()
        self.clock.advance(DIGEST_EVERY)
        self.assertIsNone(self.work())
        self.assertEqual(self.owed, [])
        self.assertEqual(len(self.logged("notice.lost")), 1)

    def test_a_postmaster_elsewhere(self) -> None:
        self.notices = self.make(contact=lambda: MAX)
        self.stranger()
        self.work()
        self.clock.advance(DIGEST_EVERY)
        self.work()
        (queued,) = self.queued
        self.assertEqual(queued.envelope.recipients[0].parameters.notify, {NotifyOn.NEVER})

    def test_what_somebody_else_has_settled(self) -> None:
        self.stranger()
        self.stranger("m2")
        self.work()
        first, _ = self.now(self.queue.owed(10))
        self.now(self.queue.told(first))
        self.clock.advance(DIGEST_EVERY)
        self.work()
        self.assertEqual(self.letters(), ["Mail that could not be forwarded: 1"])

    def test_whom_it_was_forwarded_for(self) -> None:
        self.stranger()
        self.work()
        self.clock.advance(DIGEST_EVERY)
        self.work()
        self.assertIn(f"to {EVE}", self.only(ADMIN))
