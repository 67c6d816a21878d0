"""What a notice is made of, as values."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable

import attrs

from mailsuite.delivery.dsn_texts import Texts
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Fate, Outcome, Owed, QueuedMessage, QueuedRecipient

OUR_IDS = "dsn-"
"""How the ids of our own notices begin; no other message of ours has such a one."""
ID_DIGITS = 32
"""Hexadecimal digits of an id: 128 bits, so that no two notices share one."""


class Action(enum.Enum):
    """What became of the message, for one recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class Reader(enum.Enum):
    """Who reads a notice."""

    SENDER = "sender"
    POSTMASTER = "postmaster"
    """In the place of the sender, who cannot be told."""
    ONLOOKER = "onlooker"
    """The postmaster, beside the sender."""


def _unknown(recipient: QueuedRecipient) -> float:
    return 0.0


@attrs.frozen
class Report:
    """One notice: about some recipients of one message, all of one kind."""

    owed: Owed
    to: Address
    hostname: str
    """Ours; a domain name."""
    contact: Address
    """Who reads an answer, and helps (RFC 3464 section 2)."""
    texts: Texts
    now: float
    """Seconds since the epoch."""
    reader: Reader = Reader.SENDER
    expanded: frozenset[int] = frozenset()
    """Recipients of ours, by number, whose address stands for several people (RFC 3461 section 5.2.7.3)."""
    retry_until: Callable[[QueuedRecipient], float] = _unknown
    """Until when a delayed message is tried again, in seconds since the epoch; 0: nobody can say."""

    @property
    def message(self) -> QueuedMessage:
        return self.owed.message

    @property
    def id(self) -> str:
        """An RFC 5322 atom, always the same for the same notice: who makes it again after a crash makes no
        other."""
        numbers = ",".join(str(each.number) for each in self.owed.recipients)
        what = "\0".join(
            (self.hostname, self.message.id, self.owed.kind.value, self.reader.value, str(self.to), numbers)
        )
        return id_of(what)

    def action(self, recipient: QueuedRecipient) -> Action:
        """What is said of one of the recipients."""
        if self.owed.kind is NotifyOn.FAILURE:
            return Action.FAILED
        if self.owed.kind is NotifyOn.DELAY:
            return Action.DELAYED
        if recipient.number in self.expanded:
            return Action.EXPANDED
        last = recipient.last
        return Action.RELAYED if last is not None and last.fate is Fate.RELAYED else Action.DELIVERED


def id_of(what: str) -> str:
    """The id of a letter that is about this."""
    return OUR_IDS + hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()[:ID_DIGITS]


def has_expired(outcome: Outcome | None) -> bool:
    """Whether a failure is one because the time was over: the last word was that we may try again."""
    return outcome is not None and outcome.fate is Fate.FAILED and outcome.reply.is_temporary
