"""Who wants to be told of what, where and how; and where each subscription stands."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from mailsuite.model.address import Address
from mailsuite.model.notice import Importance, Kind, Level

OWN_PASSWORD = ""
"""The ``device`` of what the account's own password made, or an administrator."""
ATTEMPTS_KEPT = 50
"""Of each subscription, the newest."""
_PREFERENCE = "nm:"


def preference_id(account: Address) -> str:
    """The id under which the cursor of an account's own NotifyMail stands: that is a preference of the
    account (Account.notify) and no subscription."""
    return f"{_PREFERENCE}{account}"


def is_preference(id: str) -> bool:
    """Whether it is one of preference_id()."""
    return id.startswith(_PREFERENCE)


class SubscriptionState(enum.Enum):
    """Whether a subscription is told of anything."""

    UNVERIFIED = "unverified"
    """Nobody has shown yet that the target wants it: it is sent its code, and nothing else."""
    ACTIVE = "active"
    PAUSED = "paused"
    """By its owner or an administrator."""
    SUSPENDED = "suspended"
    """By us: the target failed for too long."""
    DEAD = "dead"
    """The target said that it is gone; what was secret of it is erased."""


class WhileQuiet(enum.Enum):
    """What becomes of what happens in a quiet time."""

    DROP = "drop"
    HOLD = "hold"
    """One notice at its end, of the newest."""
    DIGEST = "digest"
    """As HOLD, and it lists what came."""


@attrs.frozen
class QuietSpan:
    """A time of the day, on some days of the week, by the clock of a place."""

    days: frozenset[int]
    """0 is Monday. A span that passes midnight belongs to the day on which it begins."""
    begin: int
    """Minutes after midnight, 0 to 1439."""
    end: int
    """Likewise; at or before ``begin``: on the next day."""


@attrs.frozen
class QuietTimes:
    """When a subscription is not told, and who gets through."""

    zone: str
    """A name of the IANA time zone database."""
    spans: tuple[QuietSpan, ...]
    manner: WhileQuiet = WhileQuiet.HOLD
    breakthrough: tuple[str, ...] = ()
    """Senders that are told of at once, as patterns of NoticeFilter.senders."""


@attrs.frozen
class NoticeFilter:
    """What a subscription wants to hear of. All that is said must hold; what is empty is not asked.

    Patterns are whole strings without letter case in which ``*`` stands for anything and ``?`` for one
    character.
    """

    kinds: frozenset[Kind] = frozenset({Kind.MAIL_NEW})
    senders: tuple[str, ...] = ()
    """Of the address in From; ``*@example.net``."""
    lists: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    importance: Importance = Importance.LOW
    """At least."""
    smallest: int = 0
    largest: int = 0
    """Octets; 0: any."""
    wanted: frozenset[str] = frozenset()
    """Of what the server keeps quiet about (``notify.suppress``), what this one wants all the same: ``bulk``,
    ``own``, ``auto``."""
    if_unfetched_after: float = 0.0
    """Seconds: it is told only of what nobody has fetched by then (escalation). 0: at once."""


@attrs.frozen
class Subscription:
    """One wish to be told. ``id``, ``account``, ``device``, ``channel`` and ``target`` never change."""

    id: str
    """``sub_`` and 96 random bits in base64url."""
    account: Address
    device: str
    """The credential that made it, which takes it along when it goes: a device's id, or OWN_PASSWORD."""
    channel: str
    target: str = attrs.field(repr=False)
    """By the channel: a URL, ``192.0.2.1:79``, ``last-ip``, the name of a command. May hold secrets, so
    that it is shown to nobody."""
    target_key: str
    """The unit of budgets and of failures, over all accounts: host and port. May be shown."""
    secrets: tuple[bytes, ...] = attrs.field(default=(), repr=False)
    """What notices are signed or encrypted with, the newest first; two while they change."""
    options: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """By the channel: topic, token, p256dh, auth, template, mode ..."""
    name: str = ""
    """As its owner calls it: ``Firefox on laptop``."""
    level: Level = Level.COUNT
    """What it asks for; it gets no more than the server and the channel allow."""
    filter: NoticeFilter = NoticeFilter()
    quiet: QuietTimes | None = None
    window: float | None = None
    """Seconds in which one notice tells of all; None: as its channel does."""
    urgency: str = "normal"
    """very-low, low, normal or high (RFC 8030 section 5.3)."""
    created: float = 0.0
    """Seconds since the epoch, as all times here."""
    expires: float | None = None
    state: SubscriptionState = SubscriptionState.ACTIVE
    reason: str = ""
    """Why it is in its state, for its owner."""
    code: str = attrs.field(default="", repr=False)
    """While UNVERIFIED: SHA-256 of what the target was sent, in hexadecimal."""
    guesses: int = 0
    """Wrong codes so far."""


@attrs.frozen
class Cursor:
    """Where a subscription stands in the log of its account, and how it went lately."""

    subscription: str
    acked: int = 0
    """All up to this seq is over: told, or nothing to tell."""
    due: float = 0.0
    """Nothing is tried before: the window, a retry, the end of a quiet time. Seconds since the epoch."""
    fails: int = 0
    """Failures in a row."""
    failing_since: float = 0.0
    last_ok: float = 0.0
    last_try: float = 0.0
    last_result: str = ""
    """In a few words, never of the other side's."""
    sent: int = 0
    """Notices handed over, ever."""
    useful: int = 0
    """Of those, after how many the owner came within a minute."""


@attrs.frozen
class Standing:
    """A subscription and where it stands."""

    subscription: Subscription
    cursor: Cursor


@attrs.frozen
class Attempt:
    """One try to tell, for the owner and for ``mailsuite notify show``."""

    subscription: str
    seq: int
    at: float
    took: float
    """Seconds."""
    result: str
    """``ok``, ``refused``, ``timed-out``, ``http 503`` ...: never a word of the other side's."""
    code: int = 0
    """HTTP status; 0: there was none."""


@attrs.frozen
class DeadLetter:
    """A notice that was given up; it can be told again while the log has it."""

    subscription: str
    first: int
    seq: int
    at: float
    result: str
    code: int = 0


@attrs.frozen
class ChannelTerms:
    """How a channel is dealt with (a subscription may ask for less, never for more)."""

    max_level: Level
    """What it may carry: Level.KNOCK where nothing protects it on its way."""
    window: float
    """Seconds in which one notice tells of all, where a subscription says nothing."""
    each: bool
    """Every happening is told by itself, in order, each until it is over; else the newest tells of all."""
    retries: tuple[float, ...]
    """Seconds to wait before the second try, the third ...; after the last of them it gives up."""
    jitter: float = 0.2
    """Each wait is longer or shorter by up to this part of it."""
    buries: bool = False
    """What is given up can be told again."""
    suspends: bool = True
    """Who was given up on is told nothing until somebody resumes it."""
    verifies: bool = True
    """The target must answer a code before it is told of anything."""
    lifetime: float | None = None
    """Seconds that a subscription lives unless it is renewed; None: for ever."""
