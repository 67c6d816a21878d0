"""The table of POP3 responses."""

from __future__ import annotations

import re

import attrs
import pytest

from mailsuite.model import response
from mailsuite.model.failure import (
    AccountCrowded,
    LoginTooSoon,
    MaildropInUse,
    MailFailure,
    MessageGone,
    NeedsUtf8,
    PermanentFailure,
    TemporaryFailure,
)
from mailsuite.model.reply import DISK_FULL, READ_ONLY
from mailsuite.model.response import MAX_RESPONSE_OCTETS, Response

TABLE = {name: value for name, value in vars(response).items() if isinstance(value, Response)}
CODES = {"", "IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM", "AUTH", "UTF8"}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (Response(True, "", "hello"), b"+OK hello\r\n"),
        (Response(True, "", ""), b"+OK\r\n"),
        (Response(False, "", "no"), b"-ERR no\r\n"),
        (Response(False, "IN-USE", "busy"), b"-ERR [IN-USE] busy\r\n"),
        (Response(False, "SYS/TEMP", ""), b"-ERR [SYS/TEMP]\r\n"),
        (response.drop_listing(2, 320), b"+OK 2 320\r\n"),
        (response.single_listing(2, 200), b"+OK 2 200\r\n"),
        (response.single_listing(2, "QhdPYR:00WBw1Ph7x7"), b"+OK 2 QhdPYR:00WBw1Ph7x7\r\n"),
        (response.maildrop_state(0, 0), b"+OK 0 messages (0 octets)\r\n"),
        (response.message_follows(120), b"+OK 120 octets\r\n"),
        (response.highest_accessed(0), b"+OK 0\r\n"),
        (response.message_marked(3), b"+OK Message 3 is marked as deleted\r\n"),
        (response.not_removed(4), b"-ERR [SYS/TEMP] 4 messages marked as deleted were not removed\r\n"),
        (response.GREETING.with_text("x"), b"+OK x\r\n"),
    ],
)
def test_encode(value: Response, line: bytes) -> None:
    assert value.encode() == line


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_response_keeps_the_rules(name: str) -> None:
    """RFC 2449 section 8: brackets at the start mean a response code; section 3: printable ASCII."""
    value = TABLE[name]
    line = value.encode()
    assert re.fullmatch(rb"(\+OK|-ERR)( [\x20-\x7e]+)?\r\n", line)
    assert len(line) <= MAX_RESPONSE_OCTETS
    assert value.code in CODES
    assert not value.text.startswith("[")
    assert not (value.ok and value.code)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (MaildropInUse(), "IN-USE"),
        (MessageGone("new/123 vanished"), "SYS/TEMP"),
        (AccountCrowded(), "IN-USE"),
        (LoginTooSoon(17.0), "LOGIN-DELAY"),
        (NeedsUtf8(), "UTF8"),
        (TemporaryFailure(DISK_FULL, "ENOSPC on /srv"), "SYS/TEMP"),
        (PermanentFailure(READ_ONLY), "SYS/PERM"),
    ],
)
def test_failures_become_codes(failure: MailFailure, code: str) -> None:
    answer = response.for_failure(failure)
    assert (answer.ok, answer.code) == (False, code)
    assert "srv" not in answer.text
    assert "vanished" not in answer.text


def test_a_response_is_a_value() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        response.DONE.text = "other"  # type: ignore[misc]
