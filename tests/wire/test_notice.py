"""Notices as JSON: what each level tells, that it fits, and that the schema describes it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mailsuite.model.address import Address
from mailsuite.model.notice import Kind, Level, Notice, Shown
from mailsuite.wire.notice import (
    MAX_NOTICE,
    TEMPLATE_NAMES,
    account_pseudonym,
    encode,
    event_id,
    notice_object,
    push_topic,
    subscription_key,
    template_values,
    verification,
)
from mailsuite.wire.webpush import request_fields

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
SCHEMA = json.loads((REFERENCE / "notice.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

JOE = Address("joe", "example.net")
KEY, OTHER_KEY = bytes(range(32)), bytes(32)

SHOWN = Shown(
    label="shop",
    sender="eve@example.org",
    sender_name="Eve",
    subject="Grüße",
    list_id="dev.example.org",
    preview="Hello Joe",
)
NOTICE = Notice(
    id="ev_AAECAwQFBgcICQoL",
    kind=Kind.MAIL_NEW,
    account="a_AAECAwQFBgcICQoL",
    first=910,
    seq=912,
    at=1_800_000_000.1239,
    count=3,
    level=Level.PREVIEW,
    shown=SHOWN,
    detail="",
)
BASE = {
    "v": 1,
    "id": "ev_AAECAwQFBgcICQoL",
    "type": "mail.new",
    "account": "a_AAECAwQFBgcICQoL",
    "seq": 912,
    "at": "2027-01-15T08:00:00.123Z",
}
COUNT = {"first": 910, "count": 3, "label": "shop"}
SENDER = {"from": {"name": "Eve", "addr": "eve@example.org"}}
SUBJECT = {"subject": "Grüße", "list": "dev.example.org"}
PREVIEW = {"preview": "Hello Joe"}


def told(notice: Notice, limit: int = MAX_NOTICE) -> dict[str, Any]:
    """The notice as a receiver sees it; what the schema does not describe fails."""
    octets = encode(notice, limit)
    found = json.loads(octets)
    VALIDATOR.validate(found)
    assert set(found) <= set(SCHEMA["$defs"]["notice"]["properties"])
    for each in found.get("digest", []):
        assert set(each) <= set(SCHEMA["$defs"]["shown"]["properties"])
    return found


@pytest.mark.parametrize(
    ("level", "fields"),
    [
        (Level.KNOCK, BASE),
        (Level.COUNT, BASE | COUNT),
        (Level.SENDER, BASE | COUNT | SENDER),
        (Level.SUBJECT, BASE | COUNT | SENDER | SUBJECT),
        (Level.PREVIEW, BASE | COUNT | SENDER | SUBJECT | PREVIEW),
    ],
)
def test_each_level_tells_what_it_may(level: Level, fields: dict[str, Any]) -> None:
    """Although the notice has it all."""
    assert told(attrs.evolve(NOTICE, level=level)) == fields


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("kind", Kind)
def test_what_is_empty_is_not_told(kind: Kind, level: Level) -> None:
    count = {"first": 910, "count": 3} if level else {}
    notice = attrs.evolve(NOTICE, kind=kind, level=level, shown=Shown(), digest=())
    assert told(notice) == BASE | count | {"type": kind.value}


def test_some_have_gone_by_age() -> None:
    notice = attrs.evolve(NOTICE, at_least=True)
    assert told(attrs.evolve(notice, level=Level.COUNT)) == BASE | COUNT | {"at_least": True}
    assert told(attrs.evolve(notice, level=Level.KNOCK)) == BASE


def test_half_a_sender() -> None:
    for shown, pair in (
        (Shown(sender="eve@example.org"), {"name": "", "addr": "eve@example.org"}),
        (Shown(sender_name="Eve"), {"name": "Eve", "addr": ""}),
    ):
        assert told(attrs.evolve(NOTICE, shown=shown))["from"] == pair


def test_what_is_about_no_message() -> None:
    """Its line may name others, to whom mail was, so that it is told with senders."""
    notice = attrs.evolve(
        NOTICE, kind=Kind.QUEUE_FAILED, shown=Shown(), detail="eve@example.org does not exist"
    )
    assert told(notice)["detail"] == "eve@example.org does not exist"
    assert "detail" in told(attrs.evolve(notice, level=Level.SENDER))
    assert "detail" not in told(attrs.evolve(notice, level=Level.COUNT))


def test_a_digest_tells_no_more_than_its_level() -> None:
    digest = (SHOWN, Shown(sender="bob@example.org"))
    notice = attrs.evolve(NOTICE, level=Level.SENDER, shown=Shown(), digest=digest)
    assert told(notice)["digest"] == [
        {"label": "shop", **SENDER},
        {"from": {"name": "", "addr": "bob@example.org"}},
    ]
    assert told(attrs.evolve(notice, level=Level.COUNT))["digest"] == [{"label": "shop"}, {}]
    assert "digest" not in told(attrs.evolve(notice, level=Level.KNOCK))
    assert "digest" not in told(attrs.evolve(notice, digest=(Shown(), Shown())))


def test_the_newest_of_a_digest_are_kept() -> None:
    digest = tuple(Shown(subject=f"{number:>3}" + "x" * 40) for number in range(200))
    notice = attrs.evolve(NOTICE, digest=digest)
    found = told(notice)["digest"]
    assert [each["subject"][:3].strip() for each in found] == [str(n) for n in range(200 - len(found), 200)]
    assert MAX_NOTICE - len(encode(notice)) < len('{"subject":""},') + 43
    whole = len(encode(attrs.evolve(notice, digest=digest[:3])))
    assert len(told(attrs.evolve(notice, digest=digest[:3]), whole)["digest"]) == 3
    assert len(told(attrs.evolve(notice, digest=digest[:3]), whole - 1)["digest"]) == 2


def test_what_is_missed_least_goes_first() -> None:
    notice = attrs.evolve(NOTICE, detail="a line", digest=(SHOWN,))
    limit, names = len(encode(notice)), [set(notice_object(notice))]
    while set(found := told(notice, limit - 1)) != set(BASE) | {"first", "count"}:
        names.append(set(found))
        limit = len(encode(notice, limit - 1))
    names.append(set(found))
    gone = [before - after for before, after in pairwise(names)]
    assert gone == [{"digest"}, {"preview"}, {"list"}, {"detail"}, {"subject"}, {"from"}, {"label"}]
    assert told(notice, 0) == BASE | {"first": 910, "count": 3}


TEXTS = st.text(max_size=200)
SHOWNS = st.builds(Shown, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)


@settings(max_examples=60)
@given(
    st.builds(
        Notice,
        id=st.just(NOTICE.id),
        kind=st.sampled_from(Kind),
        account=st.just(NOTICE.account),
        first=st.integers(1, 10**9),
        seq=st.integers(1, 10**9),
        at=st.floats(0, 4e9),
        count=st.integers(1, 10**9),
        level=st.sampled_from(Level),
        shown=SHOWNS,
        detail=TEXTS,
        digest=st.lists(SHOWNS, max_size=4).map(tuple),
    ),
    st.integers(300, MAX_NOTICE),
)
def test_any_notice_fits_and_is_as_the_schema_says(notice: Notice, limit: int) -> None:
    assert len(encode(notice, limit)) <= limit
    told(notice, limit)


def test_octets_are_utf8_without_blanks() -> None:
    octets = encode(attrs.evolve(NOTICE, level=Level.SUBJECT, shown=Shown(subject="Grüße 📨 \udc80")))
    assert octets.startswith(b'{"v":1,"id":"ev_AAECAwQFBgcICQoL","type":"mail.new","account":"a_')
    assert octets.endswith('"first":910,"count":3,"subject":"Grüße 📨 ?"}'.encode())


def test_codes() -> None:
    found = json.loads(verification("dGVzdA"))
    VALIDATOR.validate(found)
    assert found == {"v": 1, "type": "verify", "code": "dGVzdA"}


def test_the_schema_is_one_and_says_no() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["notice"]["properties"]["type"]["enum"] == [kind.value for kind in Kind]
    for wrong in (
        {},
        {**BASE, "v": 2},
        {**BASE, "type": "mail.old"},
        {**BASE, "seq": 0},
        {**BASE, "at": "yesterday"},
        {**BASE, "id": "ev_short"},
        {**BASE, "count": 0},
        {**BASE, "from": {"name": "Eve"}},
        {**BASE, "digest": []},
        {"v": 1, "type": "verify"},
        {name: value for name, value in BASE.items() if name != "account"},
    ):
        assert not VALIDATOR.is_valid(wrong), wrong
    assert VALIDATOR.is_valid({**BASE, "to come": True})


def test_the_page_shows_notices_that_are_some() -> None:
    blocks = (REFERENCE / "notice.md").read_text("utf-8").split("```json\n")[1:]
    examples = [json.loads(block.partition("```")[0]) for block in blocks]
    assert {each["type"] for each in examples} >= {"mail.new", "verify"}
    for each in examples:
        VALIDATOR.validate(each)
        known = set(SCHEMA["$defs"]["notice"]["properties"]) | {"code"}
        assert set(each) <= known


def test_the_page_names_every_kind_and_field() -> None:
    page = (REFERENCE / "notice.md").read_text("utf-8")
    for name in (*SCHEMA["$defs"]["notice"]["properties"], *(kind.value for kind in Kind)):
        assert f"`{name}`" in page


# Fields of templates


def test_values_for_templates() -> None:
    notice = attrs.evolve(NOTICE, detail="a line")
    assert template_values(notice) == {
        "id": NOTICE.id,
        "type": "mail.new",
        "account": NOTICE.account,
        "seq": "912",
        "at": "2027-01-15T08:00:00.123Z",
        "first": "910",
        "count": "3",
        "label": "shop",
        "name": "Eve",
        "addr": "eve@example.org",
        "subject": "Grüße",
        "list": "dev.example.org",
        "preview": "Hello Joe",
        "detail": "a line",
    }
    assert (
        template_values(attrs.evolve(notice, shown=Shown(sender="eve@example.org")))["name"]
        == "eve@example.org"
    )


@pytest.mark.parametrize("level", Level)
def test_templates_see_no_more_than_their_level_allows(level: Level) -> None:
    values = template_values(attrs.evolve(NOTICE, level=level, detail="a line"))
    assert set(values) == set(TEMPLATE_NAMES)
    told = {name for name, value in values.items() if value}
    known = set(notice_object(attrs.evolve(NOTICE, level=level, detail="a line")))
    assert told - {"name", "addr"} == known - {"from", "v"}
    assert ("name" in told) == ("addr" in told) == ("from" in known)


# Names


def test_ids_are_fixed() -> None:
    """What is on disks and in receivers' memories must go on to mean the same."""
    assert event_id(KEY, JOE, 912) == "ev_B9GaeSi88V5MT463"
    assert account_pseudonym(KEY, JOE) == "a_z5rnvNJTwAwATiL_"
    assert push_topic(KEY) == "cU8ZApcix84HmxTfJFUq4PFUdi4EDxiN"


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_each_entry_has_an_id_of_its_own(one: int, other: int) -> None:
    assert (event_id(KEY, JOE, one) == event_id(KEY, JOE, other)) == (one == other)
    assert event_id(KEY, JOE, one) != event_id(OTHER_KEY, JOE, one)
    assert event_id(KEY, JOE, one) != event_id(KEY, Address("joe1", "example.net"), one)


