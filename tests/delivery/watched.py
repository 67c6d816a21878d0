"""A memory store that is watched: it counts what was begun and ended, waits, and fails where a test says."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IDelivery, IMaildrop, IMailStore
from mailsuite.model.address import Address
from mailsuite.model.message import Stored
from mailsuite.store.memory import MemoryDelivery, MemoryStore


@implementer(IMailStore)
@attrs.define(eq=False)
class WatchedStore:
    """``fail`` maps a step (begin, write, drained, prepare, commit, deliver, after-one, abort) to what it
    raises; ``fail_for`` is the account whose delivery alone fails so, None for all.

    ``after-one`` breaks deliver() when the first message is visible already: a store that does not keep
    its promise to undo. ``held`` keeps deliver() waiting before it does anything, ``held_abort`` abort().
    """

    memory: MemoryStore = attrs.field(factory=MemoryStore)
    fail: dict[str, Exception] = attrs.field(factory=dict)
    fail_for: Address | None = None
    begin_at_most: int = 1000
    held: Deferred[None] | None = None
    held_abort: Deferred[None] | None = None
    begun: list[WatchedDelivery] = attrs.field(factory=list, init=False)

    @property
    def open(self) -> int:
        """Deliveries that were begun and neither delivered nor aborted."""
        return sum(not delivery.ended for delivery in self.begun)

    def step(self, name: str) -> None:
        if name in self.fail:
            raise self.fail[name]

    def begin(self, account: Address) -> WatchedDelivery:
        if len(self.begun) >= self.begin_at_most:
            self.step("begin")
        delivery = WatchedDelivery(self, self.memory.begin(account))
        self.begun.append(delivery)
        return delivery

    async def deliver(self, deliveries: Sequence[IDelivery]) -> tuple[Stored, ...]:
        if self.held is not None:
            await self.held
        watched = [delivery for delivery in self.begun if delivery in deliveries]
        if self.fail_for is None or any(delivery.account == self.fail_for for delivery in watched):
            self.step("deliver")
        if "after-one" in self.fail:
            await watched[0].prepare()
            await watched[0].commit()
            raise self.fail["after-one"]
        stored = await self.memory.deliver([delivery.inner for delivery in watched])
        for delivery in watched:
            delivery.ended = True
        return stored

    async def open_maildrop(self, account: Address) -> IMaildrop:
        return await self.memory.open_maildrop(account)


@implementer(IDelivery)
@attrs.define(eq=False)
class WatchedDelivery:
    """One delivery of a watched store."""

    store: WatchedStore
    inner: MemoryDelivery
    ended: bool = attrs.field(default=False, init=False)
    aborts: int = attrs.field(default=0, init=False)
    written: list[int] = attrs.field(factory=list, init=False)
    """Octets of each piece."""

    @property
    def account(self) -> Address:
        return self.inner.account

    @property
    def congested(self) -> bool:
        return self.inner.congested

    def write(self, data: bytes) -> None:
        self.store.step("write")
        self.written.append(len(data))
        self.inner.write(data)

    async def drained(self) -> None:
        await self.inner.drained()
        self.store.step("drained")

    async def prepare(self) -> None:
        self._step("prepare")
        await self.inner.prepare()

    async def commit(self) -> Stored:
        self._step("commit")
        stored = await self.inner.commit()
        self.ended = True
        return stored

    def _step(self, name: str) -> None:
        if self.store.fail_for in (None, self.account):
            self.store.step(name)

    async def abort(self) -> None:
        self.aborts += 1
        if self.store.held_abort is not None:
            await self.store.held_abort
        await self.inner.abort()
        self.ended = True
        self.store.step("abort")
