"""What a message says of itself, for notices."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.message_facts import MAX_CHARACTERS, ROOM, label_of, message_facts
from mailsuite.model.address import Address
from mailsuite.model.notice import Importance, Level, MessageFacts

EVE = Address("eve", "example.org")
JOE = Address("joe", "example.net")


def facts(header: bytes, level: Level = Level.SUBJECT, sender: Address | None = EVE) -> MessageFacts:
    return message_facts(
        b"Received: from x\r\n" + header + b"\r\nTo: y\r\n\r\nSubject: body\r\n", sender, level
    )


@pytest.mark.parametrize(
    ("field", "sender", "name"),
    [
        (b"From: eve@example.org", "eve@example.org", ""),
        (b"From: <eve@Example.ORG>", "eve@example.org", ""),
        (b"FROM:Eve <eve@example.org>, Joe <joe@example.net>", "eve@example.org", "Eve"),
        (b"From: Eve\r\n  of Example <eve@example.org>", "eve@example.org", "Eve of Example"),
        (b'From: "Eve, \\"E\\"" <eve@example.org>', "eve@example.org", 'Eve, "E"'),
        (b'From: "Eve" B. <eve@example.org>', "eve@example.org", "Eve B."),
        (b"From: =?utf-8?q?J=C3=B6rg?= <j@example.org>", "j@example.org", "J\u00f6rg"),
        (
            b"From: =?utf-8?q?a=40bank=2Eexample_=3C?= <eve@example.org>",
            "eve@example.org",
            "a@bank.example <",
        ),
        (b"From: eve@example.org (Eve)", "eve@example.org", ""),
        (b"From: Friends: eve@example.org;", "eve@example.org", ""),
        (b"From: a@bank.example <eve@example.org>", "", "a@bank.example <eve@example.org>"),
        (b"From: eve", "", "eve"),
        (b"From: <>", "", "<>"),
        (b"From:", "", ""),
        (b"X-From: eve@example.org", "", ""),
    ],
)
def test_the_author(field: bytes, sender: str, name: str) -> None:
    found = facts(field)
    assert (found.sender, found.sender_name) == (sender, name)


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        (b"Subject: Offer\r\n  2026 \t", "Offer 2026"),
        (b"Subject: =?utf-8?q?a=0D=0Ab?=", "a b"),
        (b"Subject: a\r\nSubject: b", "a"),
        (b"Subject: " + b"x" * 20_000, "x" * MAX_CHARACTERS),
        (b"Subjects: no", ""),
    ],
)
def test_the_subject(field: bytes, subject: str) -> None:
    assert facts(field).subject == subject


@pytest.mark.parametrize(
    ("field", "list_id", "bulk"),
    [
        (b"List-Id: Friends <friends.example.org>", "friends.example.org", True),
        (b"List-Id: friends.example.org", "friends.example.org", True),
        (b"List-Unsubscribe: <https://example.org/>", "", True),
        (b"Precedence: bulk", "", True),
        (b"Precedence: List ", "", True),
        (b"Precedence: junk", "", True),
        (b"Precedence: first-class", "", False),
        (b"Lists: no", "", False),
    ],
)
def test_lists_and_bulk(field: bytes, list_id: str, bulk: bool) -> None:
    assert (facts(field).list_id, facts(field).bulk) == (list_id, bulk)


@pytest.mark.parametrize(
    ("field", "auto"),
    [
        (b"Auto-Submitted: auto-replied", True),
        (b"Auto-Submitted: auto-generated; x=y", True),
        (b"Auto-Submitted: no", False),
        (b"Auto-Submitted: NO (really)", False),
        (b"Auto-Submitted:", False),
        (b"X: y", False),
    ],
)
def test_what_programs_write(field: bytes, auto: bool) -> None:
    assert facts(field).auto is auto
    assert facts(field, sender=None).auto, "a null reverse-path"


@pytest.mark.parametrize(
    ("field", "importance"),
    [
        (b"Importance: high", Importance.HIGH),
        (b"Importance: Low", Importance.LOW),
        (b"Importance: normal", Importance.NORMAL),
        (b"X-Priority: 1 (Highest)", Importance.HIGH),
        (b"X-Priority: 3", Importance.NORMAL),
        (b"X-Priority: 5", Importance.LOW),
        (b"Priority: urgent", Importance.HIGH),
        (b"Priority: non-urgent", Importance.LOW),
        (b"Importance: low\r\nX-Priority: 1", Importance.LOW),
        (b"Importance: whatever\r\nX-Priority: 1", Importance.HIGH),
        (b"X: y", Importance.NORMAL),
    ],
)
def test_how_important_it_is(field: bytes, importance: Importance) -> None:
    assert facts(field).importance is importance


@pytest.mark.parametrize(
    ("field", "junk"),
    [
        (b"X-Spam-Flag: YES", True),
        (b"X-Spam: Yes", True),
        (b"X-Spam-Status: Yes, score=9", True),
        (b"X-Spam-Flag: NO", False),
        (b"X-Spam-Status: No, score=-1", False),
        (b"X-Spam-Score: 9", False),
    ],
)
def test_junk(field: bytes, junk: bool) -> None:
    assert facts(field).junk is junk


def test_no_more_is_kept_than_may_be_told() -> None:
    header = b"From: Eve <eve@example.org>\r\nSubject: Secret\r\nImportance: high\r\nList-Id: <l.example.org>"
    for level in (Level.KNOCK, Level.COUNT):
        assert facts(header, level) == MessageFacts(importance=Importance.HIGH, bulk=True)
    assert facts(header, Level.SENDER) == facts(header, Level.SUBJECT)
    assert not facts(header, Level.SUBJECT).preview
    assert facts(header, Level.PREVIEW).preview == "Subject: body"


@pytest.mark.parametrize(
    ("message", "subject", "preview"),
    [
        (b"", "", ""),
        (b"Subject: a", "a", ""),
        (b"Subject: a\r\n", "a", ""),
        (b"Subject: a\r\n\r\n", "a", ""),
        (b"\r\nSubject: body\r\n\r\nb", "", "Subject: body b"),
        (b"Subject: a\r\nno field\r\nFrom: eve@example.org\r\n\r\nb", "a", "b"),
        (b"Subject: a\r\nX: " + b"x" * ROOM, "a", ""),
        (b"X: " + b"x" * ROOM + b"\r\nSubject: a\r\n\r\nb", "", ""),
    ],
)
def test_where_the_header_ends(message: bytes, subject: str, preview: str) -> None:
    found = message_facts(message, EVE, Level.PREVIEW)
    assert (found.subject, found.preview) == (subject, preview)


@pytest.mark.parametrize(
    ("recipient", "label"),
    [("joe", ""), ("joe+shop", "shop"), ("joe+shop+books", "shop+books"), ("joe-", "")],
)
def test_the_label(recipient: str, label: str) -> None:
    assert label_of(JOE, Address(recipient, "example.net")) == label


FRAGMENTS = st.sampled_from(
    [
        b"From:",
        b"Subject: ",
        b"List-Id: <",
        b">",
        b"\r\n",
        b"\r\n ",
        b"\r\n\r\n",
        b'"',
        b"\\",
        b"=?utf-8?q?",
        b"?=",
        b"@",
    ]
)


@given(st.lists(FRAGMENTS | st.binary(max_size=5)).map(b"".join), st.sampled_from(list(Level)))
def test_nothing_fails_and_all_of_it_can_be_kept(message: bytes, level: Level) -> None:
    found = message_facts(message, EVE, level)
    for text in (found.sender, found.sender_name, found.subject, found.list_id, found.preview):
        assert len(text) <= MAX_CHARACTERS
        text.encode("utf-8")


@pytest.mark.parametrize(
    "field", [b"From: ", b"Subject: ", b"List-Id: ", b"X-Priority: ", b"Auto-Submitted: "]
)
@pytest.mark.parametrize("piece", [b'"', b"<", b"=?utf-8?q?", b"\\", b'"\\" ', b"a, ", b"(", b"\r\n "])
def test_no_field_takes_long(field: bytes, piece: bytes) -> None:
    began = time.process_time()
    message_facts(field + piece * (ROOM // len(piece)), EVE, Level.PREVIEW)
    assert time.process_time() - began < 0.3
