"""Strangers' words on the screen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.client.news import News
from mailsuite.client.safe_text import LONG, SHORT, one_line
from mailsuite.client.wording import Popup, popup_of
from mailsuite.model.notice import Kind, Shown

ALICE = "alice@example.org"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hello", "hello"),
        ("a\r\nb\tc\u2028d  e", "a b c d e"),
        ("\x1b[31mred\x07\x00", "[31mred"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066abc\u2069\ufeff", "abc"),
        ("e\u0301", "é"),
        ("\ud800x", "x"),
        ("", ""),
    ],
)
def test_one_safe_line(text: str, shown: str) -> None:
    assert one_line(text, SHORT) == shown


def test_what_is_long_is_cut_and_quickly() -> None:
    assert one_line("x" * 10_000_000, 10) == "x" * 9 + "…"
    assert len(one_line("n\u0303" * 500, 10)) <= 10


@given(st.text(max_size=300), st.sampled_from([1, 2, 10, SHORT, LONG]))
def test_whatever_comes_it_is_short_and_harmless(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert not any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in line)


@pytest.mark.parametrize(
    ("news", "title", "body"),
    [
        (News(ALICE), "New mail", "1 new message (alice@example.org)"),
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
