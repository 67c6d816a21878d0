"""A notice in words, for screens: a title and a text, by its level."""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.model.notice import Kind, Level, Notice, Shown

MAX_DIGEST_LINES: Final = 10
"""Messages that a digest names; the others are a number."""

_TITLES: Final = {
    Kind.MAIL_CLEARED: "Mail fetched",
    Kind.QUOTA_REACHED: "Your mailbox is nearly full",
    Kind.LOGIN_NEW: "Login from a new place",
    Kind.QUEUE_DELAYED: "A message of yours is delayed",
    Kind.QUEUE_FAILED: "A message of yours was not delivered",
    Kind.TEST: "Test notice",
}
_TEXTS: Final = {
    Kind.MAIL_CLEARED: "What came was fetched by another device.",
    Kind.QUOTA_REACHED: "Fetch or delete mail, so that more can come.",
    Kind.LOGIN_NEW: "If that was not you, change your password.",
    Kind.QUEUE_DELAYED: "We go on trying to deliver it.",
    Kind.QUEUE_FAILED: "A notice in your mailbox says why.",
    Kind.TEST: "Notices reach you here.",
}


@attrs.frozen
class Words:
    """What is shown. Plain text: whoever shows it escapes it."""

    title: str
    text: str

    def cut(self, title: int, text: int) -> Words:
        """With at most so many characters of each."""
        return Words(_cut(self.title, title), _cut(self.text, text))


def words(notice: Notice) -> Words:
    """A notice in words, with nothing that its level does not tell."""
    if notice.kind is not Kind.MAIL_NEW:
        text = notice.detail if notice.level >= Level.SENDER and notice.detail else _TEXTS[notice.kind]
        return Words(_TITLES[notice.kind], text)
    if notice.level is Level.KNOCK:
        return Words("New mail", "There is new mail.")
    title = "New mail" if notice.count == 1 else f"{notice.count} new messages"
    if notice.shown.label:
        title += f" for {notice.shown.label}"
    if notice.digest:
        return Words(title, _listed(notice.digest))
    newest = _line(notice.shown)
    if notice.count > 1 and newest:
        newest = f"The latest: {newest}"
    text = "\n".join(part for part in (newest, notice.shown.preview) if part)
    return Words(title, text or "There is new mail.")


def _line(shown: Shown) -> str:
    sender = shown.sender_name or shown.sender
    return ": ".join(part for part in (sender, shown.subject) if part)


def _listed(digest: tuple[Shown, ...]) -> str:
    lines = [line for line in map(_line, digest) if line]
    more = len(digest) - min(len(lines), MAX_DIGEST_LINES)
    told = lines[-MAX_DIGEST_LINES:]
    if more:
        told.insert(0, f"{more} more, and:")
    return "\n".join(told) if lines else "They came while notices were held."


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
