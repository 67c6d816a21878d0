"""One message on its way to all of its recipients: begin, write, then commit or abort.

All or nothing, over the mail store and the outbound queue. Where the store is the only participant, one
hand-over prepares and commits all deliveries (IMailStore.deliver). Else everything is prepared first, then
the deliveries are committed, then the queue's entries: what is visible in a maildrop can be taken back while
the process runs, and what another server was sent cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite.interfaces import IDeliveries, IDelivery, IOutboundQueue, IQueuing
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope
from mailsuite.model.facts import Copy
from mailsuite.model.message import Stored
from mailsuite.observe.log import Log

T = TypeVar("T")

_NOBODY: Mapping[Address, Exception] = MappingProxyType({})

GATHERED_OCTETS = 16 * 1024
"""Pieces below this size are put together. Each piece costs every recipient's delivery a call and a place
in its memory, and how small the pieces are is up to the sender."""


@attrs.define(eq=False)
class Transaction:
    """Deliveries, and entries of the queue, that share their fate.

    Ends by commit(), commit_each() or abort(), whatever else happens. Whoever begins and writes all of it in
    one go does so inside ``async with``, which aborts where that fails, and commits behind it.

    All run to their end: whoever starts them keeps them from being cancelled (delivery/shield.py).
    """

    store: IDeliveries
    log: Log
    deliveries: list[IDelivery] = attrs.field(factory=list, init=False)
    queuings: list[IQueuing] = attrs.field(factory=list, init=False)
    _brief: set[IDelivery] = attrs.field(factory=set, init=False)
    """Deliveries that end with the header."""
    _closed: set[IDelivery] = attrs.field(factory=set, init=False)
    """Those of them that have all they get."""
    _gathered: bytearray = attrs.field(factory=bytearray, init=False)
    """The end of what was written, which no delivery has yet."""

    async def __aenter__(self) -> Transaction:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            await self.abort()

    def begin(self, copies: Sequence[Copy], head: Callable[[Copy], bytes], brief: bool = False) -> None:
        """Begin a delivery of each copy and write what stands at its head; a *brief* one gets nothing of what
        is written after end_header().

        Raises what the store raises; what was begun by then is ended by abort().
        """
        for copy in copies:
            delivery = self.store.begin(copy.account)
            self.deliveries.append(delivery)
            if brief:
                self._brief.add(delivery)
            delivery.write(head(copy))

    def end_header(self) -> None:
        """What was written up to now is all that brief copies get. Fails as write() does."""
        if self._brief:
            self._pass_on()
            self._closed = self._brief

    def begin_outbound(self, queue: IOutboundQueue, envelope: OutboundEnvelope, head: bytes) -> None:
        """Begin an entry of the queue and write what stands at its head. Raises as begin() does."""
        queuing = queue.begin(envelope)
        self.queuings.append(queuing)
        queuing.write(head)

    def write(self, data: bytes) -> None:
        """Take the next octets for everybody. Never blocks."""
        if len(data) >= GATHERED_OCTETS and not self._gathered:
            self._hand_out(data)  # as it is: large messages cost no copies
            return
        self._gathered += data
        if len(self._gathered) >= GATHERED_OCTETS:
            self._pass_on()

    def _pass_on(self) -> None:
        data = bytes(self._gathered)
        self._gathered.clear()
        self._hand_out(data)

    def _hand_out(self, data: bytes) -> None:
        for participant in self._participants():
            if participant not in self._closed:
                participant.write(data)

    def _participants(self) -> Iterator[IDelivery | IQueuing]:
        yield from self.deliveries
        yield from self.queuings

    @property
    def congested(self) -> bool:
        """Whether anybody wants the writer to wait for drained()."""
        return any(participant.congested for participant in self._participants())

    async def drained(self) -> None:
        """Return when everybody can take more."""
        for participant in self._participants():
            await participant.drained()

    async def commit(self) -> tuple[Stored, ...]:
        """Make the message durable everywhere, and visible.

        Where that fails it is nowhere, and the failure is raised. (Of two entries of the queue one may be
        on its way by then, if the other fails at its very last step: it comes twice rather than never.)
        """
        try:
            self._pass_on()
            if not self.queuings:
                return await self.store.deliver(self.deliveries)
            return await self._commit_with_queue()
        except Exception:
            await self.abort()
            raise

    async def _commit_with_queue(self) -> tuple[Stored, ...]:
        _results(await _together(participant.prepare() for participant in self._participants()))
        stored = _results(await _together(delivery.commit() for delivery in self.deliveries))
        _results(await _together(queuing.commit() for queuing in self.queuings))
        return tuple(stored)

    async def commit_each(
        self, refused: Mapping[Address, Exception] = _NOBODY
    ) -> tuple[Stored | Exception, ...]:
        """Let each delivery have its own fate (LMTP, RFC 2033 section 4.2).

        The failure stands in the place of what was stored; that of the accounts that are *refused* is known
        before. Never raises.
        """
        try:
            self._pass_on()
        except Exception as error:
            await self.abort()
            return (error,) * len(self.deliveries)
        good = [delivery for delivery in self.deliveries if delivery.account not in refused]
        outcomes = iter(await _together(self.store.deliver([delivery]) for delivery in good))
        return tuple(
            [
                await self._outcome(delivery, next(outcomes))
                if delivery.account not in refused
                else await self._failed(delivery, refused[delivery.account])
                for delivery in self.deliveries
            ]
        )

    async def _failed(self, delivery: IDelivery, error: Exception) -> Exception:
        await self._undo(delivery)
        return error

    async def _outcome(
        self, delivery: IDelivery, outcome: tuple[Stored, ...] | Failure
    ) -> Stored | Exception:
        if isinstance(outcome, Failure):
            error = outcome.value
            known = error if isinstance(error, Exception) else RuntimeError(str(error))
            return await self._failed(delivery, known)
        return outcome[0]

    async def abort(self) -> None:
        """Undo everything. A failure to undo one part is logged and does not keep the others."""
        for participant in self._participants():
            await self._undo(participant)

    async def _undo(self, participant: IDelivery | IQueuing) -> None:
        try:
            await participant.abort()
        except Exception:
            whose = participant.account if IDelivery.providedBy(participant) else "queue"
            self.log.failure("delivery.abort_failed", Failure(), account=whose)


async def _together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T | Failure]:
    """Start all, so that one group commit takes them, and wait for all, whatever becomes of some."""
    running = [Deferred.fromCoroutine(work) for work in works]
    outcomes: list[T | Failure] = []
    for each in running:
        try:
            outcomes.append(await each)
        except Exception:
            outcomes.append(Failure())
    return outcomes


def _results(outcomes: list[T | Failure]) -> list[T]:
    """All of them, or the first failure is raised."""
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            outcome.raiseException()
    return [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
