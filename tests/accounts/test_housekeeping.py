"""The housekeeper: what goes in time, what does not, and that trouble with one account stops no other."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.housekeeping import FIRST_ROUND, INTERVAL, Housekeeper
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, STORE_UNAVAILABLE
from mailsuite.model.retention import DAY, MaildropRules, Retention, Usage
from mailsuite.model.view import View
from mailsuite.observe.log import Log
from mailsuite.store.memory import MemoryStore

NOW = 1_795_000_000.0
ANN, JOE, ZOE = (Address(name, "example.net") for name in ("ann", "joe", "zoe"))
MAIL = b"Subject: x\r\n\r\n"
MONTH = Retention(30 * DAY, 30 * DAY)


class StoreWithTrouble(MemoryStore):
    """One account of it cannot be worked on, for whatever reason; and expiring may take its time."""

    trouble: tuple[Address, Exception] | None = None
    hold: Deferred[None] | None = None
    clock_of_reactor: Clock | None = None
    takes = 0.0
    full = False
    expired: list[Address]

    async def enroll_view(self, account: Address, device: str) -> None:
        if self.full:
            raise TemporaryFailure(STORE_UNAVAILABLE, "full")
        await super().enroll_view(account, device)

    async def expire(self, account: Address, *arguments: Any, **keywords: Any) -> Usage:
        self.expired.append(account)
        if self.trouble is not None and self.trouble[0] == account:
            raise self.trouble[1]
        if self.hold is not None:
            await self.hold
        if self.clock_of_reactor is not None and self.takes:
            self.clock_of_reactor.rightNow += self.takes
        return await super().expire(account, *arguments, **keywords)


class DevicesOnly(MemoryDirectory):
    """Its devices cannot be read for a while."""

    away = False

    async def devices(self, account: Address, elsewhere: bool = False) -> tuple[Device, ...]:
        if self.away:
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")
        return await super().devices(account, elsewhere)


class HousekeeperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.clock = Clock()
        self.lines: list[str] = []
        self.store = StoreWithTrouble(clock=lambda: self.now)
        self.store.expired = []
        self.directory = MemoryDirectory([Account(JOE), Account(ZOE), Account(ANN)])
        self.stays = {ANN: Retention(), JOE: MONTH, ZOE: MONTH}
        self.keeper = Housekeeper(
            directory=self.directory,
            store=self.store,
            devices=self.directory.devices,
            retention=lambda account: self.stays[account.address],
            keep_deleted=lambda: self.store.rules.keep_deleted,
            clock=self.clock,
            now=lambda: self.now,
            log=Log(lambda line, level: self.lines.append(line.split(maxsplit=1)[1])),
        )
        for account in (ANN, JOE, ZOE):
            self.deliver(account)

    def deliver(self, account: Address) -> None:
        delivery = self.store.begin(account)
        delivery.write(MAIL)
        self.answer(self.store.deliver([delivery]))

    def answer(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def kept(self) -> list[int]:
        return [len(self.store.contents(account)) for account in (ANN, JOE, ZOE)]

    def round(self) -> None:
        self.answer(self.keeper.round())

    def test_what_has_stayed_long_enough_goes_through_the_trash(self) -> None:
        self.now += 30 * DAY
        self.round()
        self.assertEqual((self.kept(), self.lines), ([1, 1, 1], []))
        self.now += 1
        self.deliver(JOE)
        self.round()
        self.assertEqual(self.kept(), [1, 1, 0])
        self.assertEqual(
            self.lines,
            [
                f"info    retention.expired account={address} messages=1 octets={len(MAIL)}"
                for address in (JOE, ZOE)
            ],
        )
        self.assertEqual(len(self.answer(self.store.deleted(ZOE))), 1)

    def test_what_was_deleted_long_ago_goes_for_good(self) -> None:
        self.store.rules = MaildropRules(keep_deleted=7 * DAY)
        self.now += 31 * DAY
        self.round()
        self.lines.clear()
        self.now += 7 * DAY
        self.round()
        self.assertEqual(self.answer(self.store.usage(JOE)).deleted_messages, 1)
        self.now += 1
        self.round()
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage())
        self.assertEqual(
            self.lines,
            [f"info    retention.purged account={address} messages=1" for address in (JOE, ZOE)],
        )

    def test_of_an_account_that_is_gone_the_mail_stays_and_the_trash_does_not(self) -> None:
        self.deliver(JOE)
        drop = self.answer(self.store.open_maildrop(JOE, View(device="phone")))
        self.answer(drop.update(drop.messages[:1], ()))
        self.answer(drop.release())
        self.answer(self.directory.remove_account(JOE))
        self.now += 14 * DAY
        self.round()
        self.assertEqual(self.answer(self.store.usage(JOE)).deleted_messages, 1)
        self.now += 20 * DAY
        self.round()
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage(1, len(MAIL)))
        self.assertEqual(self.answer(self.store.views(JOE)), ("phone",))
        self.assertIn(f"info    retention.purged account={JOE} messages=1", self.lines)

    def test_a_store_that_cannot_be_looked_at(self) -> None:
        self.store.refuse_with = TemporaryFailure(STORE_UNAVAILABLE, "unmounted")
        self.round()
        self.assertEqual(self.lines, ["warning retention.unable reason=unmounted"])

    def test_views_of_devices_that_are_gone_are_forgotten(self) -> None:
        for account, id, view in ((JOE, "there", True), (JOE, "plain", False), (ANN, "elsewhere", True)):
            self.answer(self.directory.add_device(account, Device(id, id, b"", view=view)))
        for id in ("there", "plain", "gone", "elsewhere"):
            drop = self.answer(self.store.open_maildrop(JOE, View(device=id)))
            self.answer(drop.release())
        self.round()
        self.assertEqual(self.answer(self.store.views(JOE)), ("there",))
        self.assertEqual(
            self.lines,
            [
                f"info    view.enrolled account={ANN} device=elsewhere",
                *(
                    f"info    view.forgotten account={JOE} device={id}"
                    for id in ("elsewhere", "gone", "plain")
                ),
            ],
        )

    def test_devices_that_were_never_here_count(self) -> None:
        """They were added while no server ran, or stand in the file."""
        for id, expires in (("phone", None), ("laptop", None), ("late", NOW)):
            device = Device(id, id, b"", view=True, expires=expires)
            self.answer(self.directory.add_device(JOE, device))
        self.round()
        self.assertEqual(self.answer(self.store.views(JOE)), ("laptop", "phone"))
        enrolled = [f"info    view.enrolled account={JOE} device={id}" for id in ("laptop", "phone")]
        self.assertEqual(self.lines, enrolled)
        drop = self.answer(self.store.open_maildrop(JOE, View(device="phone")))
        self.answer(drop.update(drop.messages, ()))
        self.answer(drop.release())
        self.round()
        self.assertEqual((self.kept()[1], self.lines), (1, enrolled))

    def test_a_device_that_cannot_be_enrolled_stops_removals(self) -> None:
        self.answer(self.directory.add_device(JOE, Device("phone", "phone", b"", view=True)))
        self.store.full = True
        self.now += 31 * DAY
        self.round()
        self.assertEqual((self.kept(), self.store.expired), ([1, 1, 0], [ANN, ZOE]))
        self.assertIn(f"warning retention.unable account={JOE} reason=full", self.lines)

    def test_a_database_that_is_away_proves_no_removal(self) -> None:
        """Its devices count on: not even mail that all others have deleted goes."""
        desk = Device("file-desk", "desk", b"", view=True, origin=Origin.FILE)
        file = MemoryDirectory([Account(JOE)], origin=Origin.FILE, initial_devices={JOE: [desk]})
        database = DevicesOnly([Account(ANN)])
        layered = LayeredDirectory(file, database)
        self.keeper.directory, self.keeper.devices = layered, layered.whole_devices
        self.answer(layered.add_device(JOE, Device("phone", "phone", b"", view=True)))
        for id in ("phone", desk.id):
            drop = self.answer(self.store.open_maildrop(JOE, View(device=id)))
            if id == desk.id:
                self.answer(drop.update(drop.messages, ()))
            self.answer(drop.release())
        self.now += 31 * DAY
        database.away = True
        self.round()
        self.assertEqual(self.answer(self.store.views(JOE)), (desk.id, "phone"))
        self.assertEqual(self.kept()[1], 1)
        self.assertNotIn(JOE, self.store.expired)
        self.assertIn(f"warning retention.unable account={JOE} reason=locked", self.lines)
        database.away = False
        self.round()
        self.assertEqual(self.answer(self.store.views(JOE)), (desk.id, "phone"))

    def test_what_is_changed_during_a_round_counts(self) -> None:
        self.keeper.retention = lambda account: account.retention or Retention()
        for account in (JOE, ZOE):
            self.answer(self.directory.change_account(Account(account, retention=MONTH)))
            drop = self.answer(self.store.open_maildrop(account, View(device="gone")))
            self.answer(drop.release())
        self.now += 31 * DAY
        self.store.hold = held = Deferred[None]()
        round = Deferred.fromCoroutine(self.keeper.round())
        self.assertEqual(self.store.expired, [ANN], "she has a large maildrop")
        self.answer(self.directory.change_account(Account(JOE)))
        self.answer(self.directory.remove_account(ZOE))
        held.callback(None)
        self.successResultOf(round)
        self.assertEqual((self.kept(), self.store.expired), ([1, 1, 1], [ANN, JOE]))
        self.assertEqual(self.answer(self.store.views(ZOE)), ("gone",), "nobody knows whose it is")

    def test_trouble_with_one_stops_no_other(self) -> None:
        self.now += 31 * DAY
        for trouble, event in (
            (TemporaryFailure(STORE_UNAVAILABLE, "bad disk"), "warning retention.unable"),
            (ZeroDivisionError("a mistake"), "error   retention.failed"),
        ):
            self.deliver(ZOE)
            self.store.trouble = JOE, trouble
            self.round()
            self.assertEqual(self.kept()[1], 1)
            self.assertTrue(any(line.startswith(f"{event} account={JOE} ") for line in self.lines))
            self.assertIn(ZOE, self.store.expired)
            self.store.expired.clear()

    def test_no_directory(self) -> None:
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")
        self.round()
        self.assertEqual(self.lines, ["warning retention.unable reason=locked"])
        self.assertEqual(self.store.expired, [])

    def test_a_report_changes_nothing(self) -> None:
        self.assertEqual(self.answer(self.keeper.report()), ())
        one = Usage(1, len(MAIL))
        self.assertEqual(self.answer(self.keeper.report(ahead=31 * DAY)), ((JOE, one), (ZOE, one)))
        self.now += 31 * DAY
        self.assertEqual(self.answer(self.keeper.report()), ((JOE, one), (ZOE, one)))
        self.assertEqual((self.kept(), self.lines), ([1, 1, 1], []))

    def test_rounds_come_until_it_stops(self) -> None:
        self.keeper.start()
        self.clock.advance(FIRST_ROUND - 1)
        self.assertEqual(self.store.expired, [])
        self.clock.advance(1)
        self.assertEqual(self.store.expired, [ANN, JOE, ZOE])
        self.clock.advance(INTERVAL)
        self.assertEqual(len(self.store.expired), 6)
        self.answer(self.keeper.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.answer(self.keeper.stop())

    def test_a_round_comes_soon_after_a_change(self) -> None:
        self.keeper.start()
        self.keeper.soon()
        self.clock.advance(FIRST_ROUND)
        self.assertEqual(len(self.store.expired), 3, "the first was soon enough")
        self.keeper.soon()
        self.clock.advance(FIRST_ROUND - 1)
        self.keeper.soon()
        self.assertEqual(len(self.store.expired), 3)
        self.clock.advance(1)
        self.assertEqual(len(self.store.expired), 6, "many changes do not put it off")
        self.store.hold = held = Deferred[None]()
        self.clock.advance(INTERVAL)
        self.keeper.soon()
        held.callback(None)
        self.assertEqual(len(self.store.expired), 9)
        self.clock.advance(FIRST_ROUND)
        self.assertEqual(len(self.store.expired), 12, "the one under way may have been past it")
        self.clock.advance(INTERVAL - 1)
        self.assertEqual(len(self.store.expired), 12)

    def test_a_round_that_fails_whole_is_not_the_last(self) -> None:
        self.directory.refuse_with = RuntimeError("a mistake")  # type: ignore[assignment]
        self.keeper.start()
        self.clock.advance(FIRST_ROUND)
        self.assertIn("retention.failed", self.lines[-1])
        self.directory.refuse_with = None
        self.clock.advance(INTERVAL)
        self.assertEqual(len(self.store.expired), 3)

    def test_it_stops_in_the_middle(self) -> None:
        self.store.hold = Deferred()
        self.keeper.start()
        self.clock.advance(FIRST_ROUND)
        self.assertEqual(self.store.expired, [ANN])
        self.answer(self.keeper.stop())
        self.assertEqual((self.store.expired, self.clock.getDelayedCalls()), ([ANN], []))
        self.assertEqual(self.lines, [])

    def test_it_rests_for_as_long_as_it_worked(self) -> None:
        self.store.takes, self.store.clock_of_reactor = 4.0, self.clock
        self.keeper.start()
        self.clock.advance(FIRST_ROUND)
        self.assertEqual(self.store.expired, [ANN])
        self.clock.advance(3.9)
        self.assertEqual(self.store.expired, [ANN])
        self.clock.advance(0.2)
        self.assertEqual(self.store.expired, [ANN, JOE])
