"""Every seam of the system. Values cross seams, objects with state do not.

A method is ``async def`` unless it is trivially local. All raise TemporaryFailure or PermanentFailure
(model/failure.py) where a client must be told something; anything else is a mistake of ours.
One contract suite per interface stands in tests/contracts and runs against every implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from zope.interface import Attribute, Interface

from mailsuite.model.account import Account, Domain, IPAddress
from mailsuite.model.address import Address
from mailsuite.model.ban import Ban
from mailsuite.model.device import Device, IPNetwork
from mailsuite.model.events import Event
from mailsuite.model.facts import StageFacts, Verdict
from mailsuite.model.login import LoginRecord
from mailsuite.model.message import MessageRef, Stored
from mailsuite.model.retention import Deleted, Retention, Usage
from mailsuite.model.view import View

T = TypeVar("T")


class IThreads(Interface):
    """Where blocking work goes: a bounded pool of threads."""

    async def run(work: Callable[[], T]) -> T:
        """Call *work* in a thread, answer what it returns or raises. Raises TemporaryFailure(OVERLOADED) at
        once where the pool's queue is full."""


class IMailStore(Interface):
    """Maildrops, one for each account."""

    async def open_maildrop(account: Address, view: View = ...) -> IMaildrop:
        """Lock the maildrop for this view and freeze the list of its messages.

        Raises MaildropInUse where another session of the same view, in any process, holds it; different
        views may be open at once. A maildrop that nothing was ever delivered to is empty, not missing.
        """

    def begin(account: Address) -> IDelivery:
        """Begin to deliver one message to one account. Nothing is visible before the commit."""

    async def deliver(deliveries: Sequence[IDelivery]) -> tuple[Stored, ...]:
        """Prepare and commit all of *deliveries* (all begun here), or none.

        The same promise as prepare() and commit() of each, with one hand-over instead of many: for the
        transaction that has no other participant. When it returns, all are durable and visible.
        """

    async def usage(account: Address) -> Usage:
        """How much is in the maildrop."""

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


class ISubmitter(Interface):
    """Somebody who logged in to send: what the avatar of SMTP AUTH is."""

    account: Account = Attribute("Who, as the directory knew them at the login.")


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


class IAccountDirectory(Interface):
    """Who exists. Addresses and domain names that go in are canonical."""

    async def account(address: Address) -> Account | None:
        """The account with exactly this address, or None."""

    async def has_domain(name: str) -> bool:
        """Whether mail for this domain is ours."""

    async def accounts() -> tuple[Account, ...]:
        """All accounts, sorted by domain, then local part."""

    async def domains() -> tuple[Domain, ...]:
        """All domains, sorted by name."""

    async def add_domain(name: str) -> None:
        """Add a domain. Raises PermanentFailure(ALREADY_EXISTS)."""

    async def add_account(account: Account) -> None:
        """Add an account, and its domain if it is new. Raises PermanentFailure(ALREADY_EXISTS)."""

    async def change_account(account: Account) -> None:
        """Replace all that an Account says beside its address and origin. Raises
        PermanentFailure(NO_SUCH_ACCOUNT), or PermanentFailure(READ_ONLY) where it stands in a file."""

    async def replace_hash(account: Address, old: str, new: str) -> bool:
        """Replace the password hash *old* by *new*, at one stroke; all else stays as it is by then. False,
        and nothing changed, where the hash is another one by now, or the account is gone. Raises
        PermanentFailure(READ_ONLY) where it stands in a file."""

    async def remove_account(address: Address) -> None:
        """Remove an account with its devices and verifiers; its mail stays. Raises as change_account()."""

    async def devices(account: Address) -> tuple[Device, ...]:
        """The device passwords of an account, sorted by name whatever the case; none where there is no
        such account."""

    async def all_devices() -> tuple[tuple[Address, Device], ...]:
        """All that are kept, sorted by domain, local part, name. Also those of an account that stood in a
        file and stands there no more: they come back with it."""

    async def add_device(account: Address, device: Device) -> None:
        """Add a device password, also to an account that stands in a file. Raises
        PermanentFailure(ALREADY_EXISTS) where the account has a device of that name, whatever the case, or
        any account one of that id; PermanentFailure(NO_SUCH_ACCOUNT)."""

    async def change_device(account: Address, device: Device) -> None:
        """Replace the device with the same id. Raises as remove_device(), and
        PermanentFailure(ALREADY_EXISTS) where another device of the account has the new name."""

    async def remove_device(account: Address, id: str) -> None:
        """Remove a device password. Raises PermanentFailure(NO_SUCH_DEVICE), or
        PermanentFailure(READ_ONLY) where it stands in a file."""

    async def verifiers(account: Address) -> bytes:
        """The sealed SCRAM verifiers of the account's own password; empty where there are none."""

    async def all_verifiers() -> tuple[tuple[Address, bytes], ...]:
        """All that are kept, sorted as accounts() are; as all_devices() in all else."""

    async def keep_verifiers(account: Address, sealed: bytes) -> None:
        """Replace the verifiers; also for an account that stands in a file. Empty: forget them. Raises
        PermanentFailure(NO_SUCH_ACCOUNT)."""

    async def replace_verifiers(account: Address, old: bytes, new: bytes) -> bool:
        """Replace the verifiers *old* by *new*, at one stroke; with *old* empty, keep the first ones.

        False, and nothing changed, where there are others by now, or none any more, or nobody to keep the
        first ones for.
        """