def test_an_account_has_one_name_however_it_is_written() -> None:
    assert event_id(KEY, Address("Joe", "example.net"), 1) == event_id(KEY, JOE, 1)
    assert account_pseudonym(KEY, Address("JOE", "example.net")) == account_pseudonym(KEY, JOE)


def test_two_subscriptions_know_an_account_by_two_names() -> None:
    assert account_pseudonym(KEY, JOE) != account_pseudonym(OTHER_KEY, JOE)
    assert push_topic(KEY) != push_topic(OTHER_KEY)
    assert account_pseudonym(KEY, JOE)[2:] not in event_id(KEY, JOE, 1)


def test_each_subscription_has_a_key_of_its_own() -> None:
    key = subscription_key(KEY, "sub_AAECAwQFBgcICQoL")
    assert key == subscription_key(KEY, "sub_AAECAwQFBgcICQoL")
    assert len(key) == 32
    assert key != subscription_key(KEY, "sub_AAECAwQFBgcICQoM")
    assert key != subscription_key(OTHER_KEY, "sub_AAECAwQFBgcICQoL")


def test_topics_are_as_long_as_they_may_be() -> None:
    assert len(push_topic(KEY)) == 32
    assert request_fields(ttl=60, topic=push_topic(KEY))["Topic"] == push_topic(KEY)
