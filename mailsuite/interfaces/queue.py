"""The outbound queue: mail for other servers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from zope.interface import Attribute, Interface

from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope
from mailsuite.model.outbound import DestinationShape, Lease, Outcome, Owed, QueueEntry, QueueFilter, Room
from mailsuite.model.reply import Reply
from mailsuite.model.retention import Usage

Changed = Callable[[Collection[str]], object]


def unheard(ids: Collection[str]) -> None:
    """Nobody wants to know."""


class IOutboundQueue(Interface):
    """Messages on their way to other servers.

    What was committed is in it until each recipient is over and every notice that is owed was told. All
    times are seconds since the epoch. Each method raises TemporaryFailure where the queue is not available.
    """

    def begin(envelope: OutboundEnvelope) -> IQueuing:
        """Begin to put one message into the queue. Nobody is sent anything before the commit."""

    def watch(call: Callable[[], None]) -> None:
        """Call *call*, without arguments and in the reactor's thread, whenever something may have become due
        by what somebody did: a commit, a release. A hint; next_due() is the truth."""

    async def claim(now: float, until: float, count: int, room: Room) -> tuple[Lease, ...]:
        """Lease what is due at *now*, up to the time *until*.

        At most *count* leases, and of each destination and each source at most what there is *room* for; the
        source stands in the destination's key (model/outbound.py, source_of). Whoever sends much does not
        hold up the others: among those that are due, the origins (accounts, or senders where nobody logged
        in) take turns.
        """

    async def extend(leases: Collection[Lease], until: float) -> tuple[Lease, ...]:
        """Hold them up to *until*; answers those that are still held. The others have been lost."""

    async def record(
        lease: Lease, outcomes: Mapping[int, Outcome], due: float, owed: Mapping[int, NotifyOn]
    ) -> bool:
        """What the attempt came to, by the recipients' numbers; a recipient that is not named was not tried.

        Ends the lease. The deferred, and those not tried, are due again at *due*; the others are over, and
        nobody gets them again. The notices that are *owed* for recipients become due with it, in the same
        commit. False: the lease was lost, and nothing was recorded.
        """

    async def give_back(leases: Collection[Lease], due: float) -> None:
        """End the leases as if they had never been; what they held is due at *due*."""

    async def owed(count: int) -> tuple[Owed, ...]:
        """Notices that are due and were not told, those of up to *count* messages, the oldest first."""

    async def told(owed: Owed) -> None:
        """These notices are durable elsewhere, or nobody is to get them: they are owed no more."""

    async def next_due() -> float | None:
        """When claim() could next have something, leases that end included; 0: now. None: not before somebody
        does something."""

    async def held_by(account: Address, now: float) -> Usage:
        """The messages of an account, and their octets, that wait at *now* for the time that their sender has
        chosen. Costs no more where others have much in the queue."""

    def content(id: str) -> IQueuedContent:
        """The content of a message that is in the queue."""

    async def reroute(destination_of: Callable[[Address | None, Address], str]) -> None:
        """From now on recipients go by these destinations; those in the queue, too, unless they are over
        or leased. *destination_of* is given sender and recipient; it is asked in any thread, raises nothing,
        and is quick."""


class IQueuing(Interface):
    """One message on its way into the queue: begin, write, prepare, commit or abort, as IDelivery."""

    envelope: OutboundEnvelope = Attribute("As it was begun with.")
    congested: bool = Attribute("True while the writer should wait for drained() before it writes on.")

    def write(data: bytes) -> None:
        """Take the next octets, CRLF line ends, no dot-stuffing. Never blocks. A failure to write is kept and
        raised by prepare()."""

    async def drained() -> None:
        """Return when more octets can be taken without growing beyond the bound."""

    async def prepare() -> None:
        """Make the message survive a crash, though nobody is sent it yet. Raises TemporaryFailure."""

    async def commit() -> None:
        """Put the prepared message into the queue, durably: from here on it is sent. Raises
        TemporaryFailure; then it is not in the queue. A message whose id is in the queue already, or was
        until a short time ago, is there once: who repeats a commit after a crash doubles nothing."""

    async def abort() -> None:
        """Undo: nothing stays, not even after commit() where the process still runs and nothing was leased
        yet. Always safe, any number of times."""


class IQueuedContent(Interface):
    """Octets of one message in the queue, read from the beginning, by one reader."""

    async def read(octets: int) -> bytes:
        """The next octets, at most so many; empty at the end. Raises TemporaryFailure."""

    def close() -> None:
        """Read no more. Any number of times."""


class IQueueDesk(Interface):
    """What an administrator does with the queue. Raises TemporaryFailure where it is not available.

    Whatever changes something does it for all messages that match, with a commit for each some thousand of
    them at most, and answers how many it changed; *changed* is told their ids after each commit, in the
    reactor's thread. Messages that are being sent are finished first: a lease that is held keeps what it
    holds, and what it gives back obeys."""

    async def find(
        which: QueueFilter, now: float, after: str = "", count: int = 100
    ) -> tuple[QueueEntry, ...]:
        """Those that match, in the order in which they arrived; *after* is the id of the last that the caller
        has."""

    async def count(which: QueueFilter, now: float) -> int:
        """How many messages match."""

    async def shape(now: float, ages: tuple[float, ...], count: int = 100) -> tuple[DestinationShape, ...]:
        """The destinations for which most waits, with the *ages* in seconds, rising."""

    async def errors(now: float, count: int = 100) -> tuple[tuple[str, int], ...]:
        """What last attempts came to, of recipients that are not over, and how many have it; most first."""

    async def hold(which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        """Keep back, until release()."""

    async def release(which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        """What was held, or waits for the time its sender chose, is due now."""

    async def retry(which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        """What waits is due now, unless it waits for the time its sender chose."""

    async def remove(which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        """Forget it: nobody gets it, and nobody is told."""

    async def bounce(which: QueueFilter, now: float, reply: Reply, changed: Changed = unheard) -> int:
        """Give up as if the next server had said this; notices of the failure are owed for all who did not
        refuse them with NOTIFY."""

    async def redirect(which: QueueFilter, now: float, to: Address, changed: Changed = unheard) -> int:
        """Send it to this address in the place of all recipients that are not over. What was held stays
        held, and what waits for the time its sender chose waits on."""
