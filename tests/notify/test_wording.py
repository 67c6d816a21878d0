"""A notice in words."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.model.notice import Kind, Level, Notice, Shown
from mailsuite.notify.wording import Words, words

FULL = Shown("shop", "ann@example.net", "Ann", "Lunch", "list.example.net", "At one?")
NOTICE = Notice("ev_1", Kind.MAIL_NEW, "a_1", 1, 1, 0.0, 1, Level.PREVIEW, FULL)


@pytest.mark.parametrize(
    ("level", "count", "shown", "title", "text"),
    [
        (Level.KNOCK, 3, Shown(), "New mail", "There is new mail."),
        (Level.COUNT, 1, Shown(), "New mail", "There is new mail."),
        (Level.COUNT, 3, Shown(label="shop"), "3 new messages for shop", "There is new mail."),
        (Level.SENDER, 1, Shown(sender="ann@example.net"), "New mail", "ann@example.net"),
        (Level.SUBJECT, 1, Shown(sender_name="Ann", subject="Lunch"), "New mail", "Ann: Lunch"),
        (Level.SUBJECT, 1, Shown(subject="Lunch"), "New mail", "Lunch"),
        (Level.PREVIEW, 1, FULL, "New mail for shop", "Ann: Lunch\nAt one?"),
        (Level.PREVIEW, 2, FULL, "2 new messages for shop", "The latest: Ann: Lunch\nAt one?"),
    ],
)
def test_new_mail(level: Level, count: int, shown: Shown, title: str, text: str) -> None:
    notice = attrs.evolve(NOTICE, level=level, count=count, shown=shown)
    assert words(notice) == Words(title, text)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.MAIL_NEW}, key=str))
def test_every_other_kind_has_words(kind: Kind) -> None:
    bare = words(attrs.evolve(NOTICE, kind=kind, level=Level.COUNT, detail="to bob@example.org"))
    assert bare.title
    assert "bob" not in bare.text
    told = words(attrs.evolve(NOTICE, kind=kind, level=Level.SENDER, detail="to bob@example.org"))
    assert told == Words(bare.title, "to bob@example.org")


def test_a_digest_lists_the_last_ones() -> None:
    came = tuple(Shown(sender="ann@example.net", subject=f"no. {number}") for number in range(12))
    told = words(attrs.evolve(NOTICE, count=12, shown=came[-1], digest=came))
    assert told.title == "12 new messages"
    lines = told.text.split("\n")
    assert lines[0] == "2 more, and:"
    assert lines[-1] == "ann@example.net: no. 11"
    assert len(lines) == 11


def test_a_digest_of_what_may_not_be_told() -> None:
    told = words(attrs.evolve(NOTICE, level=Level.COUNT, count=2, shown=Shown(), digest=(Shown(), Shown())))
    assert told == Words("2 new messages", "They came while notices were held.")


def test_words_are_cut() -> None:
    assert Words("abcdef", "ab def").cut(6, 3) == Words("abcdef", "ab…")
