"""The part that programs read, field by field."""

from __future__ import annotations

import pytest

from mailsuite.delivery.dsn_fields import (
    MAX_REPLY_LINES,
    diagnostic,
    host_name,
    is_global,
    status_of,
    status_part,
)
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters, NotifyOn
from mailsuite.model.outbound import Fate, Outcome
from tests.delivery.dsn_cases import (
    ARRIVED,
    DEFERRED,
    DELIVERED,
    EXPIRED,
    JUERGEN,
    MAX,
    REFUSED,
    RELAYED,
    outcome,
    owed,
    recipient,
    reply,
    report,
)

FAILURE, DELAY, SUCCESS = NotifyOn.FAILURE, NotifyOn.DELAY, NotifyOn.SUCCESS


def lines(which: str) -> list[str]:
    return which.removesuffix("\r\n").split("\r\n")


def test_a_failure() -> None:
    which = owed(
        recipient(original="rfc822;Eve@old.example"), parameters=MailParameters(envelope_id="QQ 3+1=4")
    )
    assert lines(status_part(report(which))) == [
        "Original-Envelope-Id: QQ 3+1=4",
        "Reporting-MTA: dns; mail.example.net",
        "Arrival-Date: Wed, 18 Nov 2026 11:06:40 +0000",
        "",
        "Original-Recipient: rfc822; Eve@old.example",
        "Final-Recipient: rfc822; eve@example.org",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.example.org",
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown",
        "Last-Attempt-Date: Wed, 18 Nov 2026 11:07:40 +0000",
    ]


def test_a_delay_says_until_when() -> None:
    delayed = report(owed(recipient(last=DEFERRED), kind=DELAY), retry_until=lambda each: ARRIVED + 86_400)
    assert lines(status_part(delayed))[-1] == "Will-Retry-Until: Thu, 19 Nov 2026 11:06:40 +0000"
    unknown = report(owed(recipient(last=DEFERRED), kind=DELAY))
    assert "Will-Retry-Until" not in status_part(unknown)
    failed = report(owed(), retry_until=lambda each: ARRIVED + 86_400)
    assert "Will-Retry-Until" not in status_part(failed)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (MailParameters(hold_for=3600), "for;3600"),
        (MailParameters(hold_until="2026-12-24T18:00:00+01:00"), "until;2026-12-24T18:00:00+01:00"),
    ],
)
def test_how_long_it_was_to_wait(said: MailParameters, field: str) -> None:
    """RFC 4865: as the sender said it."""
    assert f"\r\nFuture-Release-Request: {field}\r\n" in status_part(report(owed(parameters=said)))
    assert "Future-Release-Request" not in status_part(report(owed()))


def test_what_is_unknown_is_left_out() -> None:
    bare = report(owed(recipient(last=None), arrived=0.0))
    assert lines(status_part(bare)) == [
        "Reporting-MTA: dns; mail.example.net",
        "",
        "Final-Recipient: rfc822; eve@example.org",
        "Action: failed",
        "Status: 5.0.0",
    ]
    undated = report(owed(recipient(last=outcome(Fate.FAILED, reply(550), host="", at=0.0))))
    assert lines(status_part(undated))[-2:] == ["Status: 5.0.0", "Diagnostic-Code: smtp; 550 No"]


@pytest.mark.parametrize(
    ("last", "expanded", "action", "fields"),
    [
        (DELIVERED, False, "delivered", {"Status", "Last-Attempt-Date"}),
        (DELIVERED, True, "expanded", {"Status", "Last-Attempt-Date"}),
        (RELAYED, False, "relayed", {"Status", "Last-Attempt-Date", "Remote-MTA", "Diagnostic-Code"}),
    ],
)
def test_successes(last: Outcome, expanded: bool, action: str, fields: set[str]) -> None:
    which = owed(recipient(last=last), kind=SUCCESS)
    _, _, group = status_part(report(which, expanded=frozenset({0} if expanded else ()))).partition(
        "\r\n\r\n"
    )
    found = dict(line.split(": ", 1) for line in lines(group))
    assert found["Action"] == action
    assert found["Status"] == "2.0.0"
    assert set(found) == {"Final-Recipient", "Action"} | fields


def test_addresses_beyond_ascii() -> None:
    odd = Address("a b+c=d\\\\\u20ac", "example.com")
    people = (recipient(0), recipient(1, JUERGEN), recipient(2, MAX, original="utf-8;m\u00e4x@example.com"))
    which = report(owed(*people, recipient(3, odd)))
    assert not is_global(which)
    text = status_part(which)
    assert "Final-Recipient: rfc822; eve@example.org\r\n" in text
    assert "Final-Recipient: utf-8; j\\x{FC}rgen@example.org\r\n" in text
    assert "Original-Recipient: utf-8; m\\x{E4}x@example.com\r\nFinal-Recipient: rfc822; max@" in text
    assert 'utf-8; "a\\x{20}b\\x{2B}c\\x{3D}d\\x{5C}\\x{5C}\\x{5C}\\x{5C}\\x{20AC}"@example.com' in text


