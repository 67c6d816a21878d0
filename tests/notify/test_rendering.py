"""What a notice tells, level by level, and that nothing in it steers a screen."""

from __future__ import annotations

import unicodedata

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.address import Address
from mailsuite.model.notice import Entry, Happening, Kind, Level, MessageFacts, Shown
from mailsuite.model.subscription import Subscription
from mailsuite.notify.rendering import MAX_DIGEST, NoticeKeys, render, shown, trial
from mailsuite.wire.notice import encode

JOE = Address("joe", "example.net")
KEYS = NoticeKeys(bytes(32))
FACTS = MessageFacts(
    "ann@example.org", "Ann", "Good\x1b[31m news\u202e", "list.example.org", "shop", preview="Dear\r\nJoe"
)
ALL = Shown("shop", "ann@example.org", "Ann", "Good[31m news", "list.example.org", "Dear Joe")
SUBSCRIPTION = Subscription(
    id="sub_1", account=JOE, device="", channel="webhook", target="", target_key="", level=Level.PREVIEW
)


def mail(seq: int = 7, facts: MessageFacts | None = FACTS) -> Entry:
    return Entry(seq, Happening(JOE, Kind.MAIL_NEW, 100.0 + seq, f"u{seq}", 1000, facts))


@pytest.mark.parametrize(
    ("level", "told"),
    [
        (Level.KNOCK, Shown()),
        (Level.COUNT, Shown("shop")),
        (Level.SENDER, Shown("shop", "ann@example.org", "Ann")),
        (Level.SUBJECT, attrs.evolve(ALL, preview="")),
        (Level.PREVIEW, ALL),
    ],
)
def test_a_level_tells_so_much(level: Level, told: Shown) -> None:
    notice = render([mail(5), mail(7)], SUBSCRIPTION, level, KEYS)
    assert (notice.level, notice.shown, notice.digest) == (level, told, ())
    assert (notice.first, notice.seq, notice.count, notice.at) == (5, 7, 2, 107.0)
    asked = attrs.evolve(SUBSCRIPTION, level=level)
    assert render([mail(5), mail(7)], asked, Level.PREVIEW, KEYS) == notice


def test_a_message_that_nothing_is_known_of() -> None:
    assert render([mail(facts=None)], SUBSCRIPTION, Level.PREVIEW, KEYS).shown == Shown()


def test_names_in_it_tell_nobody_who_is_meant() -> None:
    notice = render([mail()], SUBSCRIPTION, Level.PREVIEW, KEYS)
    assert notice.id.startswith("ev_")
    assert notice.account.startswith("a_")
    assert b"joe" not in encode(attrs.evolve(notice, shown=Shown()))
    again = render([mail(3), mail()], SUBSCRIPTION, Level.KNOCK, NoticeKeys(bytes(32)))
    assert (again.id, again.account) == (notice.id, notice.account)
    other = render([mail()], attrs.evolve(SUBSCRIPTION, id="sub_2"), Level.PREVIEW, KEYS)
    assert other.id == notice.id
    assert other.account != notice.account
    assert render([mail(8)], SUBSCRIPTION, Level.PREVIEW, KEYS).id != notice.id
    assert render([mail()], SUBSCRIPTION, Level.PREVIEW, NoticeKeys(bytes(31) + b"x")).id != notice.id
    assert "00" not in repr(NoticeKeys(bytes(32)))


def test_the_end_of_a_quiet_time_lists_what_came() -> None:
    entries = [mail(seq, attrs.evolve(FACTS, subject=f"No. {seq}")) for seq in range(1, 31)]
    notice = render(entries, SUBSCRIPTION, Level.SUBJECT, KEYS, digest=True)
    assert notice.count == 30
    assert [each.subject for each in notice.digest] == [f"No. {seq}" for seq in range(11, 31)]
    assert len(notice.digest) == MAX_DIGEST
    assert {each.preview for each in notice.digest} == {""}
    for level, some in ((Level.KNOCK, entries), (Level.SUBJECT, entries[:1])):
        assert render(some, SUBSCRIPTION, level, KEYS, digest=True).digest == ()


def test_other_things_have_a_line_for_their_owner() -> None:
    entry = Entry(9, Happening(JOE, Kind.LOGIN_NEW, 5.0, detail="from\n192.0.2.7"))
    assert render([entry], SUBSCRIPTION, Level.SENDER, KEYS).detail == "from 192.0.2.7"
    assert render([entry], SUBSCRIPTION, Level.COUNT, KEYS).detail == ""
    assert render([entry], SUBSCRIPTION, Level.SENDER, KEYS).kind is Kind.LOGIN_NEW


def test_a_trial_has_an_id_of_its_own() -> None:
    one, two = (trial(SUBSCRIPTION, Level.SENDER, KEYS, 7, at) for at in (100.0, 100.5))
    assert one.id != two.id
    assert (one.kind, one.seq, one.level, one.shown) == (Kind.TEST, 7, Level.SENDER, Shown())
    assert one.id != render([mail()], SUBSCRIPTION, Level.PREVIEW, KEYS).id


def test_a_name_that_looks_like_an_address_is_shown_with_the_real_one() -> None:
    facts = MessageFacts(sender="eve@evil.example", sender_name="boss@example.net")
    told = shown(mail(facts=facts).happening, Level.SENDER)
    assert told.sender_name == "boss@example.net <eve@evil.example>"
    assert shown(mail(facts=attrs.evolve(facts, sender_name="")).happening, Level.SENDER).sender_name == ""


@given(st.builds(MessageFacts, *([st.text(max_size=400)] * 5), preview=st.text(max_size=400)))
def test_nothing_in_it_steers_a_screen(facts: MessageFacts) -> None:
    told = shown(mail(facts=facts).happening, Level.PREVIEW)
    for text in attrs.astuple(told):
        assert len(text) <= 320
        assert not {each for each in text if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")}
        assert not {"\u202e", "\u2066", "\u200b"} & set(text)
