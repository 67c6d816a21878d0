"""What a pop-up says."""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.client.news import News
from mailsuite.model.display_text import LONG, one_line, with_address
from mailsuite.model.notice import Kind

_TITLES: Final = {
    Kind.MAIL_NEW: "New mail",
    Kind.MAIL_CLEARED: "Mail was fetched",
    Kind.QUOTA_REACHED: "Your mailbox is nearly full",
    Kind.LOGIN_NEW: "A login from a new place",
    Kind.QUEUE_DELAYED: "A message of yours is delayed",
    Kind.QUEUE_FAILED: "A message of yours was not delivered",
    Kind.TEST: "This is a test",
}


@attrs.frozen
class Popup:
    """Plain text: whoever shows it escapes what its way takes for markup."""

    title: str
    body: str


def popup_of(news: News) -> Popup:
    """The title says from whom, where that is told; the line below about what, and for which account."""
    shown = news.shown
    if news.kind is not Kind.MAIL_NEW:
        return Popup(_TITLES[news.kind], _about(news.detail, news.account))
    sender = with_address(shown.sender_name, shown.sender)
    if news.count != 1 or news.at_least or not shown.sender:
        many = f"{news.count} or more" if news.at_least else str(news.count)
        what = "1 new message" if many == "1" else f"{many} new messages"
        newest = f", the newest from {sender}" if shown.sender else ""
        label = f" ({shown.label})" if shown.label else ""
        return Popup(_TITLES[news.kind], _about(what + label + newest, news.account))
    return Popup(sender, _about(shown.subject or shown.preview, news.account))


def _about(what: str, account: str) -> str:
    room = LONG - len(account) - 3
    return f"{one_line(what, room)} ({account})" if what and room > 1 else account
