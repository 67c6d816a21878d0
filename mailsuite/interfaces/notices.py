"""Telling users: what happened, who follows, and the ways to tell them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zope.interface import Attribute, Interface

from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.notice import Entry, Happening, Level, Notice, Stretch
from mailsuite.model.subscription import (
    Attempt,
    ChannelTerms,
    Cursor,
    DeadLetter,
    Standing,
    Subscription,
)


class INoticeIntake(Interface):
    """Where the rest of the server says what happened. A notice is never in the way of mail: nothing here
    raises but its own cancellation, and whatever is slow is waited for no longer than a bound."""

    async def followed(accounts: Iterable[Address]) -> Mapping[Address, Level]:
        """Those that somebody follows, with the highest level at which anybody may be told or asks for
        something. Of all others nothing need be found out about a message."""

    async def happened(happenings: Sequence[Happening]) -> None:
        """Put these into the log, of accounts that are followed, and have whoever follows told, later than
        now. Durable when it returns, or else lost and logged."""


class IEventLog(Interface):
    """What happened to each account, in order. Raises TemporaryFailure where it is not available."""

    async def append(happenings: Sequence[Happening], *, is_durable: bool = True) -> tuple[Entry, ...]:
        """Put these at the end, each of the log of its account; all or none. Seqs of one account have no
        gaps. Durable when it returns, unless nobody asks for that: then it may be lost with the power."""

    async def read(account: Address, after: int, limit: int) -> Stretch:
        """The first *limit* entries behind *after*."""

    async def heads(accounts: Iterable[Address]) -> Mapping[Address, int]:
        """The seq of the newest entry that each ever had; 0: none."""

    async def grown_since(at: float) -> Mapping[Address, int]:
        """The heads of the accounts whose newest entry happened then (seconds since the epoch) or later; for
        the start."""

    async def trim(before: float, kept: int) -> int:
        """Remove from the old end of each account's log what happened before that (seconds since the epoch),
        and all but the newest *kept*; answers how many. Seqs go on where they were. Does it in small steps:
        others get their turn between them."""

    async def erase(account: Address) -> None:
        """Remove all of an account from the disk, so that it cannot be read there either; seqs begin anew."""


class ISubscriptions(Interface):
    """Who follows, and where each stands. Raises TemporaryFailure where that is not available.

    What a subscription keeps secret (target, secrets, options, code) is sealed wherever it is kept.
    """

    async def all() -> tuple[Standing, ...]:
        """All of them, in any order; for the start. One whose secrets cannot be opened is left out and
        logged."""

    async def preferences() -> tuple[Cursor, ...]:
        """The cursors of accounts' own NotifyMail (model.subscription.preference_id), which have no
        subscription: record() makes them, and remove() takes them."""

    async def add(subscription: Subscription, acked: int) -> None:
        """Add one whose cursor stands at *acked*. Raises PermanentFailure(ALREADY_EXISTS)."""

    async def change(subscription: Subscription) -> None:
        """Replace all that may change of it: account, device and channel stay as they are. Raises
        PermanentFailure(NO_SUCH_SUBSCRIPTION)."""

    async def remove(id: str) -> None:
        """Remove it, its cursor, attempts and dead letters, so that they cannot be read on the disk either.
        Raises as change() does, but for a preference's cursor that is not there."""

    async def record(cursors: Sequence[Cursor], attempts: Sequence[Attempt] = ()) -> None:
        """Keep where subscriptions stand, and what was tried; of a subscription that is gone it is ignored.
        May be lost with the power, never with the process: then something is told twice, with the same id.
        The newest 50 attempts of each subscription are kept."""

    async def attempts(id: str) -> tuple[Attempt, ...]:
        """The newest first."""

    async def bury(letter: DeadLetter) -> None:
        """Keep what was given up."""

    async def dead_letters(id: str) -> tuple[DeadLetter, ...]:
        """The oldest first."""

    async def unbury(id: str, seq: int) -> None:
        """Forget the dead letter that ends with *seq*; none: nothing happens."""

    async def trim(before: float) -> int:
        """Forget attempts and dead letters from before that; answers how many."""

    async def reseal() -> tuple[int, int]:
        """Seal by the newest key what is sealed by another: how many subscriptions were, and how many no key
        opens. What is left then that can be opened is sealed by a key that was the newest when it began, or
        by a newer one. In small steps."""


class INotifyChannel(Interface):
    """A way to hand a notice to a subscriber. Keeps no state but connections; one contract suite
    (tests/contracts/notify_channel.py) for all, also for those of others."""

    name: str = Attribute("As in subscriptions, in the log and in the configuration.")
    terms: ChannelTerms = Attribute("How it is dealt with.")

    def prepare(subscription: Subscription, by_admin: bool = False) -> Subscription:
        """Check what somebody asks for, perhaps an administrator, and answer it as it is to be kept: target
        normalised, target_key and secrets set. Raises ValueError with a sentence for who asks, which names
        the field."""

    async def tell(subscription: Subscription, notice: Notice) -> int:
        """Hand it over once; answers the HTTP status, or 0 where there is none. Bounded in time.

        Raises TargetGone where the target wants no more, ever; TellingRefused where this notice will never
        be taken; TellingFailed where trying again may help. Never lets a word of the other side's
        out but its status.
        """

    async def verify(subscription: Subscription, code: str) -> bool:
        """Send the code; answers whether the target gave it back at once. Raises as tell() does. Of channels
        whose terms verify nothing it is never asked."""

    async def stop() -> None:
        """End what is under way and close connections."""


class IKnocker(Interface):
    """A way to knock (RFC 4146): TCP or UDP."""

    name: str = Attribute("As in the log.")

    async def knock(peer: IPAddress, port: int) -> str:
        """Tell the listener at this address once; answer the outcome in a word for log and statistics.
        Raises TemporaryFailure where trying again soon may help (time-out), PermanentFailure where it will
        not (nobody listens)."""
