"""What is done about news: a pop-up, a command, a line of JSON, a program that fetches."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.client.command import CommandRunner
from mailsuite.client.news import News
from mailsuite.client.popups.popups import NoPopups, Popups
from mailsuite.client.quiet import QuietHours
from mailsuite.client.wording import popup_of
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.notice import Kind

MAX_SHOWN: Final = 20
"""Pop-ups of one account that are remembered, to take them back."""
MAX_PENDING: Final = 8
"""Pop-ups that may be under way to a desktop that does not answer; more are not shown."""


@attrs.define(eq=False)
class Actions:
    """All that the settings want; None is not wanted.

    In quiet hours there is no pop-up and no command; when they end there is one for all that came, for each
    account. Lines of JSON and the fetching program disturb nobody: they come at once.
    """

    clock: IReactorTime
    tasks: Tasks
    now: Callable[[], datetime]
    complain: Callable[[str], None]
    popups: Popups | None = None
    command: CommandRunner | None = None
    fetch: CommandRunner | None = None
    say: Callable[[str], None] | None = None
    """Takes a line of JSON."""
    quiet: QuietHours | None = None
    _held: dict[tuple[str, Kind], News] = attrs.field(factory=dict, init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)
    _shown: dict[str, deque[int]] = attrs.field(factory=dict, init=False)
    _pending: int = attrs.field(default=0, init=False)

    def tell(self, news: News) -> None:
        """Do all of it."""
        line = self._line(news)
        if self.say is not None:
            self.say(line)
        if self.fetch is not None and news.kind is Kind.MAIL_NEW:
            self.fetch.run(line + "\n")
        end = None if self.quiet is None else self.quiet.until(self.now())
        if end is None:
            self._disturb(news, line)
        else:
            self._hold(news, end)

    def gone(self, account: str) -> None:
        """Mail of this account was fetched elsewhere: take its pop-ups back, and tell nothing later."""
        self._held.pop((account, Kind.MAIL_NEW), None)
        if self.say is not None:
            self.say(self._line(News(account, Kind.MAIL_CLEARED, 0)))
        for shown in self._shown.pop(account, ()):
            self.tasks.start(self._take_back(shown))

    async def stop(self) -> None:
        """Nothing more is done; programs that run are asked to end, and waited for."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for runner in (self.command, self.fetch):
            if runner is not None:
                await runner.stop()

    def _line(self, news: News) -> str:
        return json.dumps(news.document(self.now().isoformat(timespec="seconds")))

    def _disturb(self, news: News, line: str) -> None:
        if self.command is not None:
            self.command.run(line + "\n")
        if self.popups is not None and self._pending < MAX_PENDING:
            self.tasks.start(self._show(self.popups, news))

    async def _show(self, popups: Popups, news: News) -> None:
        self._pending += 1
        try:
            shown = await popups.show(popup_of(news))
        except NoPopups as error:
            self.complain(f"no pop-up: {error}")
            return
        finally:
            self._pending -= 1
        if shown and news.kind is Kind.MAIL_NEW:
            self._shown.setdefault(news.account, deque(maxlen=MAX_SHOWN)).append(shown)

    async def _take_back(self, shown: int) -> None:
        if self.popups is not None:
            try:
                await self.popups.close(shown)
            except NoPopups:
                return  # then it is not shown any more either

    def _hold(self, news: News, end: datetime) -> None:
        before = self._held.get((news.account, news.kind))
        if before is not None:
            at_least = before.at_least or news.at_least
            news = attrs.evolve(news, count=before.count + news.count, at_least=at_least)
        self._held[news.account, news.kind] = news
        if self._timer is None or not self._timer.active():
            wait = max(0.0, (end - self.now()).total_seconds())
            self._timer = self.clock.callLater(wait, self._quiet_is_over)

    def _quiet_is_over(self) -> None:
        """The clock of the wall may have been set meanwhile, so it is asked again."""
        held, self._held = self._held, {}
        end = None if self.quiet is None else self.quiet.until(self.now())
        for news in held.values():
            if end is None:
                self._disturb(news, self._line(news))
            else:
                self._hold(news, end)