def test_addresses_beyond_ascii_for_who_has_such_a_one() -> None:
    people = (recipient(0), recipient(1, JUERGEN), recipient(2, MAX, original="utf-8;m\u00e4x@example.com"))
    which = report(owed(*people), to=JUERGEN)
    assert is_global(which)
    text = status_part(which)
    assert "Final-Recipient: utf-8; j\u00fcrgen@example.org\r\n" in text
    assert "Original-Recipient: utf-8; m\u00e4x@example.com\r\nFinal-Recipient: rfc822; max@" in text
    assert not is_global(report(to=JUERGEN))
    assert not is_global(report())


@pytest.mark.parametrize(
    ("kind", "code", "enhanced", "wanted"),
    [
        (FAILURE, 550, "5.1.1", "5.1.1"),
        (FAILURE, 550, "", "5.0.0"),
        (FAILURE, 550, "4.2.2", "5.0.0"),
        (FAILURE, 550, "5.01.1", "5.0.0"),
        (FAILURE, 550, "5.1.1000", "5.0.0"),
        (FAILURE, 550, "5.1", "5.0.0"),
        (FAILURE, 450, "4.2.2", "4.2.2"),
        (FAILURE, 450, "", "4.4.7"),
        (FAILURE, 421, "5.3.2", "4.4.7"),
        (DELAY, 450, "4.2.2", "4.2.2"),
        (DELAY, 450, "", "4.0.0"),
        (DELAY, 450, "5.2.2", "4.0.0"),
        (SUCCESS, 250, "2.1.5", "2.1.5"),
        (SUCCESS, 250, "", "2.0.0"),
    ],
)
def test_status(kind: NotifyOn, code: int, enhanced: str, wanted: str) -> None:
    assert status_of(kind, outcome(Fate.FAILED, reply(code, enhanced))) == wanted


@pytest.mark.parametrize(("kind", "wanted"), [(FAILURE, "5.0.0"), (DELAY, "4.0.0"), (SUCCESS, "2.0.0")])
def test_status_where_nothing_was_said(kind: NotifyOn, wanted: str) -> None:
    assert status_of(kind, None) == wanted


def test_what_failed_because_the_time_is_over_keeps_its_class() -> None:
    assert status_of(FAILURE, EXPIRED) == "4.2.2"
    assert status_of(FAILURE, REFUSED) == "5.1.1"


def test_a_reply_of_several_lines() -> None:
    """As RFC 3461 section 9.2 shows it."""
    said = reply(550, "", "mailbox unavailable", "user has moved with no forwarding address")
    assert list(diagnostic(said)) == [
        "Diagnostic-Code: smtp; 550-mailbox unavailable",
        " 550 user has moved with no forwarding address",
    ]


def test_a_long_reply_is_folded() -> None:
    said = reply(550, "5.7.1", "word " * 30)
    found = list(diagnostic(said))
    assert len(found) > 1
    assert all(len(line) <= 78 for line in found)
    assert all(line.startswith(" ") and line.strip() for line in found[1:])
    assert (
        " ".join(line.strip() for line in found)
        == "Diagnostic-Code: smtp; 550 5.7.1 " + ("word " * 30).strip()
    )


def test_a_long_word_is_left_whole() -> None:
    assert list(diagnostic(reply(550, "5.7.1", "x" * 100))) == [
        "Diagnostic-Code: smtp; 550 5.7.1",
        " " + "x" * 100,
    ]
    found = list(diagnostic(reply(550, "", "x" * 100 + " more", "y" * 100)))
    assert found == [
        "Diagnostic-Code: smtp;",
        " 550-" + "x" * 100,
        " more",
        " 550",
        " " + "y" * 100,
    ]


def test_a_reply_without_end() -> None:
    found = "".join(diagnostic(reply(550, "5.7.1", *["z" * 10_000] * 1000)))
    assert found.count("550") == MAX_REPLY_LINES
    assert len(found) < MAX_REPLY_LINES * 600
    assert list(diagnostic(reply(550, "").with_text())) == ["Diagnostic-Code: smtp; 550"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("mx.example.org [192.0.2.1]", "mx.example.org"),
        ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("mx(\r\nX: y", "mx?"),
        (" ", "?"),
        ("m" * 1000, "m" * 255),
    ],
)
def test_the_name_of_the_other_server(host: str, name: str) -> None:
    assert host_name(host) == name
