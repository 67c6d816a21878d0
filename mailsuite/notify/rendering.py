"""What a notice tells of what happened: by its level, safe to show, and with names that tell nobody who is
meant. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from mailsuite.model.address import Address
from mailsuite.model.display_text import LONG, SHORT, one_line, with_address
from mailsuite.model.notice import Entry, Happening, Kind, Level, MessageFacts, Notice, Shown
from mailsuite.model.subscription import Subscription
from mailsuite.wire.notice import account_pseudonym, event_id, subscription_key

MAX_DIGEST: Final = 20
"""Messages that the notice at the end of a quiet time lists, the newest; the count tells of all."""
MAX_ADDRESS: Final = 320
"""Characters: 64 before the @ and 255 behind it (RFC 5321 section 4.5.3.1)."""

_NOTHING: Final = Shown()


@attrs.frozen
class NoticeKeys:
    """Makes names that only who has the server's key can make."""

    key: bytes = attrs.field(repr=False)
    """32 random octets that stay the same: else receivers could not tell what they have seen."""

    def event(self, account: Address, seq: int) -> str:
        """The id of the notice that ends with this entry."""
        return event_id(self.key, account, seq)

    def of(self, subscription: str) -> bytes:
        """A key of the subscription's own, for what its receiver alone is to recognise."""
        return subscription_key(self.key, subscription)

    def pseudonym(self, subscription: str, account: Address) -> str:
        """How the subscription's receiver knows the account."""
        return account_pseudonym(self.of(subscription), account)


def render(
    entries: Sequence[Entry],
    subscription: Subscription,
    level: Level,
    keys: NoticeKeys,
    *,
    digest: bool = False,
    at_least: bool = False,
) -> Notice:
    """One notice of all *entries*, which are of one kind and in order; the newest is shown, as far as *level*
    and the subscription's own allow.

    *digest*: it closes a quiet time and lists what came. *at_least*: there was more, which has gone by age.
    """
    first, newest = entries[0], entries[-1]
    happening = newest.happening
    level = min(level, subscription.level)
    listed = entries[-MAX_DIGEST:] if digest and len(entries) > 1 and level > Level.KNOCK else ()
    return Notice(
        id=keys.event(subscription.account, newest.seq),
        kind=happening.kind,
        account=keys.pseudonym(subscription.id, subscription.account),
        first=first.seq,
        seq=newest.seq,
        at=happening.at,
        count=len(entries),
        level=level,
        shown=shown(happening, level),
        detail=one_line(happening.detail, LONG) if level >= Level.SENDER else "",
        digest=tuple(shown(each.happening, level) for each in listed),
        at_least=at_least,
    )


def trial(subscription: Subscription, level: Level, keys: NoticeKeys, seq: int, at: float) -> Notice:
    """A notice of nothing, to see whether it arrives. No two have the same id."""
    return Notice(
        id=keys.event(subscription.account, -round(at * 1000)),
        kind=Kind.TEST,
        account=keys.pseudonym(subscription.id, subscription.account),
        first=seq,
        seq=seq,
        at=at,
        count=1,
        level=min(level, subscription.level),
    )


def shown(happening: Happening, level: Level) -> Shown:
    """What is told of a message at this level."""
    facts = happening.facts
    if facts is None or level < Level.COUNT:
        return _NOTHING
    label = one_line(facts.label, SHORT)
    if level < Level.SENDER:
        return Shown(label=label)
    told = Shown(label, one_line(facts.sender, MAX_ADDRESS), _name(facts))
    if level >= Level.SUBJECT:
        subject, list_id = one_line(facts.subject, LONG), one_line(facts.list_id, SHORT)
        told = attrs.evolve(told, subject=subject, list_id=list_id)
    if level >= Level.PREVIEW:
        told = attrs.evolve(told, preview=one_line(facts.preview, LONG))
    return told


def _name(facts: MessageFacts) -> str:
    """With the address beside a name that could be taken for the address of somebody else."""
    return with_address(facts.sender_name, facts.sender) if facts.sender_name else ""
