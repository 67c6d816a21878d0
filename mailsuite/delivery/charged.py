"""Deliveries that are charged to the quota of the maildrop they go to (features rows L-07, M-20)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from zope.interface import implementer

from mailsuite.delivery.quota_ledger import Entry, Ledger
from mailsuite.interfaces import IDelivery
from mailsuite.interfaces.store import IDeliveries
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure, TemporaryFailure
from mailsuite.model.message import Stored
from mailsuite.model.reply import OVER_QUOTA


@implementer(IDeliveries)
@attrs.define(eq=False)
class ChargedDeliveries:
    """What others deliver, as far as there is a place for it, by its true size.

    Raises the failure of the ledger's rules where no maildrop has a place. Where some have one the failure is
    temporary, whatever the rules say: the sender's server would give up for all of them.
    """

    inner: IDeliveries
    ledger: Ledger

    def begin(self, account: Address) -> ChargedDelivery:
        return ChargedDelivery(self.inner.begin(account), self.ledger)

    async def deliver(self, deliveries: Sequence[IDelivery]) -> tuple[Stored, ...]:
        ours = [_own(delivery) for delivery in deliveries]
        try:
            await self._enter(ours)
            stored = await self.inner.deliver([delivery.inner for delivery in ours])
        except BaseException:
            for delivery in ours:
                delivery.end(stored=False)
            raise
        for delivery in ours:
            delivery.end(stored=True)
        return stored

    async def _enter(self, deliveries: Sequence[ChargedDelivery]) -> None:
        full = [delivery for delivery in deliveries if not await delivery.enter()]
        if full:
            raise _failure(self.ledger, full[0], alone=len(full) == len(deliveries))


@implementer(IDelivery)
@attrs.define(eq=False)
class ChargedDelivery:
    """A delivery whose octets are counted."""

    inner: IDelivery
    _ledger: Ledger
    octets: int = attrs.field(default=0, init=False)
    _entry: Entry | None = attrs.field(default=None, init=False)

    @property
    def account(self) -> Address:
        account: Address = self.inner.account
        return account

    @property
    def congested(self) -> bool:
        return bool(self.inner.congested)

    def write(self, data: bytes) -> None:
        self.inner.write(data)
        self.octets += len(data)

    async def drained(self) -> None:
        await self.inner.drained()

    async def prepare(self) -> None:
        """Where there is no place for it, the failure is temporary: who prepares has other participants."""
        try:
            if not await self.enter():
                raise _failure(self._ledger, self, alone=False)
            await self.inner.prepare()
        except BaseException:
            self.end(stored=False)
            raise

    async def commit(self) -> Stored:
        try:
            stored = await self.inner.commit()
        except BaseException:
            self.end(stored=False)
            raise
        self.end(stored=True)
        return stored

    async def abort(self) -> None:
        try:
            await self.inner.abort()
        finally:
            self.end(stored=False)
            self._ledger.doubt(self.account)

    async def enter(self) -> bool:
        """Write it down, where that was not done yet; False where there is no place for it."""
        if self._entry is None:
            self._entry = await self._ledger.enter(self.account, self.octets)
        return self._entry is not None

    def end(self, *, stored: bool) -> None:
        """It is in the maildrop, or nowhere. Any number of times; the first counts."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self._ledger.end(entry, stored=stored)


def _own(delivery: IDelivery) -> ChargedDelivery:
    if not isinstance(delivery, ChargedDelivery):
        raise TypeError("the delivery was begun elsewhere")
    return delivery


def _failure(ledger: Ledger, delivery: ChargedDelivery, *, alone: bool) -> MailFailure:
    detail = f"{delivery.account} has no place for {delivery.octets} octets"
    return ledger.rules.failure(detail) if alone else TemporaryFailure(OVER_QUOTA, detail)
