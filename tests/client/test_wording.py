"""What a pop-up says."""

from __future__ import annotations

import pytest

from mailsuite.client.news import News
from mailsuite.client.wording import Popup, popup_of
from mailsuite.model.display_text import LONG
from mailsuite.model.notice import Kind, Shown

ALICE = "alice@example.org"


@pytest.mark.parametrize(
    ("news", "title", "body"),
    [
        (News(ALICE), "New mail", "1 new message (alice@example.org)"),
        (News(ALICE, count=500, at_least=True), "New mail", "500 or more new messages (alice@example.org)"),
        (News(ALICE, count=7), "New mail", "7 new messages (alice@example.org)"),
        (News(ALICE, shown=Shown(label="shop")), "New mail", "1 new message (shop) (alice@example.org)"),
        (
            News(ALICE, shown=Shown(sender="bob@example.net", sender_name="Bob", subject="Lunch?")),
            "Bob",
            "Lunch? (alice@example.org)",
        ),
        (News(ALICE, shown=Shown(sender="bob@example.net")), "bob@example.net", ALICE),
        (
            News(ALICE, count=3, shown=Shown(sender="bob@example.net", subject="Lunch?")),
            "New mail",
            "3 new messages, the newest from bob@example.net (alice@example.org)",
        ),
        (
            News(ALICE, shown=Shown(sender="mallory@example.net", sender_name="boss@bank.example")),
            "boss@bank.example <mallory@example.net>",
            ALICE,
        ),
        (
            News(ALICE, Kind.QUOTA_REACHED, detail="95 % of 1 GiB"),
            "Your mailbox is nearly full",
            "95 % of 1 GiB (alice@example.org)",
        ),
        (News(ALICE, Kind.TEST), "This is a test", ALICE),
    ],
)
def test_what_a_pop_up_says(news: News, title: str, body: str) -> None:
    assert popup_of(news) == Popup(title, body)


def test_each_kind_has_words() -> None:
    assert all(popup_of(News(ALICE, kind)).title for kind in Kind)


def test_a_long_subject_leaves_room_for_the_account() -> None:
    news = News(ALICE, shown=Shown(sender="b@example.net", subject="x" * 500))
    assert popup_of(news).body.endswith(f"… ({ALICE})")
    assert len(popup_of(news).body) <= LONG
