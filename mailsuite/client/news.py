"""What a way of following an account has learnt, and what is done about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from mailsuite.model.display_text import LONG, SHORT, one_line
from mailsuite.model.notice import Kind, Shown

MAX_COUNT: Final = 1_000_000
"""More messages than any notice stands for: a number above is cut to it."""
_KINDS: Final = {kind.value: kind for kind in Kind}


@attrs.frozen
class News:
    """Something that the user is to hear of. All text is safe to show."""

    account: str
    """The address, as the user enrolled it."""
    kind: Kind = Kind.MAIL_NEW
    count: int = 1
    at_least: bool = False
    """There may be more of them: the server does not look further."""
    source: str = "pop3"
    """How we know: ``stream`` or ``pop3``."""
    id: str = ""
    """The same each time that the server tells it; empty where it has none."""
    shown: Shown = attrs.field(factory=Shown)
    detail: str = ""

    def document(self, time: str) -> dict[str, Any]:
        """As JSON for programs; what is not known is left out."""
        told = self.shown
        said: dict[str, Any] = {
            "event": "news",
            "type": self.kind.value,
            "account": self.account,
            "count": self.count,
            "at_least": self.at_least or None,
            "time": time,
            "source": self.source,
            "id": self.id,
            "label": told.label,
            "from": {"name": told.sender_name, "addr": told.sender} if told.sender else None,
            "subject": told.subject,
            "list": told.list_id,
            "preview": told.preview,
            "detail": self.detail,
        }
        return {name: value for name, value in said.items() if value not in ("", None)}


def read_news(account: str, data: str) -> News | None:
    """The JSON event of a stream; None for a kind that is not known yet. Raises ValueError where it is no
    such event. Fields that are not known are passed over."""
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(document, dict):
        raise ValueError("no object")
    kind = _KINDS.get(_text(document, "type", SHORT))
    if kind is None:
        return None
    sender = document.get("from")
    named = sender if isinstance(sender, dict) else {}
    shown = Shown(
        label=_text(document, "label", SHORT),
        sender=_text(named, "addr", LONG),
        sender_name=_text(named, "name", SHORT),
        subject=_text(document, "subject", LONG),
        list_id=_text(document, "list", SHORT),
        preview=_text(document, "preview", LONG),
    )
    return News(
        account,
        kind,
        _count(document.get("count", 1)),
        document.get("at_least") is True,
        "stream",
        _text(document, "id", SHORT),
        shown,
        _text(document, "detail", LONG),
    )


def _text(document: Mapping[str, Any], name: str, limit: int) -> str:
    value = document.get(name, "")
    return one_line(value, limit) if isinstance(value, str) else ""


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a count is no number")
    return min(value, MAX_COUNT)
