"""What the outbound queue knows of a message: who is still to get it, and what became of the others."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import NOTHING_SAID, MailParameters, NotifyOn, OutboundRecipient
from mailsuite.model.reply import Reply

MAX_RECIPIENTS_AT_ONCE = 100
"""Recipients of one lease: what every server takes in one transaction (RFC 5321 section 4.5.3.1.8)."""
FROM = " from "
"""In the key of a destination, between it and the source that its mail has for itself."""


def source_of(destination: str) -> str:
    """The addresses of this machine that mail for a destination comes from, as its key says it; empty: the
    usual ones."""
    return destination.partition(FROM)[2]


class Fate(enum.Enum):
    """What an attempt came to, for one recipient."""

    DELIVERED = "delivered"
    """It is in a maildrop: of ours, or behind LMTP."""
    RELAYED = "relayed"
    """The next server has taken it."""
    DEFERRED = "deferred"
    """Later, perhaps."""
    FAILED = "failed"
    """Never."""


def fate_of(reply: Reply, taken: Fate) -> Fate:
    """What a reply comes to, where a positive one means *taken*."""
    if reply.is_positive:
        return taken
    return Fate.DEFERRED if reply.is_temporary else Fate.FAILED


@attrs.frozen
class Outcome:
    """What an attempt came to, for one recipient, and who said so."""

    fate: Fate
    reply: Reply
    """What the other server said; or what we say ourselves, where ``host`` is empty. ``enhanced`` is empty
    where the other server gave no such code."""
    host: str = ""
    """Who said it: ``mx.example.org [192.0.2.1]``."""
    at: float = 0.0
    """Seconds since the epoch."""
    notices_passed_on: bool = False
    """With RELAYED: the next server knows DSN (RFC 3461) and was told what the sender wants to hear."""

    @property
    def said(self) -> str:
        """The reply in one line: what administrators see, search and count."""
        codes = f"{self.reply.code} {self.reply.enhanced}".rstrip()
        return " ".join((codes, *self.reply.text))


@attrs.frozen
class QueuedRecipient:
    """One recipient of a message in the queue."""

    number: int
    """Its place among all recipients of the message, from 0: what outcomes are recorded by."""
    recipient: OutboundRecipient
    tries: int = 0
    """Attempts that were recorded."""
    last: Outcome | None = None
    """What the last attempt came to."""
    warned: bool = False
    """A notice that it is delayed was owed before, and is not owed again."""


@attrs.frozen
class QueuedMessage:
    """What all recipients of a message in the queue have in common."""

    id: str
    sender: Address | None
    """None for the null reverse-path."""
    parameters: MailParameters = NOTHING_SAID
    account: Address | None = None
    """Who submitted it, None where nobody logged in."""
    arrived: float = 0.0
    """Seconds since the epoch."""
    release: float = 0.0
    """Not to be sent before, in seconds since the epoch; 0: at once (RFC 4865)."""
    size: int = 0
    """Octets of the content, CRLF line ends, no dot-stuffing."""
    vouched: bool = False
    """Whoever handed it in is known: logged in, or a listed host. Its sender may be told of its fate."""


@attrs.frozen
class Room:
    """How many messages may be leased, of each destination and of each source."""

    usual: int
    """Of a destination that is not named."""
    destinations: Mapping[str, int] = attrs.field(factory=dict)
    from_each: int | None = None
    """Of a source that is not named; None: of each as many as there are."""
    sources: Mapping[str, int] = attrs.field(factory=dict)
    """By what source_of() says."""

    def of(self, destination: str) -> int:
        """For how many of this destination, whatever its source allows."""
        return self.destinations.get(destination, self.usual)

    def of_source(self, source: str, count: int) -> int:
        """For how many of this source, up to *count*."""
        return min(count, self.sources.get(source, count if self.from_each is None else self.from_each))


@attrs.frozen
class Lease:
    """Somebody has a message for one destination in hand, up to a time; nobody else gets it meanwhile."""

    token: str
    """Which lease this is; a later one of the same recipients has another."""
    message: QueuedMessage
    destination: str
    recipients: tuple[QueuedRecipient, ...]
    """Those that are to get it now, MAX_RECIPIENTS_AT_ONCE at most."""


@attrs.frozen
class Owed:
    """Notices that the sender of a message is to get of some of its recipients, all of one kind."""

    message: QueuedMessage
    kind: NotifyOn
    """SUCCESS, FAILURE or DELAY."""
    recipients: tuple[QueuedRecipient, ...]
    """Whom they are about; ``last`` says what came of the attempt."""


class QueueState(enum.Enum):
    """Where one recipient of a message in the queue stands."""

    READY = "ready"
    """It waits for its turn."""
    WAITING = "waiting"
    """It waits for its time."""
    LEASED = "leased"
    """Somebody is sending it."""
    HELD = "held"
    """An administrator keeps it back."""
    OVER = "over"
    """Sent, or given up."""


@attrs.frozen
class QueueEntry:
    """A message in the queue with all its recipients, for an administrator's eyes."""

    message: QueuedMessage
    recipients: tuple[QueuedRecipient, ...]
    states: tuple[QueueState, ...]
    """Of each recipient."""
    due: tuple[float, ...]
    """When each is due, in seconds since the epoch; 0 for those that are over."""


@attrs.frozen
class QueueFilter:
    """Which messages are meant; all that is said must be true. Nothing said: all."""

    ids: frozenset[str] = frozenset()
    sender: str = ""
    """An address, ``<>`` for the null reverse-path, or ``@domain``; letter case does not count."""
    recipient: str = ""
    """An address or ``@domain``, of a recipient that is not over."""
    account: Address | None = None
    """Who submitted it."""
    older_than: float | None = None
    """Seconds since it arrived."""
    error: str = ""
    """Part of what the last attempt came to, of a recipient that is not over; letter case does not count."""
    state: QueueState | None = None
    """Of a recipient."""


@attrs.frozen
class DestinationShape:
    """How much waits for one destination, by how long ago it arrived (as qshape(1) of Postfix shows it)."""

    destination: str
    counts: tuple[int, ...]
    """Recipients, for each of the ages asked for: up to the first, up to the second ..., beyond the last."""
    last: str = ""
    """What the last attempt came to, of one recipient."""
