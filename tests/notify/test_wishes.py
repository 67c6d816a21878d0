"""What somebody asks of a subscription: taken as it is meant, or refused in words that name the field."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.accounts.refusal import RegistryError
from mailsuite.model.address import Address
from mailsuite.model.notice import Importance, Kind, Level
from mailsuite.model.subscription import (
    Attempt,
    Cursor,
    DeadLetter,
    NoticeFilter,
    QuietSpan,
    QuietTimes,
    Standing,
    Subscription,
    WhileQuiet,
)
from mailsuite.notify import wishes

JOE = Address("joe", "example.net")
WHOLE: dict[str, Any] = {
    "channel": "webhook",
    "target": "https://a.example/hook",
    "options": {"mode": "each"},
    "name": "Help desk",
    "level": "subject",
    "filter": {
        "kinds": ["mail.new", "mail.cleared"],
        "senders": ["*@example.org"],
        "lists": ["all.*"],
        "subjects": ["*urgent*"],
        "labels": ["shop"],
        "importance": "high",
        "smallest": "1KiB",
        "largest": "1MiB",
        "wanted": ["bulk"],
        "if_unfetched_after": "5m",
    },
    "quiet": {
        "zone": "Europe/Berlin",
        "spans": [{"days": ["mon", "sun"], "begin": "22:00", "end": "07:30"}],
        "manner": "digest",
        "breakthrough": ["boss@example.org"],
    },
    "window": "30s",
    "urgency": "high",
    "expires": "2030-01-02T03:04:05+01:00",
}


def made(fields: dict[str, Any]) -> Subscription:
    return Subscription(id="sub_1", account=JOE, device="", target_key="a.example:443", **wishes.wish(fields))


def test_all_that_can_be_asked() -> None:
    subscription = made(WHOLE)
    assert subscription.filter == NoticeFilter(
        kinds=frozenset({Kind.MAIL_NEW, Kind.MAIL_CLEARED}),
        senders=("*@example.org",),
        lists=("all.*",),
        subjects=("*urgent*",),
        labels=("shop",),
        importance=Importance.HIGH,
        smallest=1 << 10,
        largest=1 << 20,
        wanted=frozenset({"bulk"}),
        if_unfetched_after=300.0,
    )
    assert subscription.quiet == QuietTimes(
        "Europe/Berlin",
        (QuietSpan(frozenset({0, 6}), 1320, 450),),
        WhileQuiet.DIGEST,
        ("boss@example.org",),
    )
    assert (subscription.level, subscription.window) == (Level.SUBJECT, 30.0)
    assert (subscription.urgency, subscription.expires) == ("high", 1893549845.0)
    assert subscription.options == {"mode": "each"}


def test_what_is_not_said_is_as_usual() -> None:
    plain = made({"channel": "webpush", "quiet": None, "window": None, "name": None})
    assert (plain.target, plain.level, plain.quiet, plain.window) == ("", Level.COUNT, None, None)
    assert plain.filter == NoticeFilter()


def test_a_change_by_null_is_back_to_the_default() -> None:
    values = wishes.changes({"quiet": None, "filter": None, "window": None, "level": None, "expires": None})
    assert values == {
        "quiet": None,
        "filter": NoticeFilter(),
        "window": None,
        "level": Level.COUNT,
        "expires": None,
    }


def test_every_day_where_none_is_named() -> None:
    quiet = made({**WHOLE, "quiet": {"zone": "UTC", "spans": [{"begin": "00:00", "end": "00:00"}]}}).quiet
    assert quiet is not None
    assert quiet.spans[0].days == frozenset(range(7))


def test_what_is_shown_can_be_asked_again_and_holds_no_secret() -> None:
    standing = Standing(made({**WHOLE, "options": {"token": "S3CRET"}}), Cursor("sub_1", 7))
    document = wishes.subscription_document(standing, Level.COUNT)
    assert "S3CRET" not in json.dumps(document)
    assert "/hook" not in json.dumps(document)
    assert (document["level"], document["told"], document["host"]) == ("subject", "count", "a.example:443")
    again = {name: document[name] for name in ("filter", "quiet", "window", "urgency", "level", "name")}
    values = wishes.changes(again)
    subscription = standing.subscription
    assert values == {name: getattr(subscription, name) for name in again}


def test_tries_and_what_was_given_up() -> None:
    attempt = wishes.attempt_document(Attempt("sub_1", 9, 5.0, 0.0384, "http 503", 503))
    assert attempt == {
        "subscription": "sub_1",
        "seq": 9,
        "at": 5.0,
        "ms": 38.4,
        "result": "http 503",
        "code": 503,
    }
    letter = wishes.letter_document(DeadLetter("sub_1", 7, 9, 5.0, "refused"))
    assert (letter["first"], letter["seq"], letter["code"]) == (7, 9, None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "channel is missing"),
        ({"channel": 5}, "channel: "),
        ({"channel": "webhook", "target": "x" * 513}, "target: "),
        ({"channel": "webhook", "colour": 1}, "no field 'colour'"),
        ({"channel": "webhook", "id": "sub_2"}, "id never changes"),
        ({"channel": "webhook", "level": "all"}, "level: "),
        ({"channel": "webhook", "window": "2h"}, "window: "),
        ({"channel": "webhook", "urgency": "now"}, "urgency: "),
        ({"channel": "webhook", "expires": "tomorrow"}, "expires: "),
        ({"channel": "webhook", "expires": "2030-01-02T03:04:05"}, "expires: "),
        ({"channel": "webhook", "filter": []}, "filter is no JSON object"),
        ({"channel": "webhook", "filter": {"kinds": []}}, "filter.kinds: "),
        ({"channel": "webhook", "filter": {"kinds": ["mail.old"]}}, "filter.kinds: "),
        ({"channel": "webhook", "filter": {"wanted": ["junk"]}}, "filter.wanted: "),
        ({"channel": "webhook", "filter": {"from": ["a"]}}, "filter has no field 'from'"),
        ({"channel": "webhook", "filter": {"senders": [""]}}, "filter.senders: "),
        ({"channel": "webhook", "filter": {"senders": [str(n) for n in range(51)]}}, "filter.senders: "),
        ({"channel": "webhook", "filter": {"smallest": "2KiB", "largest": "1KiB"}}, "filter.largest: "),
        ({"channel": "webhook", "quiet": {"spans": []}}, "quiet.zone is missing"),
        ({"channel": "webhook", "quiet": {"zone": "Mars/Base", "spans": []}}, "quiet.zone: "),
        ({"channel": "webhook", "quiet": {"zone": "../etc", "spans": []}}, "quiet.zone: "),
        ({"channel": "webhook", "quiet": {"zone": "UTC"}}, "quiet.spans: "),
        ({"channel": "webhook", "quiet": {"zone": "UTC", "spans": [5]}}, "quiet.spans is no JSON object"),
        ({"channel": "webhook", "quiet": {"zone": "UTC", "hours": 1}}, "quiet has no field 'hours'"),
        (
            {"channel": "webhook", "quiet": {"zone": "UTC", "spans": [{"begin": "22:00"}]}},
            "quiet.spans.end is missing",
        ),
        (
            {"channel": "webhook", "quiet": {"zone": "UTC", "spans": [{"begin": "24:00", "end": "07:00"}]}},
            "quiet.spans.begin: ",
        ),
        (
            {
                "channel": "webhook",
                "quiet": {"zone": "UTC", "spans": [{"begin": "22:00", "end": "07:00"}] * 22},
            },
            "quiet.spans: there are more than 21",
        ),
        ({"channel": "webhook", "options": "x"}, "options is no JSON object"),
        ({"channel": "webhook", "options": {"Mode": "each"}}, "options: "),
        ({"channel": "webhook", "options": {"mode": 5}}, "options.mode: "),
        ({"channel": "webhook", "options": {"mode": "x" * 4097}}, "options.mode: "),
        ({"channel": "webhook", "options": {f"o{n}": "x" for n in range(17)}}, "options: "),
    ],
)
def test_what_is_refused_names_the_field(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(RegistryError) as refusal:
        wishes.wish(fields)
    assert refusal.value.kind == "bad-request"
    assert words in refusal.value.text


@pytest.mark.parametrize("name", ["channel", "target", "options", "id", "account", "device"])
def test_what_never_changes(name: str) -> None:
    with pytest.raises(RegistryError, match="never changes"):
        wishes.changes({name: "x"})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*WHOLE, "spans", "zone", "x"]), _JSON, max_size=5))
def test_whatever_comes_is_taken_or_refused_in_words(fields: dict[str, Any]) -> None:
    with suppress(RegistryError):
        wishes.wish({"channel": "webhook", **fields})


@given(st.dictionaries(st.sampled_from(["zone", "spans", "kinds", "senders", "begin"]), _JSON, max_size=4))
def test_so_with_what_stands_within(fields: dict[str, Any]) -> None:
    for name in ("filter", "quiet"):
        with suppress(RegistryError):
            wishes.changes({name: fields})
