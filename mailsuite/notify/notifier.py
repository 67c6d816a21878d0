"""The notifier: hears that mail is stored, asks who wants to know, and has it told.

A notice is a hint and never in the way of mail: publishing returns at once, everything here happens later,
is bounded, and may be lost in a crash. The mailbox is the truth.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IAccountDirectory, IEventBus, IKnocker, ISightings
from mailsuite.model.address import Address
from mailsuite.model.events import Event, LogGrown
from mailsuite.model.failure import MailFailure
from mailsuite.notify.counters import NotifyCounters
from mailsuite.notify.doors import Doors
from mailsuite.notify.targets import Target, TargetRules, Untold, choose_target, wants_notice
from mailsuite.observe.log import Log

MAX_DUE = 100_000
"""Accounts with news that may wait for the directory's answer, about 20 MB; our own limit."""


def _nobody_asks(account: Address) -> None:
    """Where it makes no difference."""


@attrs.frozen
class NotifierSettings:
    """``[notify]`` and ``[notify.notifymail]``, as far as they are the notifier's."""

    enabled: bool = True
    """Both switches: off, no connection is made at all."""
    window: float = 10.0
    """Seconds in which one knock tells of any number of messages."""
    max_in_flight: int = 256
    rules: TargetRules = attrs.field(factory=TargetRules)


@attrs.define(eq=False)
class Notifier:
    """Subscribes to the bus between start() and stop(); settings change by reload()."""

    bus: IEventBus
    accounts: IAccountDirectory
    sightings: ISightings
    channel: IKnocker
    clock: IReactorTime
    log: Log
    settings: NotifierSettings = attrs.field(factory=NotifierSettings)
    now: Callable[[], float] = time.time
    """Seconds since the epoch, for sightings."""
    knocked: Callable[[Address], None] = _nobody_asks
    """Is told of each account whose owner has been told of new mail (features row B-09)."""
    counters: NotifyCounters = attrs.field(factory=NotifyCounters, init=False)
    _due: dict[Address, None] = attrs.field(factory=dict, init=False)
    _considering: bool = attrs.field(default=False, init=False)
    _unsubscribe: Callable[[], None] | None = attrs.field(default=None, init=False)
    _tasks: Tasks = attrs.field(init=False)
    _doors: Doors = attrs.field(init=False)

    @_tasks.default
    def _make_tasks(self) -> Tasks:
        return Tasks(lambda failure: self.log.failure("notify.failed", failure))

    @_doors.default
    def _make_doors(self) -> Doors:
        settings = self.settings
        return Doors(
            self.channel,
            self.clock,
            self.now,
            self._tasks,
            self.log,
            self.counters,
            settings.window,
            settings.max_in_flight,
            self.knocked,
        )

    @property
    def in_flight(self) -> int:
        """Knocks under way."""
        return self._doors.in_flight

    def start(self) -> None:
        """Listen to the bus. Once started, starting again changes nothing."""
        if self._unsubscribe is None:
            self._unsubscribe = self.bus.subscribe(self._heard)

    async def stop(self) -> None:
        """Drop what waits, cancel what is under way, and return when nothing is left. Any number of times."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._drop_all()
        await self._tasks.finished()

    def reload(self, settings: NotifierSettings) -> None:
        """Go on by other settings, from the next knock that begins.

        Switching off drops what waits and cancels what is under way. After a change of the rules, what
        waits is judged again.
        """
        before, self.settings = self.settings, settings
        self._doors.window = settings.window
        self._doors.max_in_flight = settings.max_in_flight
        if not settings.enabled:
            self._drop_all()
        elif settings.rules != before.rules:
            self._consider_later(self._doors.withdraw())

    def _drop_all(self) -> None:
        self._due.clear()
        self._doors.withdraw()
        self._tasks.cancel()

    def _heard(self, event: Event) -> None:
        if self.settings.enabled and not isinstance(event, LogGrown):
            self._consider_later([event.account])

    def _consider_later(self, accounts: list[Address]) -> None:
        """One coroutine asks the directory for one account after the other; a flood to one account asks once
        for what has gathered meanwhile."""
        for account in accounts:
            if len(self._due) < MAX_DUE:
                self._due[account] = None
            elif account not in self._due:
                self.counters.dropped += 1
        if self._due and not self._considering:
            self._considering = True
            self._tasks.start(self._consider_due())

    async def _consider_due(self) -> None:
        try:
            while self._due:
                address = next(iter(self._due))
                del self._due[address]
                await self._consider_safely(address)
        finally:
            self._considering = False

    async def _consider_safely(self, address: Address) -> None:
        """No account's trouble keeps the next one from its notice."""
        try:
            await self._consider(address)
        except MailFailure as failure:
            self.counters.failed += 1
            self.log.warning("notify.lookup_failed", account=address, detail=failure)
        except CancelledError:
            raise
        except Exception:
            self.counters.failed += 1
            self.log.failure("notify.failed", Failure(), account=address)

    async def _consider(self, address: Address) -> None:
        account = await self.accounts.account(address)
        rules = self.settings.rules
        if account is None or not wants_notice(account, rules):
            return
        target = await choose_target(account, rules, self.sightings, self.now())
        if rules is not self.settings.rules:  # they changed while the sightings were asked
            self._due[address] = None
            return
        if isinstance(target, Untold):
            self.counters.no_target += 1
            self.log.debug("notify.no_target", account=address, reason=target.value)
            return
        await self._reopen_after_login(target, address)
        self._doors.mail(target, address)

    async def _reopen_after_login(self, target: Target, address: Address) -> None:
        since = self._doors.refused_since(target)
        if since is not None and await self.sightings.last(address, since) is not None:
            self._doors.reopen(target)
