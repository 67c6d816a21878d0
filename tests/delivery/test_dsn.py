"""Whole notices: read by Python's email package, and by a reader that goes by the letter of the RFCs."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.dsn import Notice, compose
from mailsuite.delivery.dsn_languages import LANGUAGES
from mailsuite.delivery.dsn_original import Original, original_of
from mailsuite.delivery.dsn_report import Reader, Report
from mailsuite.model.address import Address
from mailsuite.model.envelope import BodyType, MailParameters, NotifyOn, Returned
from mailsuite.model.outbound import Fate, Outcome
from mailsuite.model.reply import Reply
from tests.delivery.dsn_cases import (
    ARRIVED,
    DAY,
    DEFERRED,
    DELIVERED,
    EXPIRED,
    JOE,
    JUERGEN,
    LETTER,
    MAX,
    POSTMASTER,
    REFUSED,
    RELAYED,
    owed,
    recipient,
    report,
)
from tests.delivery.dsn_reader import Dsn, read_dsn

FULL = MailParameters(returned=Returned.FULL)
UTF8_LETTER = "Subject: Grüße\r\nFrom: jürgen@example.org\r\n\r\nHallo.\r\n".encode()
LATIN_LETTER = b"Subject: Gr\xfc\xdfe\r\n\r\nHallo.\r\n"
EIGHT_BIT = b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"


def notice(which: Report | None = None, letter: bytes | None = LETTER, eight_bit: bool = False) -> Notice:
    original = None if letter is None else original_of(letter, True)
    return compose(report() if which is None else which, original, eight_bit)


def read(found: Notice) -> Dsn:
    """Strictly; and what is said of it is true."""
    dsn = read_dsn(found.content, found.parameters.smtputf8)
    assert found.parameters.body is not BodyType.SEVEN_BIT or found.content.isascii()
    parsed = parse(found)
    assert parsed.get_content_type() == "multipart/report"
    assert [part.defects for part in parsed.walk()] == [[] for _ in parsed.walk()]
    return dsn


def parse(found: Notice) -> EmailMessage:
    return email.message_from_bytes(found.content, policy=email.policy.default)


def field(dsn: Dsn, name: str) -> str:
    (value,) = [each.value for each in dsn.fields if each.name == name]
    return value


def test_a_failure_as_others_read_it() -> None:
    parsed = parse(notice())
    assert parsed["To"] == "joe@example.net"
    assert parsed["From"] == "Mail Delivery System <postmaster@mail.example.net>"
    assert parsed["Subject"] == "Not delivered: your message to eve@example.org"
    assert parsed["Date"] == "Wed, 18 Nov 2026 11:08:20 +0000"
    assert parsed["In-Reply-To"] == parsed["References"] == "<m1@example.net>"
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert parsed["Content-Type"].params["report-type"] == "delivery-status"
    text, status, returned = parsed.iter_parts()
    assert "There is no mailbox of that name at example.org." in text.get_content()
    assert text["Content-Language"] == "en"
    of_message, of_recipient = cast(list[EmailMessage], status.get_payload())
    assert of_message["Reporting-MTA"] == "dns; mail.example.net"
    assert of_recipient["Final-Recipient"] == "rfc822; eve@example.org"
    assert of_recipient["Action"] == "failed"
    assert of_recipient["Status"] == "5.1.1"
    assert of_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 User unknown"
    assert returned.get_content_type() == "text/rfc822-headers"
    assert returned.get_content().startswith("From: joe@example.net")


def test_no_field_beginning_with_x() -> None:
    assert not any(each.name.lower().startswith("x-") for each in read(notice()).fields)


@pytest.mark.parametrize(
    ("kind", "last", "action"),
    [
        (NotifyOn.FAILURE, REFUSED, "failed"),
        (NotifyOn.FAILURE, EXPIRED, "failed"),
        (NotifyOn.DELAY, DEFERRED, "delayed"),
        (NotifyOn.SUCCESS, RELAYED, "relayed"),
        (NotifyOn.SUCCESS, DELIVERED, "delivered"),
    ],
)
def test_kinds(kind: NotifyOn, last: Outcome, action: str) -> None:
    which = report(
        owed(recipient(last=last), kind=kind, parameters=FULL), retry_until=lambda _: ARRIVED + DAY
    )
    dsn = read(notice(which))
    assert [each["Action"] for each in dsn.recipients] == [action]
    assert ("Will-Retry-Until" in dsn.recipients[0]) is (action == "delayed")
    assert dsn.returned is not None
    whole = action == "failed"
    assert dsn.returned.type == ("message/rfc822" if whole else "text/rfc822-headers")


# What comes back


def returned(letter: bytes, eight_bit: bool = False, **changes: Any) -> tuple[str, bytes, Notice]:
    found = notice(report(owed(parameters=FULL), **changes), letter, eight_bit)
    dsn = read(found)
    assert dsn.returned is not None
    return dsn.returned.type, dsn.returned.octets, found


@pytest.mark.parametrize("said", [None, Returned.HEADER])
def test_the_header_where_nobody_asked_for_more(said: Returned | None) -> None:
    dsn = read(notice(report(owed(parameters=MailParameters(returned=said)))))
    assert dsn.returned is not None
    assert dsn.returned.octets == LETTER.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert "The header of the message is attached; its text is not." in dsn.text


def test_all_of_it_where_the_sender_asked() -> None:
    type, octets, _ = returned(LETTER)
    assert (type, octets) == ("message/rfc822", LETTER)


@pytest.mark.parametrize("reader", [Reader.SENDER, Reader.POSTMASTER])
def test_what_had_to_go_by_tls_alone(reader: Reader) -> None:
    asked = attrs.evolve(FULL, require_tls=True)
    found = notice(report(owed(parameters=asked), reader=reader))
    dsn = read(found)
    assert dsn.returned is not None
    assert dsn.returned.type == "text/rfc822-headers"
    assert found.parameters == MailParameters(require_tls=True)


def test_a_message_that_looks_like_our_boundary() -> None:
    first = notice(report(owed(parameters=FULL)))
    boundary = parse(first).get_boundary()
    assert boundary is not None
    letter = LETTER + b"\r\n--" + boundary.encode() + b"--\r\nX"
    assert returned(letter)[1] == letter


def test_a_large_message_comes_back_as_its_header() -> None:
    original = Original(b"Subject: large\r\n", None)
    dsn = read(compose(report(owed(parameters=FULL)), original, eight_bit=True))
    assert dsn.returned is not None
    assert (dsn.returned.type, dsn.returned.octets) == ("text/rfc822-headers", b"Subject: large\r\n")


@pytest.mark.parametrize(
    ("letter", "eight_bit", "type", "whole"),
    [
        (EIGHT_BIT, True, "message/rfc822", True),
        (EIGHT_BIT, False, "text/rfc822-headers", False),
        (LATIN_LETTER, True, "message/rfc822", True),
        (LATIN_LETTER, False, "text/rfc822-headers", False),
        (UTF8_LETTER, True, "message/global", True),
        (UTF8_LETTER, False, "message/global", True),
        (LETTER + b"x" * 2000, True, "text/rfc822-headers", False),
        (LETTER + b"a\0b", True, "text/rfc822-headers", False),
        (UTF8_LETTER + b"x" * 2000, True, "message/global", True),
    ],
)
def test_what_seven_bits_cannot_carry(letter: bytes, eight_bit: bool, type: str, whole: bool) -> None:
    found_type, octets, found = returned(letter, eight_bit)
    assert found_type == type
    assert octets == (letter if whole else letter.partition(b"\r\n\r\n")[0] + b"\r\n")
    assert eight_bit or found.parameters == MailParameters()
    assert found.parameters.body is (BodyType.SEVEN_BIT if found.content.isascii() else BodyType.EIGHT_BIT)


def test_a_header_in_utf_8() -> None:
    dsn = read(notice(letter=UTF8_LETTER))
    assert dsn.returned is not None
    assert dsn.returned.type == "message/global-headers"
    assert dsn.returned.octets == UTF8_LETTER.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert "Subject:    Grüße" in dsn.text


def test_a_message_that_cannot_be_read_any_more() -> None:
    dsn = read(notice(letter=None))
    assert dsn.returned is None
    assert "could not be read any more" in dsn.text
    assert not {"References", "In-Reply-To"} & {each.name for each in dsn.fields}


def test_the_postmaster_gets_what_nobody_else_has() -> None:
    lost = owed(sender=None, account=None)
    dsn = read(notice(report(lost, to=POSTMASTER, reader=Reader.POSTMASTER)))
    assert dsn.returned is not None
    assert dsn.returned.octets == LETTER
    assert field(dsn, "To") == "<postmaster@mail.example.net>"


def test_the_postmaster_reads_no_letters_of_others() -> None:
    dsn = read(notice(report(owed(parameters=FULL), to=POSTMASTER, reader=Reader.ONLOOKER)))
    assert dsn.returned is not None
    assert dsn.returned.type == "text/rfc822-headers"


# Beyond ASCII


def test_a_recipient_beyond_ascii_needs_no_server_that_knows_it() -> None:
    found = notice(report(owed(recipient(address=JUERGEN, original="utf-8;jürgen@alt.example"))))
    dsn = read(found)
    assert found.parameters == MailParameters()
    assert dsn.status.type == "message/delivery-status"
    assert dsn.recipients[0]["Final-Recipient"] == "utf-8; j\\x{FC}rgen@example.org"
    assert dsn.recipients[0]["Original-Recipient"] == "utf-8; j\\x{FC}rgen@alt.example"
    assert parse(found)["Subject"] == "Not delivered: your message to jürgen@example.org"


def test_a_sender_beyond_ascii_does() -> None:
    found = notice(report(owed(recipient(address=JUERGEN), sender=JUERGEN), to=JUERGEN))
    dsn = read(found)
    assert dsn.status.type == "message/global-delivery-status"
    assert dsn.recipients[0]["Final-Recipient"] == "utf-8; jürgen@example.org"
    assert found.parameters == MailParameters(body=BodyType.EIGHT_BIT, smtputf8=True)
    assert field(dsn, "To") == "<jürgen@example.org>"


def test_in_german() -> None:
    found = notice(report(owed(recipient(last=DEFERRED), kind=NotifyOn.DELAY), texts=LANGUAGES["de"]))
    dsn = read(found)
    assert parse(found)["Subject"] == "Verzögert, wird weiter versucht: Ihre Nachricht an eve@example.org"
    assert "Das Postfach ist voll." in dsn.text
    text, *_ = parse(found).iter_parts()
    assert text["Content-Language"] == "de"


# The same notice is the same message


def test_ids() -> None:
    which = report(owed(recipient(0), recipient(1, MAX)))
    same = attrs.evolve(which, now=which.now + DAY)
    assert notice(which).id == notice(same).id
    assert field(read(notice(which)), "Message-ID") == f"<{which.id}@mail.example.net>"
    others = [
        report(owed(recipient(0))),
        report(owed(recipient(1))),
        report(owed(recipient(0), kind=NotifyOn.DELAY)),
        report(owed(recipient(0), id="other")),
        report(owed(recipient(0)), reader=Reader.ONLOOKER),
        report(owed(recipient(0)), to=POSTMASTER),
        report(owed(recipient(0)), hostname="other.example.net"),
    ]
    assert len({each.id for each in [which, *others]}) == 1 + len(others)
    assert all(len(each.id) == 36 and each.id.startswith("dsn-") for each in others)


# Whatever strangers say

texts = st.text(max_size=200) | st.sampled_from(
    [
        "\r\n\r\nX: y",
        "\r\nAction: delivered",
        "--=_",
        "=?utf-8?q?=0d=0aBcc:_x?=",
        "(",
        "a" * 3000,
        "\x85\u2028\x0b",
    ]
)
said = st.builds(
    Reply,
    st.integers(200, 599),
    st.sampled_from(["", "5.1.1", "4.2.2", "2.0.0", "5.999.1", "x"]),
    st.lists(texts, max_size=30).map(tuple),
)
outcomes = st.none() | st.builds(
    Outcome, st.sampled_from(Fate), said, st.sampled_from(["", "mx.example.org [192.0.2.1]"]) | texts
)
local_parts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\xa0"),
    min_size=1,
    max_size=16,
)
addresses = st.builds(lambda local: Address.of(local, "example.org"), local_parts)
kinds = st.sampled_from([NotifyOn.FAILURE, NotifyOn.DELAY, NotifyOn.SUCCESS])
letters = st.binary(max_size=300) | st.builds(
    lambda head, body: head.encode("utf-8", "replace") + b"\r\n\r\n" + body, texts, st.binary(max_size=100)
)


def unescaped(typed: str) -> str:
    kind, _, address = typed.partition("; ")
    if kind != "utf-8":
        return address
    return re.sub(r"\\x\{([0-9A-F]+)\}", lambda found: chr(int(found[1], 16)), address)


@given(
    people=st.lists(st.tuples(addresses, outcomes), min_size=1, max_size=4),
    to=st.just(JOE) | addresses,
    kind=kinds,
    letter=letters,
    whole=st.booleans(),
    tag=st.sampled_from(sorted(LANGUAGES)),
    reader=st.sampled_from(Reader),
    eight_bit=st.booleans(),
)
def test_no_input_breaks_the_form(
    *,
    people: list[tuple[Address, Outcome | None]],
    to: Address,
    kind: NotifyOn,
    letter: bytes,
    whole: bool,
    tag: str,
    reader: Reader,
    eight_bit: bool,
) -> None:
    recipients = [recipient(number, *each) for number, each in enumerate(people)]
    which = report(
        owed(*recipients, kind=kind, parameters=FULL),
        to=to,
        texts=LANGUAGES[tag],
        reader=reader,
        retry_until=lambda _: ARRIVED + DAY,
    )
    found = compose(which, original_of(letter, whole), eight_bit)
    dsn = read_dsn(found.content, found.parameters.smtputf8)
    assert len(dsn.recipients) == len(people)
    final = [unescaped(each["Final-Recipient"]) for each in dsn.recipients]
    assert final == [str(address) for address, _ in people]
    assert eight_bit or found.parameters.smtputf8 or found.content.isascii()
    assert all(bytes(each) not in found.content.partition(b"\r\n\r\n")[0] for each in (b"X: y", b"Bcc:"))
    email.message_from_bytes(found.content, policy=email.policy.default).get_content_type()
