"""A mail store in memory: the promises of the real ones without a disk. The fake that other tests use."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IDelivery, IMaildrop, IMailStore, IMessageBody
from mailsuite.model.address import Address
from mailsuite.model.failure import MaildropInUse, MailFailure, MessageGone, TemporaryFailure
from mailsuite.model.message import MessageRef, Stored
from mailsuite.model.quota import UNLIMITED, Quota
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.model.retention import Deleted, MaildropRules, Retention, Usage
from mailsuite.model.view import Box, View
from mailsuite.store.device_views import DeviceView, check_device, deleted_by_all
from mailsuite.store.lodging import Kept, Lodging

READ_OCTETS = 65_536
"""What one read() answers at most, as IMessageBody says."""
CLASSIC = View()


def _nobody_asks(account: Address) -> None:
    """Where nobody keeps a sum of what is there."""


@implementer(IMailStore)
@attrs.define(eq=False)
class MemoryStore:
    """Maildrops in a dictionary.

    Tests steer it by ``refuse_with`` (whatever may fail raises this), by ``congested`` and relieve()
    (back-pressure on deliveries) and by take_away() (another program that removes a message); they look
    at what was delivered with contents().
    """

    refuse_with: MailFailure | None = None
    congested: bool = False
    rules: MaildropRules = attrs.field(factory=MaildropRules)
    deleted_quota: Quota = UNLIMITED
    """How much of what is deleted is kept in each maildrop."""
    clock: Callable[[], float] = time.time
    changed: Callable[[Address], None] = _nobody_asks
    _lodgings: dict[Address, Lodging] = attrs.field(factory=dict, init=False)
    _held: set[tuple[Address, View]] = attrs.field(factory=set, init=False)
    _waiting: list[Deferred[None]] = attrs.field(factory=list, init=False)
    _serial: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    def begin(self, account: Address) -> MemoryDelivery:
        return MemoryDelivery(account, self, next(self._serial))

    async def deliver(self, deliveries: Sequence[IDelivery]) -> tuple[Stored, ...]:
        try:
            for delivery in deliveries:
                await delivery.prepare()
            return tuple([await delivery.commit() for delivery in deliveries])
        except MailFailure:
            for delivery in deliveries:
                await delivery.abort()
            raise

    async def open_maildrop(self, account: Address, view: View = CLASSIC) -> MemoryMaildrop:
        self.check()
        if view.device:
            check_device(view.device)
        if (account, view) in self._held:
            raise MaildropInUse
        self._held.add((account, view))
        lodging = self.lodging(account)
        shown = (
            self._inbox(lodging, view.device) if view.box is Box.INBOX else self._trash(lodging, view.device)
        )
        return MemoryMaildrop(account, tuple(kept.ref for kept in shown), self, view)

    def _inbox(self, lodging: Lodging, device: str) -> list[Kept]:
        if not device:
            return list(lodging.inbox.values())
        self._begin_view(lodging, device)
        view = lodging.views[device].seen_at(self.clock())
        lodging.views[device] = view
        return [kept for kept in lodging.inbox.values() if not view.hides(kept.uidl)]

    def _begin_view(self, lodging: Lodging, device: str) -> None:
        """Where it has none yet."""
        if device in lodging.views:
            return
        now, history = self.clock(), self.rules.view_history
        old = (
            kept.uidl for kept in lodging.inbox.values() if history is not None and kept.at < now - history
        )
        lodging.views[device] = DeviceView(now, passed=frozenset(old))

    def _trash(self, lodging: Lodging, device: str) -> list[Kept]:
        begins = self.trash_begins
        view = lodging.views.get(device, DeviceView(0.0))
        shown = [
            kept for at, kept in lodging.trash.values() if at > begins and not view.has_forgotten(kept.uidl)
        ]
        shown += [kept for kept in lodging.inbox.values() if view.is_in_trash(kept.uidl, begins)]
        return sorted(shown, key=lambda kept: kept.serial)

    async def usage(self, account: Address) -> Usage:
        self.check()
        lodging = self.lodging(account)
        return Usage(
            len(lodging.inbox),
            sum(len(kept.content) for kept in lodging.inbox.values()),
            len(lodging.trash),
            sum(len(kept.content) for _, kept in lodging.trash.values()),
        )

    async def warned(self, account: Address) -> int:
        self.check()
        return self.lodging(account).warned

    async def note_warned(self, account: Address, level: int) -> None:
        self.check()
        self.lodging(account).warned = level

    async def expire(
        self, account: Address, retention: Retention, now: float, rehearse: bool = False
    ) -> Usage:
        self.check()
        lodging = self.lodging(account)
        due = deleted_by_all(lodging.views.values(), now, self.rules.view_forget)
        for kept in lodging.inbox.values():
            stays = retention.read if kept.seen else retention.unread
            if stays is not None and now - int(kept.at) > stays:
                due.add(kept.uidl)
        removed = [kept for kept in lodging.inbox.values() if kept.uidl in due]
        if not rehearse:
            self.remove(lodging, [kept.uidl for kept in removed])
            self.changed(account)
        return Usage(len(removed), sum(len(kept.content) for kept in removed))

    async def purge(self, account: Address, before: float) -> int:
        self.check()
        trash = self.lodging(account).trash
        old = [uidl for uidl, (at, _) in trash.items() if at < before]
        for uidl in old:
            del trash[uidl]
        return len(old)

    async def deleted(self, account: Address) -> tuple[Deleted, ...]:
        self.check()
        found = [
            Deleted(uidl, len(kept.content), float(at))
            for uidl, (at, kept) in self.lodging(account).trash.items()
            if at > self.trash_begins
        ]
        return tuple(sorted(found, key=lambda message: (-message.at, message.uidl)))

    async def undelete(self, account: Address, uidls: Sequence[str]) -> int:
        self.check()
        count = self.lodging(account).restore(set(uidls), self.trash_begins)
        self.changed(account)
        return count

    async def enroll_view(self, account: Address, device: str) -> None:
        check_device(device)
        self.check()
        self._begin_view(self.lodging(account), device)

    async def forget_view(self, account: Address, device: str) -> None:
        check_device(device)
        self.check()
        self.lodging(account).views.pop(device, None)

    async def views(self, account: Address) -> tuple[str, ...]:
        self.check()
        return tuple(sorted(self.lodging(account).views))

    async def maildrops(self) -> tuple[Address, ...]:
        self.check()
        return tuple(sorted(self._lodgings))

    def contents(self, account: Address) -> tuple[bytes, ...]:
        """The messages in a maildrop, oldest first."""
        return tuple(kept.content for kept in self.lodging(account).inbox.values())

    def take_away(self, account: Address, uidl: str) -> None:
        """Remove a message as another program would: locks are nothing to it."""
        del self.lodging(account).inbox[uidl]

    def relieve(self) -> None:
        """End the congestion: who waits in drained() goes on."""
        self.congested = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    # What deliveries and maildrops need.

    @property
    def trash_begins(self) -> float:
        """What was deleted at this time or before cannot be brought back any more."""
        return self.clock() - self.rules.keep_deleted

    def check(self) -> None:
        """Raise what a test wants raised."""
        if self.refuse_with is not None:
            raise self.refuse_with

    def lodging(self, account: Address) -> Lodging:
        return self._lodgings.setdefault(account, Lodging())

    def remove(self, lodging: Lodging, uidls: Sequence[str]) -> None:
        lodging.remove(uidls, int(self.clock()), self.rules.keep_deleted > 0)
        lodging.bound(self.deleted_quota)

    async def relieved(self) -> None:
        if self.congested:
            waiter: Deferred[None] = Deferred(self._waiting.remove)
            self._waiting.append(waiter)
            await waiter

    def unlock(self, account: Address, view: View) -> None:
        self._held.discard((account, view))


@implementer(IDelivery)
@attrs.define(eq=False)
class MemoryDelivery:
    """One message on its way into a maildrop."""

    account: Address
    _store: MemoryStore
    _serial: int
    _chunks: list[bytes] = attrs.field(factory=list, init=False)
    _prepared: Kept | None = attrs.field(default=None, init=False)
    _ended: bool = attrs.field(default=False, init=False)

    @property
    def congested(self) -> bool:
        return self._store.congested

    @property
    def _uidl(self) -> str:
        return f"m{self._serial}"

    def write(self, data: bytes) -> None:
        if self._prepared is not None or self._ended:
            raise RuntimeError("written to after prepare() or abort()")
        self._chunks.append(data)

    async def drained(self) -> None:
        await self._store.relieved()

    async def prepare(self) -> None:
        if self._ended:
            raise RuntimeError("prepared after commit() or abort()")
        self._store.check()
        if self._prepared is None:
            content = b"".join(self._chunks)
            self._prepared = Kept(self._uidl, content, self._serial, self._store.clock())

    async def commit(self) -> Stored:
        if self._prepared is None or self._ended:
            raise RuntimeError("committed without prepare()")
        self._store.check()
        self._ended = True
        self._store.lodging(self.account).inbox[self._uidl] = self._prepared
        return Stored(self.account, self._uidl, len(self._prepared.content))

    async def abort(self) -> None:
        self._ended = True
        self._chunks.clear()
        self._store.lodging(self.account).inbox.pop(self._uidl, None)


@implementer(IMaildrop)
@attrs.define(eq=False)
class MemoryMaildrop:
    """An open maildrop; holds the lock until release()."""

    account: Address
    messages: tuple[MessageRef, ...]
    _store: MemoryStore
    _view: View = CLASSIC
    _released: bool = attrs.field(default=False, init=False)

    async def open(self, ref: MessageRef) -> MemoryBody:
        self._store.check()
        lodging = self._store.lodging(self.account)
        kept = lodging.inbox.get(ref.key)
        if kept is None and self._view.box is not Box.INBOX:
            kept = lodging.trash.get(ref.key, (0, None))[1]
        if kept is None:
            raise MessageGone(ref.key)
        return MemoryBody(kept.content)

    async def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        self._store.check()
        lodging = self._store.lodging(self.account)
        uidls, read = [ref.key for ref in deleted], {ref.key for ref in retrieved}
        if self._view.box is not Box.INBOX:
            self._update_trash(lodging, set(uidls), read)
            self._store.changed(self.account)
            return 0
        if self._view.device:
            self._hide(lodging, uidls)
        else:
            self._store.remove(lodging, uidls)
        self._store.changed(self.account)
        if self._store.rules.mark_seen:
            for uidl in read & lodging.inbox.keys():
                lodging.inbox[uidl] = attrs.evolve(lodging.inbox[uidl], seen=True)
        return 0

    def _hide(self, lodging: Lodging, uidls: Sequence[str]) -> None:
        if not uidls:
            return
        view = lodging.views.get(self._view.device)
        if view is None:
            raise TemporaryFailure(STORE_UNAVAILABLE, "the device was removed")
        now = self._store.clock()
        lodging.views[self._view.device] = view.delete(uidls, int(now))
        gone = deleted_by_all(lodging.views.values(), now, self._store.rules.view_forget)
        self._store.remove(lodging, [uidl for uidl in uidls if uidl in gone])

    def _update_trash(self, lodging: Lodging, deleted: set[str], retrieved: set[str]) -> None:
        if self._view.box is Box.RESTORE:
            lodging.restore(retrieved, self._store.trash_begins, self._view.device)
            deleted -= retrieved
        lodging.forget(deleted)
        if (view := lodging.views.get(self._view.device)) is not None:
            lodging.views[self._view.device] = view.forget(deleted)

    async def release(self) -> None:
        if not self._released:
            self._released = True
            self._store.unlock(self.account, self._view)


@implementer(IMessageBody)
@attrs.define(eq=False)
class MemoryBody:
    """A message opened for reading."""

    _content: bytes
    descriptor: int = attrs.field(default=-1, init=False)
    _offset: int = attrs.field(default=0, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    @property
    def size(self) -> int:
        return len(self._content)

    async def read(self) -> bytes:
        if self._closed:
            raise RuntimeError("read after close()")
        chunk = self._content[self._offset : self._offset + READ_OCTETS]
        self._offset += len(chunk)
        return chunk

    def close(self) -> None:
        self._closed = True
