"""What happened to an account that somebody follows, and what a follower is told of it."""

from __future__ import annotations

import enum

import attrs

from mailsuite.model.address import Address


class Kind(enum.Enum):
    """What happened."""

    MAIL_NEW = "mail.new"
    MAIL_CLEARED = "mail.cleared"
    """The owner has fetched a message: other screens may drop what they show of it."""
    QUOTA_REACHED = "quota.reached"
    LOGIN_NEW = "login.new"
    """Somebody logged in from where this account never did before."""
    QUEUE_DELAYED = "queue.delayed"
    QUEUE_FAILED = "queue.failed"
    TEST = "test"


class Level(enum.IntEnum):
    """How much a notice tells; each tells what those below it tell."""

    KNOCK = 0
    """That there is something."""
    COUNT = 1
    """And how much, and under which label (the tag of the recipient's address)."""
    SENDER = 2
    SUBJECT = 3
    """And the list it came by."""
    PREVIEW = 4

    @classmethod
    def of(cls, word: str) -> Level:
        """By its word in the configuration, ``knock`` to ``preview``. Raises KeyError."""
        return cls[word.upper()]

    @property
    def word(self) -> str:
        return self.name.lower()


class Importance(enum.IntEnum):
    """What a message says of itself (RFC 2156 section 5.3.4; X-Priority of old programs)."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


@attrs.frozen
class MessageFacts:
    """What the header says of a message, as far as notices go by it. Text is decoded (RFC 2047), may come
    from anybody and is not yet made safe to show."""

    sender: str = ""
    """The address in From, as it stands there; empty where there is none."""
    sender_name: str = ""
    """Its display name."""
    subject: str = ""
    list_id: str = ""
    """RFC 2919, without the angle brackets."""
    label: str = ""
    """The tag of the recipient's address (RFC 5233): ``shop`` of joe+shop@example.net."""
    importance: Importance = Importance.NORMAL
    preview: str = ""
    """The beginning of its text, where somebody may be told."""
    junk: bool = False
    bulk: bool = False
    """It came by a list, or says that it is bulk (RFC 2919, RFC 2369; Precedence)."""
    auto: bool = False
    """A program wrote it: Auto-Submitted (RFC 3834) is not "no", or the reverse path is empty."""
    own: bool = False
    """The owner sent it."""


@attrs.frozen
class Happening:
    """Something that happened to an account."""

    account: Address
    kind: Kind
    at: float
    """Seconds since the epoch."""
    uidl: str = ""
    """Of the message that it is about."""
    size: int = 0
    """Octets of that message in wire form; of QUOTA_REACHED the percentage."""
    facts: MessageFacts | None = None
    detail: str = ""
    """Of kinds that are about no message of the maildrop: one line for the owner."""


@attrs.frozen
class Entry:
    """A happening in the log of its account."""

    seq: int
    """1, 2, 3 ... within the account, in the order of the log; never used again."""
    happening: Happening


@attrs.frozen
class Stretch:
    """A part of an account's log."""

    entries: tuple[Entry, ...]
    """In order."""
    head: int
    """The seq of the newest entry that the account ever had; 0: none yet."""
    missed: bool = False
    """Between where reading began and the first of ``entries`` some have gone by age."""


@attrs.frozen
class Shown:
    """What a notice tells of one message, by its level: empty means that it is not told. Safe to show."""

    label: str = ""
    sender: str = ""
    sender_name: str = ""
    subject: str = ""
    list_id: str = ""
    preview: str = ""


@attrs.frozen
class Notice:
    """One notice for one subscription: of all that happened from ``first`` to ``seq``, the newest shown."""

    id: str
    """The same over retries, restarts and machines: by account and ``seq``. ``ev_`` and base64url."""
    kind: Kind
    account: str
    """A pseudonym: another one for each subscription, so that two receivers cannot put them together."""
    first: int
    seq: int
    at: float
    """Seconds since the epoch: of the newest."""
    count: int
    """How many of this kind it tells of, 1 or more."""
    level: Level
    shown: Shown = Shown()
    detail: str = ""
    digest: tuple[Shown, ...] = ()
    """Where it closes a quiet time: what came in it, the oldest first, as far as it has room."""
    at_least: bool = False
    """There was more, which has gone by age before anybody could be told."""
