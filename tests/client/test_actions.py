"""What is done about news."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client.actions import MAX_PENDING, MAX_SHOWN, Actions
from mailsuite.client.news import News
from mailsuite.client.popups.popups import NoPopups
from mailsuite.client.quiet import QuietHours, read_span
from mailsuite.client.wording import Popup
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.notice import Kind

ALICE, BOB = "alice@example.org", "bob@example.net"
NIGHT = QuietHours(ZoneInfo("UTC"), (read_span("daily", "22:00", "07:00"),))


class Screen:
    name = "screen"

    def __init__(self) -> None:
        self.shown: list[Popup] = []
        self.closed: list[int] = []
        self.answer: Deferred[int] | None = None
        self.broken = False

    async def ready(self) -> None:
        """It is."""

    async def show(self, popup: Popup) -> int:
        if self.broken:
            raise NoPopups("no desktop")
        self.shown.append(popup)
        return await self.answer if self.answer is not None else len(self.shown)

    async def close(self, shown: int) -> None:
        if self.broken:
            raise NoPopups("no desktop")
        self.closed.append(shown)


class Program:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.stopped = False

    def run(self, text: str) -> None:
        self.texts.append(text)

    async def stop(self) -> None:
        self.stopped = True


class ActionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.begun = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
        self.screen, self.command, self.fetch = Screen(), Program(), Program()
        self.complaints: list[str] = []
        self.lines: list[str] = []
        self.failures: list[object] = []
        self.tasks = Tasks(self.failures.append)
        self.actions = Actions(
            self.clock,
            self.tasks,
            self.now,
            self.complaints.append,
            self.screen,
            self.command,
            self.fetch,
            self.lines.append,
            NIGHT,
        )
        self.addCleanup(self.check)

    def check(self) -> None:
        self.assertEqual(self.failures, [])

    def now(self) -> datetime:
        return self.begun + timedelta(seconds=self.clock.seconds())

    def at_night(self) -> None:
        self.begun = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)

    def test_all_of_it(self) -> None:
        self.actions.tell(News(ALICE, count=2))
        self.assertEqual(self.screen.shown, [Popup("New mail", "2 new messages (alice@example.org)")])
        (line,) = self.lines
        self.assertEqual(json.loads(line)["time"], "2026-11-21T12:00:00+00:00")
        self.assertEqual((self.command.texts, self.fetch.texts), ([line + "\n"], [line + "\n"]))

    def test_nothing_of_it(self) -> None:
        actions = Actions(self.clock, self.tasks, self.now, self.complaints.append)
        actions.tell(News(ALICE))
        actions.gone(ALICE)
        self.successResultOf(Deferred.fromCoroutine(actions.stop()))
        self.assertEqual((self.screen.shown, self.lines), ([], []))

    def test_only_mail_is_fetched(self) -> None:
        self.actions.tell(News(ALICE, Kind.QUOTA_REACHED))
        self.assertEqual((len(self.command.texts), self.fetch.texts), (1, []))

    def test_at_night_nobody_is_disturbed_until_the_morning(self) -> None:
        self.at_night()
        for _ in range(3):
            self.actions.tell(News(ALICE))
        self.actions.tell(News(BOB, count=4))
        self.actions.tell(News(ALICE, Kind.QUOTA_REACHED))
        self.assertEqual((self.screen.shown, self.command.texts), ([], []))
        self.assertEqual((len(self.lines), len(self.fetch.texts)), (5, 4))
        self.clock.advance(8 * 3600 - 1)
        self.assertEqual(self.screen.shown, [])
        self.clock.advance(1)
        self.assertEqual(len(self.command.texts), 3)
        self.assertEqual(
            [each.body for each in self.screen.shown],
            [
                "3 new messages (alice@example.org)",
                "4 new messages (bob@example.net)",
                "alice@example.org",
            ],
        )

    def test_what_was_fetched_at_night_is_not_told_in_the_morning(self) -> None:
        self.at_night()
        self.actions.tell(News(ALICE))
        self.actions.tell(News(BOB))
        self.actions.gone(ALICE)
        self.clock.advance(8 * 3600)
        self.assertEqual([each.body for each in self.screen.shown], ["1 new message (bob@example.net)"])

    def test_the_clock_of_the_wall_is_put_back_meanwhile(self) -> None:
        self.at_night()
        self.actions.tell(News(ALICE))
        self.begun -= timedelta(hours=1)
        self.clock.advance(8 * 3600)
        self.assertEqual(self.screen.shown, [])
        self.clock.advance(3600)
        self.assertEqual(len(self.screen.shown), 1)

    def test_pop_ups_are_taken_back_when_the_mail_was_fetched(self) -> None:
        self.actions.tell(News(ALICE))
        self.actions.tell(News(BOB))
        self.actions.tell(News(ALICE))
        self.actions.tell(News(ALICE, Kind.QUOTA_REACHED))
        self.actions.gone(ALICE)
        self.actions.gone(ALICE)
        self.assertEqual(self.screen.closed, [1, 3])
        self.assertEqual(json.loads(self.lines[-1])["type"], "mail.cleared")

    def test_only_so_many_are_remembered(self) -> None:
        for _ in range(MAX_SHOWN + 5):
            self.actions.tell(News(ALICE))
        self.actions.gone(ALICE)
        self.assertEqual(self.screen.closed, list(range(6, MAX_SHOWN + 6)))

    def test_a_desktop_that_shows_nothing(self) -> None:
        self.screen.broken = True
        self.actions.tell(News(ALICE))
        self.assertEqual(self.complaints, ["no pop-up: no desktop"])

    def test_a_desktop_that_has_gone(self) -> None:
        self.actions.tell(News(ALICE))
        self.screen.broken = True
        self.actions.gone(ALICE)
        self.assertEqual(self.complaints, [])

    def test_a_desktop_that_does_not_answer(self) -> None:
        self.screen.answer = Deferred()
        for _ in range(MAX_PENDING + 5):
            self.actions.tell(News(ALICE))
        self.assertEqual(len(self.screen.shown), MAX_PENDING)
        self.screen.answer.callback(7)

    def test_the_end(self) -> None:
        self.at_night()
        self.actions.tell(News(ALICE))
        self.successResultOf(Deferred.fromCoroutine(self.actions.stop()))
        self.assertTrue(self.command.stopped and self.fetch.stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
