"""One message on its way to all of its local recipients: begin, write, then commit or abort.

All or nothing. The mail store is the only participant today, so one hand-over prepares and commits all
deliveries (IMailStore.deliver). When the outbound queue joins, commit() prepares the deliveries and the
queue's entry, then commits them: its callers see no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.python.failure import Failure

from mailsuite.interfaces import IDelivery, IMailStore
from mailsuite.model.address import Address
from mailsuite.model.message import Stored
from mailsuite.observe.log import Log

GATHERED_OCTETS = 16 * 1024
"""Pieces below this size are put together. Each piece costs every recipient's delivery a call and a place
in its memory, and how small the pieces are is up to the sender."""


@attrs.define(eq=False)
class Transaction:
    """Deliveries that share their fate. Ends by commit() or by abort(), whatever else happens.

    Both run to their end: whoever starts them keeps them from being cancelled (delivery/shield.py).
    """

    store: IMailStore
    log: Log
    deliveries: list[IDelivery] = attrs.field(factory=list, init=False)
    _gathered: bytearray = attrs.field(factory=bytearray, init=False)
    """The end of what was written, which no delivery has yet."""

    def begin(self, accounts: Sequence[Address], head: Callable[[Address], bytes]) -> None:
        """Begin a delivery to each account and write what stands at the head of its copy.

        Raises what the store raises; what was begun by then is ended by abort().
        """
        for account in accounts:
            delivery = self.store.begin(account)
            self.deliveries.append(delivery)
            delivery.write(head(account))

    def write(self, data: bytes) -> None:
        """Take the next octets for every delivery. Never blocks."""
        self._gathered += data
        if len(self._gathered) >= GATHERED_OCTETS:
            self._pass_on()

    def _pass_on(self) -> None:
        data = bytes(self._gathered)
        self._gathered.clear()
        for delivery in self.deliveries:
            delivery.write(data)

    @property
    def congested(self) -> bool:
        """Whether any delivery wants the writer to wait for drained()."""
        return any(delivery.congested for delivery in self.deliveries)

    async def drained(self) -> None:
        """Return when every delivery can take more."""
        for delivery in self.deliveries:
            await delivery.drained()

    async def commit(self) -> tuple[Stored, ...]:
        """Make the message durable and visible everywhere. Where that fails it is nowhere, and the
        store's failure is raised."""
        try:
            self._pass_on()
            return await self.store.deliver(self.deliveries)
        except Exception:
            await self.abort()
            raise

    async def abort(self) -> None:
        """Undo every delivery. A failure to undo one is logged and does not keep the others."""
        for delivery in self.deliveries:
            try:
                await delivery.abort()
            except Exception:
                self.log.failure("delivery.abort_failed", Failure(), account=delivery.account)
