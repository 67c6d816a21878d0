"""What is old goes, what a device made goes with it, and nothing stands in the way of the rest."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.notice import Happening, Kind
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.model.subscription import Attempt, Cursor, preference_id
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.erasing import erase
from mailsuite.notify.upkeep import KEPT_ENTRIES, KEPT_SECONDS, Upkeep
from mailsuite.observe.log import Log
from tests.notify.test_intake import ANN, JOE, subscription

T = TypeVar("T")
NOON = 1_700_000_000.0
AWAY = TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.event_log, self.subscriptions = MemoryEventLog(), MemorySubscriptions()
        self.clock = Clock()
        self.book = Book(self.subscriptions, self.clock, log)
        self.directory = MemoryDirectory([Account(JOE), Account(ANN)])
        self.now(self.directory.add_device(JOE, Device("phone", "Phone", b"sealed")))
        self.broken: BaseException | None = None
        self.upkeep = Upkeep(
            self.event_log,
            self.subscriptions,
            self.book,
            self.directory,
            self.devices,
            lambda: NOON,
            log,
        )

    async def devices(self, account: Address) -> Sequence[Device]:
        if self.broken is not None:
            raise self.broken
        return await self.directory.devices(account)

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def follow(self, id: str, account: Address = JOE, device: str = "") -> None:
        self.now(self.book.add(subscription(account, id, device=device), 0))

    def happened(self, *ages: float, account: Address = JOE) -> None:
        self.now(self.event_log.append([Happening(account, Kind.MAIL_NEW, NOON - age, "u1") for age in ages]))

    def followers(self) -> list[str]:
        return [each.subscription.id for each in self.book.all()]

    def left(self, account: Address = JOE) -> int:
        return len(self.now(self.event_log.read(account, 0, 10_000)).entries)


class UpkeepTests(Case):
    def test_seven_days_and_a_thousand_entries_are_kept(self) -> None:
        self.happened(KEPT_SECONDS + 1, KEPT_SECONDS - 1, 0)
        self.happened(*[0.0] * (KEPT_ENTRIES + 5), account=ANN)
        self.now(self.upkeep.round())
        self.assertEqual((self.left(), self.left(ANN)), (2, KEPT_ENTRIES))
        self.assertEqual(self.now(self.event_log.read(JOE, 0, 1)).head, 3)

    def test_attempts_are_kept_as_long(self) -> None:
        self.follow("sub_1")
        tried = [Attempt("sub_1", 1, NOON - age, 0.1, "ok") for age in (KEPT_SECONDS + 1, 0)]
        self.now(self.subscriptions.record([], tried))
        self.now(self.upkeep.round())
        self.assertEqual(len(self.now(self.subscriptions.attempts("sub_1"))), 1)

    def test_what_a_device_made_that_is_gone_goes(self) -> None:
        self.follow("sub_1")
        self.follow("sub_2", device="phone")
        self.follow("sub_3", device="stolen")
        self.follow("sub_4", device="stolen")
        self.follow("sub_5", ANN)
        self.now(self.upkeep.round())
        self.assertEqual(self.followers(), ["sub_1", "sub_2", "sub_5"])
        [line] = self.lines
        self.assertIn("notify.orphans_removed account=joe@example.net device=stolen subscriptions=2", line)

    def test_those_of_an_account_that_is_not_there_wait_for_it(self) -> None:
        self.follow("sub_1", Address("filed", "example.org"), "phone")
        self.now(self.upkeep.round())
        self.assertEqual(self.followers(), ["sub_1"])

    def test_where_a_device_may_be_missing_nothing_goes(self) -> None:
        self.follow("sub_1", device="stolen")
        self.broken = AWAY
        self.now(self.upkeep.round())
        self.assertEqual(self.followers(), ["sub_1"])
        self.assertIn("notify.upkeep_unable reason=locked", self.lines[0])

    def test_what_goes_wrong_with_one_work_stops_no_other(self) -> None:
        self.follow("sub_1", device="stolen")
        self.event_log.refuse_with = AWAY
        self.now(self.upkeep.round())
        self.assertEqual((self.followers(), len(self.lines)), ([], 2))
        self.broken = ValueError("ours")
        self.follow("sub_1", device="stolen")
        self.event_log.refuse_with = None
        self.happened(KEPT_SECONDS + 1)
        self.now(self.upkeep.round())
        self.assertEqual(self.left(), 0)
        self.assertIn("notify.failed", self.lines[-1])

    def test_stopping_ends_it(self) -> None:
        self.follow("sub_1", device="stolen")
        self.broken = CancelledError()
        self.failureResultOf(Deferred.fromCoroutine(self.upkeep.round()), CancelledError)
        self.assertEqual(self.lines, [])


class EraseTests(Case):
    """Without a book."""

    def erase(self, account: Address, device: str | None = None) -> None:
        self.now(erase(self.subscriptions, self.event_log, account, device))

    def kept(self) -> list[str]:
        return [each.subscription.id for each in self.now(self.subscriptions.all())]

    def test_an_account_leaves_nothing(self) -> None:
        self.follow("sub_1")
        self.follow("sub_2", device="phone")
        self.follow("sub_3", ANN)
        self.now(self.subscriptions.record([Cursor(preference_id(JOE), 1), Cursor(preference_id(ANN), 1)]))
        self.happened(0.0)
        self.happened(0.0, account=ANN)
        self.erase(JOE)
        self.assertEqual((self.kept(), self.left(), self.left(ANN)), (["sub_3"], 0, 1))
        self.assertEqual(
            [each.subscription for each in self.now(self.subscriptions.preferences())], [preference_id(ANN)]
        )

    def test_a_device_takes_along_what_it_made(self) -> None:
        self.follow("sub_1")
        self.follow("sub_2", device="phone")
        self.follow("sub_3", ANN, device="phone")
        self.happened(0.0)
        self.erase(JOE, "phone")
        self.assertEqual((self.kept(), self.left()), (["sub_1", "sub_3"], 1))
