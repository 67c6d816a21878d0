"""MAIL and RCPT by what the server offers, and what cannot go to it (rows M-05, M-06, M-10, M-12)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model import reply as replies
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.envelope import BodyType, MailParameters, NotifyOn, RecipientParameters, Returned
from mailsuite.wire.smtp.client.envelope import mail_line, obstacle, recipient_line, says_utf8, xtext
from mailsuite.wire.smtp.client.extensions import NOTHING_OFFERED, Extensions
from mailsuite.wire.smtp.client.letter import CannotSend, Lack
from mailsuite.wire.smtp.commands import parse_mail, parse_recipient
from mailsuite.wire.smtp.notification import original_recipient, undo_xtext
from tests.wire.smtp.client.server import JOE, MIA, letter, to

EVERYTHING = Extensions(
    size=1000,
    pipelining=True,
    eight_bit=True,
    smtputf8=True,
    chunking=True,
    binary=True,
    dsn=True,
    require_tls=True,
)
OFFERED = frozenset(("SIZE", "8BITMIME", "BINARYMIME", "SMTPUTF8", "DSN", "REQUIRETLS"))
"""The same, as our own server names it."""
BEYOND = Address.parse("jörg@example.net")
WISHES = MailParameters(returned=Returned.HEADER, envelope_id="a+b=c d")
ALL_NOTICES = frozenset((NotifyOn.DELAY, NotifyOn.FAILURE, NotifyOn.SUCCESS))


@pytest.mark.parametrize(
    ("differences", "line"),
    [
        ({}, "MAIL FROM:<ann@example.net> SIZE=100"),
        ({"size": 0}, "MAIL FROM:<ann@example.net>"),
        ({"sender": None}, "MAIL FROM:<> SIZE=100"),
        ({"sender": Address("a b", "example.net")}, 'MAIL FROM:<"a b"@example.net> SIZE=100'),
        ({"body": BodyType.EIGHT_BIT}, "MAIL FROM:<ann@example.net> SIZE=100 BODY=8BITMIME"),
        ({"body": BodyType.BINARY}, "MAIL FROM:<ann@example.net> SIZE=100 BODY=BINARYMIME"),
        ({"utf8_header": True}, "MAIL FROM:<ann@example.net> SIZE=100 SMTPUTF8"),
        ({"sender": BEYOND}, "MAIL FROM:<jörg@example.net> SIZE=100 SMTPUTF8"),
        # What the sender's program has said of itself is not repeated.
        (
            {"parameters": MailParameters(BodyType.EIGHT_BIT, 99, smtputf8=True, hold_for=60)},
            "MAIL FROM:<ann@example.net> SIZE=100",
        ),
        ({"parameters": WISHES}, "MAIL FROM:<ann@example.net> SIZE=100 RET=HDRS ENVID=a+2Bb+3Dc+20d"),
        ({"parameters": MailParameters(require_tls=True)}, "MAIL FROM:<ann@example.net> SIZE=100 REQUIRETLS"),
    ],
)
def test_mail(differences: dict[str, Any], line: str) -> None:
    each = letter(**differences)
    assert obstacle(each, EVERYTHING, True, True) is None
    assert mail_line(each, EVERYTHING) == line
    heard = parse_mail(line.removeprefix("MAIL "), OFFERED)
    assert heard.sender == each.sender
    assert heard.parameters.body is each.body
    assert heard.parameters.envelope_id == each.parameters.envelope_id


def test_nothing_is_said_that_was_not_offered() -> None:
    each = letter(parameters=WISHES)
    assert mail_line(each, NOTHING_OFFERED) == "MAIL FROM:<ann@example.net>"
    wishes = RecipientParameters(ALL_NOTICES, "rfc822;joe@example.net")
    assert recipient_line(to(JOE, wishes), NOTHING_OFFERED, False) == "RCPT TO:<joe@example.net>"


@pytest.mark.parametrize(
    ("parameters", "utf8", "words"),
    [
        (RecipientParameters(), False, ""),
        (RecipientParameters(frozenset({NotifyOn.NEVER})), False, " NOTIFY=NEVER"),
        (RecipientParameters(ALL_NOTICES), False, " NOTIFY=SUCCESS,FAILURE,DELAY"),
        (RecipientParameters(None, "rfc822;a+b@x.example"), False, " ORCPT=rfc822;a+2Bb@x.example"),
        (RecipientParameters(None, "x400;/C=de /"), False, " ORCPT=x400;/C+3Dde+20/"),
        (RecipientParameters(None, "utf-8;jörg@x.example"), False, " ORCPT=utf-8;j\\x{F6}rg@x.example"),
        (RecipientParameters(None, "utf-8;jörg@x.example"), True, " ORCPT=utf-8;jörg@x.example"),
        (RecipientParameters(None, "utf-8;a\\ +=ö"), True, " ORCPT=utf-8;a\\x{5C}\\x{20}\\x{2B}\\x{3D}ö"),
        (RecipientParameters(None, "utf-8;\U0001f4ec"), False, " ORCPT=utf-8;\\x{1F4EC}"),
        # What has grown too long for anybody to take is left out.
        (RecipientParameters(None, "utf-8;" + "ö" * 100), False, ""),
        (RecipientParameters(None, "utf-8;" + "ö" * 100), True, " ORCPT=utf-8;" + "ö" * 100),
        (RecipientParameters(None, "rfc822;" + "=" * 170), False, ""),
    ],
)
def test_recipient(parameters: RecipientParameters, utf8: bool, words: str) -> None:
    line = recipient_line(to(JOE, parameters), EVERYTHING, utf8)
    assert line == "RCPT TO:<joe@example.net>" + words
    heard = parse_recipient(line.removeprefix("RCPT "), OFFERED, utf8)
    assert heard.address == JOE
    assert heard.parameters == (parameters if words else RecipientParameters())


def test_the_postmaster_without_a_domain() -> None:
    assert recipient_line(to(POSTMASTER), EVERYTHING, False) == "RCPT TO:<postmaster>"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=33))
def test_xtext_is_undone_by_our_server(text: str) -> None:
    assert undo_xtext(xtext(text)) == text


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30))
@pytest.mark.parametrize("utf8", [False, True])
def test_orcpt_of_type_utf_8_is_read_by_our_server(utf8: bool, text: str) -> None:
    wanted = RecipientParameters(None, f"utf-8;{text}")
    line = recipient_line(to(JOE, wanted), EVERYTHING, utf8)
    assert utf8 or line.isascii()
    assert original_recipient(line.partition("ORCPT=")[2], utf8) == wanted.original


REQUIRES = MailParameters(require_tls=True)


@pytest.mark.parametrize(
    ("differences", "lacks", "lack", "reply"),
    [
        ({"size": 1001}, {}, Lack.SIZE, replies.NEXT_HOP_LACKS_SPACE),
        ({"utf8_header": True}, {"smtputf8": False}, Lack.UTF8, replies.NEXT_HOP_LACKS_SMTPUTF8),
        ({"sender": BEYOND}, {"smtputf8": False}, Lack.UTF8, replies.NEXT_HOP_LACKS_SMTPUTF8),
        ({"body": BodyType.EIGHT_BIT}, {"eight_bit": False}, Lack.EIGHT_BIT, replies.NEXT_HOP_LACKS_8BIT),
        (
            {"parameters": REQUIRES},
            {"require_tls": False},
            Lack.REQUIRE_TLS,
            replies.NEXT_HOP_LACKS_REQUIRETLS,
        ),
    ],
)
def test_what_cannot_go(
    differences: dict[str, Any], lacks: dict[str, Any], lack: Lack, reply: replies.Reply
) -> None:
    each = letter(JOE, MIA, **differences)
    offered = attrs.evolve(EVERYTHING, **lacks)
    assert obstacle(each, offered, True, True) == CannotSend(lack, reply, (0, 1))
    assert obstacle(letter(JOE, MIA), offered, True, True) is None


def test_binary_needs_a_way_for_octets() -> None:
    cannot = CannotSend(Lack.BINARY, replies.NEXT_HOP_LACKS_BINARY, (0,))
    assert obstacle(letter(body=BodyType.BINARY), EVERYTHING, True, False) == cannot


def test_in_clear_nobody_can_require_tls() -> None:
    cannot = CannotSend(Lack.REQUIRE_TLS, replies.NEXT_HOP_LACKS_REQUIRETLS, (0,))
    assert obstacle(letter(parameters=REQUIRES), EVERYTHING, False, True) == cannot


@pytest.mark.parametrize("size", [None, 0])
def test_no_limit_is_no_limit(size: int | None) -> None:
    assert obstacle(letter(size=10**12), Extensions(size=size), False, False) is None


def test_the_others_go_without_the_one_beyond_ascii() -> None:
    each = letter(JOE, BEYOND, MIA)
    assert says_utf8(each)
    assert obstacle(each, EVERYTHING, False, False) is None
    cannot = CannotSend(Lack.UTF8, replies.NEXT_HOP_LACKS_SMTPUTF8, (1,))
    assert obstacle(each, NOTHING_OFFERED, False, False) == cannot
    assert not says_utf8(letter(JOE, MIA))


def test_a_letter_goes_to_somebody() -> None:
    with pytest.raises(ValueError, match="recipients"):
        letter().__class__(None, ())
