"""Maildrops and what is delivered to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import Attribute, Interface

from mailsuite.model.address import Address
from mailsuite.model.message import MessageRef, Stored
from mailsuite.model.reply import Reply
from mailsuite.model.retention import Deleted, Retention, Usage
from mailsuite.model.view import View


class IDeliveries(Interface):
    """Takes messages into maildrops."""

    def begin(account: Address) -> IDelivery:
        """Begin to deliver one message to one account. Nothing is visible before the commit."""

    async def deliver(deliveries: Sequence[IDelivery]) -> tuple[Stored, ...]:
        """Prepare and commit all of *deliveries* (all begun here), or none.

        The same promise as prepare() and commit() of each, with one hand-over instead of many: for the
        transaction that has no other participant. When it returns, all are durable and visible.
        """


class IQuotas(Interface):
    """How much mail accounts may have."""

    async def objection(account: Address, octets: int) -> Reply | None:
        """Why one more message of so many octets (0: nobody has said how many) has no place in the maildrop,
        what is being delivered counted too; None where it has. Fails as the store and the directory do."""


class IMailStore(IDeliveries):
    """Maildrops, one for each account."""

    changed: Callable[[Address], None] = Attribute(
        "Called, in the reactor's thread, with the account whose maildrop has something removed or brought "
        "back by this process. May be replaced; raises nothing."
    )

    async def open_maildrop(account: Address, view: View = ...) -> IMaildrop:
        """Lock the maildrop for this view and freeze the list of its messages.

        Raises MaildropInUse where another session of the same view, in any process, holds it; different
        views may be open at once. A maildrop that nothing was ever delivered to is empty, not missing.
        """

    async def usage(account: Address) -> Usage:
        """How much is in the maildrop: right after all that was done here, and within a minute after what
        other programs have done. Cheap, however much there is."""

    async def warned(account: Address) -> int:
        """At which percentage of its quota the owner was warned last, as note_warned() has noted it; 0 where
        there was none."""

    async def note_warned(account: Address, level: int) -> None:
        """Keep that, durable when it returns."""

    async def expire(account: Address, retention: Retention, now: float, rehearse: bool = False) -> Usage:
        """Delete what has stayed longer than *retention* lets it, and what every device with a view has
        deleted; answer how much that was (as ``messages`` and ``octets``), seen from *now* (seconds since
        the epoch). Where it only *rehearses*, nothing changes."""

    async def purge(account: Address, before: float) -> int:
        """Forget for good what was deleted before that time (seconds since the epoch); answer how many."""

    async def deleted(account: Address) -> tuple[Deleted, ...]:
        """What can be brought back, the latest deletion first."""

    async def undelete(account: Address, uidls: Sequence[str]) -> int:
        """Bring deleted messages back, octet by octet and UIDL as they were; answer how many are back.
        Durable when it returns. One that is not there any more is passed over."""

    async def views(account: Address) -> tuple[str, ...]:
        """The ids of the devices that have a view of this maildrop."""

    async def enroll_view(account: Address, device: str) -> None:
        """From now on this device counts, though it has not logged in yet: its view begins now, as it would
        at a first login. Durable when it returns; nothing changes where it has a view already."""

    async def forget_view(account: Address, device: str) -> None:
        """A device password is gone, and with it what it has hidden; it holds no mail any more."""

    async def maildrops() -> tuple[Address, ...]:
        """Whose maildrops there are, also those of accounts that are no more."""


class IDelivery(Interface):
    """One message on its way into one maildrop: begin, write, prepare, commit or abort."""

    account: Address = Attribute("Whose maildrop this goes to.")
    congested: bool = Attribute("True while the writer should wait for drained() before it writes on.")

    def write(data: bytes) -> None:
        """Take the next octets, in wire form (CRLF line ends, no dot-stuffing). Never blocks. A failure to
        write is kept and raised by prepare() or deliver()."""

    async def drained() -> None:
        """Return when more octets can be taken without growing beyond the delivery's bound."""

    async def prepare() -> None:
        """Make the message survive a crash, though not yet visible."""

    async def commit() -> Stored:
        """Make the prepared message visible, durably."""

    async def abort() -> None:
        """Undo: nothing stays, not even after commit() where the process still runs. Always safe, any
        number of times."""


class IMaildrop(Interface):
    """An open, locked maildrop: what POP3's avatar is."""

    account: Address = Attribute("Whose maildrop this is.")
    messages: tuple[MessageRef, ...] = Attribute("Oldest first; frozen at opening.")

    async def open(ref: MessageRef) -> IMessageBody:
        """Open one message. Raises MessageGone where another program has taken it."""

    async def update(deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        """The UPDATE state (RFC 1939 section 6): remove *deleted* durably, in the sense of the view; answer
        how many could *not* be removed (and are still there). One that is gone already counts as removed.

        Those *retrieved* are marked as seen in an inbox, as far as that can be done, and brought back by the
        view that restores.
        """

    async def release() -> None:
        """Give the lock back. Any number of times."""


class IMessageBody(Interface):
    """A message opened for reading, in wire form."""

    size: int = Attribute("Octets in wire form.")
    descriptor: int = Attribute(
        "A file descriptor whose octets from 0 to size are the wire form as they stand, for sendfile; "
        "-1 where a conversion is needed or no file is behind it."
    )

    async def read() -> bytes:
        """The next octets, at most 64 KiB; b"" at the end. Raises TemporaryFailure where the disk fails or
        the file ends too early."""

    def close() -> None:
        """Let go of the file. Any number of times."""