class ISightings(Interface):
    """From where each account last logged in; survives a restart."""

    async def record(account: Address, peer: IPAddress, at: float) -> None:
        """Note an authenticated session (*at*: seconds since the epoch). Cheap when nothing changed."""

    async def last(account: Address, since: float) -> IPAddress | None:
        """The newest address seen at or after *since*, or None."""

    async def forget(account: Address) -> None:
        """Never answer again what was recorded before; whoever has the address next is somebody else."""


class ILogins(Interface):
    """How people logged in: by which mechanism, with which device, from where. Survives a restart."""

    async def record(login: LoginRecord) -> None:
        """Note a login that succeeded. Cheap where it differs from one noted lately in its time alone."""

    async def since(at: float) -> tuple[LoginRecord, ...]:
        """For each way (account, device, service, mechanism, peer) its newest login at or after *at*
        (seconds since the epoch); the newest first."""

    async def last_uses(account: Address) -> dict[str, LoginRecord]:
        """The newest login of each device of an account, by its id; "" is the account's own password."""

    async def forget(account: Address, device: str | None = None) -> None:
        """Forget the logins of an account, or of one of its devices."""


class IBans(Interface):
    """Which addresses nobody talks to. Survives a restart, but for those that last until then."""

    async def bans() -> tuple[Ban, ...]:
        """All that are kept, those that have ended meanwhile too (they count for the next time)."""

    async def keep(ban: Ban) -> None:
        """Keep a ban in the place of any other of the same network."""

    async def drop(network: IPNetwork) -> bool:
        """Forget the ban of exactly this network; False where there is none."""


class IEventBus(Interface):
    """Events after the fact. An event may be lost in a crash, or come twice."""

    def publish(event: Event) -> None:
        """Tell all subscribers, later than now; never blocks and never raises."""

    def subscribe(subscriber: Callable[[Event], None]) -> Callable[[], None]:
        """Call *subscriber* for each event; answers the function that ends that."""


class INotifyChannel(Interface):
    """A way to tell somebody that mail is there."""

    name: str = Attribute("As in the log and in the configuration.")

    async def knock(peer: IPAddress, port: int) -> str:
        """Tell the listener at this address once; answer the outcome in a word for log and statistics.
        Raises TemporaryFailure where trying again soon may help (time-out), PermanentFailure where it will
        not (nobody listens)."""


class IPolicyRule(Interface):
    """Facts in, verdict out; no side effects."""

    name: str = Attribute("As in the log.")

    async def check(facts: StageFacts) -> Verdict:
        """Judge one stage of one transaction."""
