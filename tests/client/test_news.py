"""The events of a stream, read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.client.news import MAX_COUNT, News, read_news
from mailsuite.model.notice import Kind, Shown

ALICE = "alice@example.org"
EVENT = {
    "v": 1,
    "id": "ev_0123456789abcdef",
    "type": "mail.new",
    "account": "a_7f",
    "seq": 912,
    "at": "2026-11-21T12:00:00Z",
    "count": 1,
    "label": "shop",
    "from": {"name": "Bob\x1b", "addr": "bob@example.net"},
    "subject": "Lunch\n\u202e?",
    "list": "",
    "preview": "At noon",
    "new field": [1, 2],
}


def test_an_event_with_all_that_there_is() -> None:
    shown = Shown("shop", "bob@example.net", "Bob", "Lunch ?", "", "At noon")
    expected = News(ALICE, Kind.MAIL_NEW, 1, False, "stream", "ev_0123456789abcdef", shown)
    assert read_news(ALICE, json.dumps(EVENT)) == expected


def test_the_least_that_an_event_may_say() -> None:
    assert read_news(ALICE, '{"type": "test"}') == News(ALICE, Kind.TEST, source="stream")


@pytest.mark.parametrize(
    "data", ["", "x", "[]", "1", '{"type": "mail.new", "count": -1}', '{"type": "mail.new", "count": "2"}',
             '{"type": "mail.new", "count": true}', "[" * 100_000]
)  # fmt: skip
def test_no_event(data: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json has words of its own
        read_news(ALICE, data)


@pytest.mark.parametrize("data", ['{"type": "mail.stolen"}', '{"type": 3}', "{}"])
def test_a_kind_that_is_not_known_yet(data: str) -> None:
    assert read_news(ALICE, data) is None


def test_there_may_be_more() -> None:
    news = read_news(ALICE, '{"type": "mail.new", "count": 500, "at_least": true}')
    assert news == News(ALICE, count=500, at_least=True, source="stream")
    assert news.document("now")["at_least"] is True


def test_fields_of_another_kind_are_passed_over() -> None:
    event = {"type": "mail.new", "from": "bob", "subject": 7, "id": ["x"], "count": 10**30}
    assert read_news(ALICE, json.dumps(event)) == News(ALICE, count=MAX_COUNT, source="stream")


def test_as_json_without_what_is_not_known() -> None:
    assert News(ALICE, count=2).document("now") == {
        "event": "news",
        "type": "mail.new",
        "account": ALICE,
        "count": 2,
        "time": "now",
        "source": "pop3",
    }
    news = read_news(ALICE, json.dumps(EVENT))
    assert news is not None
    assert news.document("now")["from"] == {"name": "Bob", "addr": "bob@example.net"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(sorted(EVENT)), _json))
def test_whatever_an_event_says_it_is_news_or_none(event: object) -> None:
    try:
        news = read_news(ALICE, json.dumps(event))
    except ValueError:
        return
    assert news is None or news.account == ALICE
