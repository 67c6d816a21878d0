"""A mail store in memory: the promises of the real ones without a disk. The fake that other tests use."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IDelivery, IMaildrop, IMailStore, IMessageBody
from mailsuite.model.address import Address
from mailsuite.model.failure import MaildropInUse, MailFailure, MessageGone
from mailsuite.model.message import MessageRef, Stored

READ_OCTETS = 65_536
"""What one read() answers at most, as IMessageBody says."""


@attrs.frozen
class Kept:
    """A message that lies in a maildrop."""

    uidl: str
    content: bytes

    @property
    def dot_lines(self) -> bool:
        return self.content.startswith(b".") or b"\n." in self.content


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
    _maildrops: dict[Address, dict[str, Kept]] = attrs.field(factory=dict, init=False)
    _held: set[Address] = attrs.field(factory=set, init=False)
    _waiting: list[Deferred[None]] = attrs.field(factory=list, init=False)
    _serial: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    def begin(self, account: Address) -> MemoryDelivery:
        return MemoryDelivery(account, self, f"m{next(self._serial)}")

    async def deliver(self, deliveries: Sequence[IDelivery]) -> tuple[Stored, ...]:
        try:
            for delivery in deliveries:
                await delivery.prepare()
            return tuple([await delivery.commit() for delivery in deliveries])
        except MailFailure:
            for delivery in deliveries:
                await delivery.abort()
            raise

    async def open_maildrop(self, account: Address) -> MemoryMaildrop:
        self.check()
        if account in self._held:
            raise MaildropInUse
        self._held.add(account)
        refs = tuple(
            MessageRef(kept.uidl, len(kept.content), kept.uidl, kept.dot_lines)
            for kept in self.maildrop(account).values()
        )
        return MemoryMaildrop(account, refs, self)

    def contents(self, account: Address) -> tuple[bytes, ...]:
        """The messages in a maildrop, oldest first."""
        return tuple(kept.content for kept in self.maildrop(account).values())

    def take_away(self, account: Address, uidl: str) -> None:
        """Remove a message as another program would: locks are nothing to it."""
        del self.maildrop(account)[uidl]

    def relieve(self) -> None:
        """End the congestion: who waits in drained() goes on."""
        self.congested = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    # What deliveries and maildrops need.

    def check(self) -> None:
        """Raise what a test wants raised."""
        if self.refuse_with is not None:
            raise self.refuse_with

    def maildrop(self, account: Address) -> dict[str, Kept]:
        return self._maildrops.setdefault(account, {})

    async def relieved(self) -> None:
        if self.congested:
            waiter: Deferred[None] = Deferred(self._waiting.remove)
            self._waiting.append(waiter)
            await waiter

    def unlock(self, account: Address) -> None:
        self._held.discard(account)


@implementer(IDelivery)
@attrs.define(eq=False)
class MemoryDelivery:
    """One message on its way into a maildrop."""

    account: Address
    _store: MemoryStore
    _uidl: str
    _chunks: list[bytes] = attrs.field(factory=list, init=False)
    _prepared: Kept | None = attrs.field(default=None, init=False)
    _ended: bool = attrs.field(default=False, init=False)

    @property
    def congested(self) -> bool:
        return self._store.congested

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
            self._prepared = Kept(self._uidl, b"".join(self._chunks))

    async def commit(self) -> Stored:
        if self._prepared is None or self._ended:
            raise RuntimeError("committed without prepare()")
        self._store.check()
        self._ended = True
        self._store.maildrop(self.account)[self._uidl] = self._prepared
        return Stored(self.account, self._uidl, len(self._prepared.content))

    async def abort(self) -> None:
        self._ended = True
        self._chunks.clear()
        self._store.maildrop(self.account).pop(self._uidl, None)


@implementer(IMaildrop)
@attrs.define(eq=False)
class MemoryMaildrop:
    """An open maildrop; holds the lock until release()."""

    account: Address
    messages: tuple[MessageRef, ...]
    _store: MemoryStore
    _released: bool = attrs.field(default=False, init=False)

    async def open(self, ref: MessageRef) -> MemoryBody:
        self._store.check()
        kept = self._store.maildrop(self.account).get(ref.key)
        if kept is None:
            raise MessageGone(ref.key)
        return MemoryBody(kept.content)

    async def expunge(self, refs: Sequence[MessageRef]) -> int:
        self._store.check()
        for ref in refs:
            self._store.maildrop(self.account).pop(ref.key, None)
        return 0

    async def release(self) -> None:
        if not self._released:
            self._released = True
            self._store.unlock(self.account)


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
