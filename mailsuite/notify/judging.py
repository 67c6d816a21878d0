"""Whether somebody is to be told of what happened: by what the server keeps quiet about, by what they want to
hear of, and by when. Pure."""

from __future__ import annotations

import enum
from collections.abc import Container
from typing import Final

import attrs

from mailsuite.model.notice import Entry, Happening, Kind, MessageFacts
from mailsuite.model.subscription import NoticeFilter, QuietTimes, Subscription, WhileQuiet
from mailsuite.notify.patterns import matches
from mailsuite.notify.quiet import quiet_until

NOTHING: Final = MessageFacts()
SUPPRESSIBLE: Final = ("junk", "bulk", "own", "auto")
"""What ``notify.suppress`` may name; each is a field of MessageFacts."""


class Ruling(enum.Enum):
    """What becomes of one entry for one subscription."""

    TELL = "tell"
    SKIP = "skip"
    """It is over: nobody is told."""
    WAIT = "wait"
    """It is not yet time to say."""


@attrs.frozen
class Verdict:
    """Of one entry for one subscription."""

    ruling: Ruling
    reason: str = ""
    """Of SKIP, in a word or two, for the log."""
    until: float = 0.0
    """Of WAIT: when to ask again, in seconds since the epoch."""
    held: bool = False
    """Of TELL: it happened in a quiet time, which is over."""


@attrs.frozen
class Rules:
    """What holds for all, and what is known by now."""

    now: float
    """Seconds since the epoch."""
    suppress: frozenset[str] = frozenset(SUPPRESSIBLE)
    """``notify.suppress``."""
    fetched: Container[str] = frozenset()
    """The UIDLs of messages that somebody has fetched since."""


TELL: Final = Verdict(Ruling.TELL)
_TELL_HELD: Final = Verdict(Ruling.TELL, held=True)


def judge(entry: Entry, subscription: Subscription, rules: Rules) -> Verdict:
    """What becomes of *entry* now. Once it is not WAIT it stays what it is, but for a message that is fetched
    meanwhile."""
    happening, wish = entry.happening, subscription.filter
    if reason := unwanted(happening, wish, rules.suppress):
        return Verdict(Ruling.SKIP, reason)
    if happening.kind is Kind.MAIL_NEW and happening.uidl and happening.uidl in rules.fetched:
        return Verdict(Ruling.SKIP, "fetched")
    patience = wish.if_unfetched_after if happening.kind is Kind.MAIL_NEW else 0.0
    # Further ahead than that: the clock was set back, and nobody knows how long it has waited.
    if patience and -patience < rules.now - happening.at < patience:
        return Verdict(Ruling.WAIT, until=happening.at + patience)
    return _by_the_clock(happening, subscription.quiet, rules.now)


def unwanted(happening: Happening, wish: NoticeFilter, suppress: frozenset[str]) -> str:
    """Why nobody is told of it whenever that is; empty: it is wanted."""
    if happening.kind not in wish.kinds:
        return "kind"
    if happening.kind is not Kind.MAIL_NEW:
        return ""
    facts = happening.facts or NOTHING
    return suppressed(facts, suppress, wish.wanted) or _filtered(facts, happening.size, wish)


def suppressed(facts: MessageFacts, suppress: frozenset[str], wanted: frozenset[str] = frozenset()) -> str:
    """Which of what the server keeps quiet about a message is, and is not wanted all the same; empty: none.

    Nobody can want junk.
    """
    for name in SUPPRESSIBLE:
        if name in suppress and getattr(facts, name) and (name == "junk" or name not in wanted):
            return name
    return ""


def _filtered(facts: MessageFacts, size: int, wish: NoticeFilter) -> str:
    """Which wish a message does not fulfil; empty: none."""
    if facts.importance < wish.importance:
        return "importance"
    if size < wish.smallest or (wish.largest and size > wish.largest):
        return "size"
    for patterns, text, name in (
        (wish.senders, facts.sender, "sender"),
        (wish.lists, facts.list_id, "list"),
        (wish.subjects, facts.subject, "subject"),
        (wish.labels, facts.label, "label"),
    ):
        if patterns and not matches(patterns, text):
            return name
    return ""


def _by_the_clock(happening: Happening, quiet: QuietTimes | None, now: float) -> Verdict:
    if quiet is None or _breaks_through(happening, quiet):
        return TELL
    then = quiet_until(quiet, happening.at)
    if then is not None and quiet.manner is WhileQuiet.DROP:
        return Verdict(Ruling.SKIP, "quiet")
    until = quiet_until(quiet, now)
    if until is not None:
        return Verdict(Ruling.WAIT, until=until)
    return TELL if then is None else _TELL_HELD


def _breaks_through(happening: Happening, quiet: QuietTimes) -> bool:
    facts = happening.facts
    return bool(quiet.breakthrough and facts is not None and matches(quiet.breakthrough, facts.sender))
