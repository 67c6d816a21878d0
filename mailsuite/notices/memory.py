"""The log of what happened and the subscriptions to it, in memory: for tests and for a look at the contract.

Tests make either fail by ``refuse_with``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IEventLog, ISubscriptions
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure, PermanentFailure
from mailsuite.model.notice import Entry, Happening, Stretch
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_SUBSCRIPTION
from mailsuite.model.subscription import (
    ATTEMPTS_KEPT,
    Attempt,
    Cursor,
    DeadLetter,
    Standing,
    Subscription,
    is_preference,
)


@attrs.define(eq=False)
class _AccountLog:
    """One account's: what is left of it, and the seq of the newest that there ever was."""

    entries: list[Entry] = attrs.field(factory=list)
    head: int = 0
    newest_at: float = 0.0

    def append(self, happening: Happening) -> Entry:
        self.head += 1
        self.newest_at = happening.at
        entry = Entry(self.head, happening)
        self.entries.append(entry)
        return entry

    def trim(self, before: float, kept: int) -> int:
        """Removes from the old end, up to what is young and among the newest."""
        removed = 0
        while removed < len(self.entries):
            is_surplus = len(self.entries) - removed > kept
            if not is_surplus and self.entries[removed].happening.at >= before:
                break
            removed += 1
        del self.entries[:removed]
        return removed


@implementer(IEventLog)
@attrs.define(eq=False)
class MemoryEventLog:
    """Forgets everything with the process."""

    refuse_with: MailFailure | None = None
    _logs: dict[Address, _AccountLog] = attrs.field(factory=dict, init=False)

    async def append(self, happenings: Sequence[Happening], *, is_durable: bool = True) -> tuple[Entry, ...]:
        self._refuse()
        return tuple(self._logs.setdefault(each.account, _AccountLog()).append(each) for each in happenings)

    async def read(self, account: Address, after: int, limit: int) -> Stretch:
        self._refuse()
        log = self._logs.get(account, _AccountLog())
        behind = [entry for entry in log.entries if entry.seq > after]
        oldest = log.entries[0].seq if log.entries else log.head + 1
        return Stretch(tuple(behind[:limit]), log.head, missed=after + 1 < oldest)

    async def heads(self, accounts: Iterable[Address]) -> Mapping[Address, int]:
        self._refuse()
        return {account: self._logs[account].head if account in self._logs else 0 for account in accounts}

    async def grown_since(self, at: float) -> Mapping[Address, int]:
        self._refuse()
        return {account: log.head for account, log in self._logs.items() if log.newest_at >= at}

    async def trim(self, before: float, kept: int) -> int:
        self._refuse()
        return sum(log.trim(before, kept) for log in self._logs.values())

    async def erase(self, account: Address) -> None:
        self._refuse()
        self._logs.pop(account, None)

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with


@implementer(ISubscriptions)
@attrs.define(eq=False)
class MemorySubscriptions:
    """Forgets everything with the process; nothing is sealed, for nothing is written."""

    refuse_with: MailFailure | None = None
    _subscriptions: dict[str, Subscription] = attrs.field(factory=dict, init=False)
    _cursors: dict[str, Cursor] = attrs.field(factory=dict, init=False)
    _attempts: dict[str, list[Attempt]] = attrs.field(factory=dict, init=False)
    _letters: dict[tuple[str, int], DeadLetter] = attrs.field(factory=dict, init=False)

    async def all(self) -> tuple[Standing, ...]:
        self._refuse()
        return tuple(Standing(each, self._cursors[each.id]) for each in self._subscriptions.values())

    async def preferences(self) -> tuple[Cursor, ...]:
        self._refuse()
        return tuple(cursor for id, cursor in self._cursors.items() if is_preference(id))

    async def add(self, subscription: Subscription, acked: int) -> None:
        self._refuse()
        if subscription.id in self._subscriptions:
            raise PermanentFailure(ALREADY_EXISTS)
        self._subscriptions[subscription.id] = subscription
        self._cursors[subscription.id] = Cursor(subscription.id, acked)

    async def change(self, subscription: Subscription) -> None:
        self._refuse()
        before = self._found(subscription.id)
        self._subscriptions[subscription.id] = attrs.evolve(
            subscription, account=before.account, device=before.device, channel=before.channel
        )

    async def remove(self, id: str) -> None:
        self._refuse()
        if not is_preference(id):
            self._found(id)
        self._subscriptions.pop(id, None)
        self._cursors.pop(id, None)
        self._attempts.pop(id, None)
        for key in [key for key in self._letters if key[0] == id]:
            del self._letters[key]

    async def record(self, cursors: Sequence[Cursor], attempts: Sequence[Attempt] = ()) -> None:
        self._refuse()
        for cursor in cursors:
            if self._is_kept(cursor.subscription):
                self._cursors[cursor.subscription] = cursor
        for attempt in attempts:
            if self._is_kept(attempt.subscription):
                kept = self._attempts.setdefault(attempt.subscription, [])
                kept.append(attempt)
                del kept[:-ATTEMPTS_KEPT]

    async def attempts(self, id: str) -> tuple[Attempt, ...]:
        self._refuse()
        return tuple(reversed(self._attempts.get(id, ())))

    async def bury(self, letter: DeadLetter) -> None:
        self._refuse()
        if self._is_kept(letter.subscription):
            self._letters[letter.subscription, letter.seq] = letter

    async def dead_letters(self, id: str) -> tuple[DeadLetter, ...]:
        self._refuse()
        return tuple(self._letters[key] for key in sorted(self._letters) if key[0] == id)

    async def unbury(self, id: str, seq: int) -> None:
        self._refuse()
        self._letters.pop((id, seq), None)

    async def trim(self, before: float) -> int:
        self._refuse()
        removed = 0
        for id, attempts in self._attempts.items():
            young = [attempt for attempt in attempts if attempt.at >= before]
            removed += len(attempts) - len(young)
            self._attempts[id] = young
        for key, letter in list(self._letters.items()):
            if letter.at < before:
                del self._letters[key]
                removed += 1
        return removed

    async def reseal(self) -> tuple[int, int]:
        self._refuse()
        return 0, 0

    def _is_kept(self, id: str) -> bool:
        return id in self._subscriptions or is_preference(id)

    def _found(self, id: str) -> Subscription:
        if id not in self._subscriptions:
            raise PermanentFailure(NO_SUCH_SUBSCRIPTION)
        return self._subscriptions[id]

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
