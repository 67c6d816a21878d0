"""The letter about failed mail from strangers (row Q-08)."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import attrs
import pytest

from mailsuite.delivery.dsn import Notice
from mailsuite.delivery.dsn_digest import MAX_RECIPIENTS, digest
from mailsuite.delivery.dsn_languages import LANGUAGES
from mailsuite.model.address import Address
from mailsuite.model.outbound import Fate, Owed
from tests.delivery.dsn_cases import ARRIVED, EVE, JOE, POSTMASTER, outcome, owed, recipient, reply

SPAMMER = Address("spam", "example.com")


def letter(*about: Owed, unlisted: int = 0, tag: str = "en") -> Notice:
    return digest(
        about,
        unlisted,
        to=POSTMASTER,
        hostname="mail.example.net",
        texts=LANGUAGES[tag],
        now=ARRIVED,
    )


def parse(notice: Notice) -> EmailMessage:
    return email.message_from_bytes(notice.content, policy=email.policy.default)


def text_of(parsed: EmailMessage) -> str:
    return str(parsed.get_content()).replace("\r\n", "\n")


STRANGER = owed(recipient(original=f"rfc822;{JOE}"), sender=SPAMMER, account=None)
LONG = outcome(Fate.FAILED, reply(550, "5.7.1", "one", "two", "three"))


def test_what_it_says() -> None:
    parsed = parse(
        letter(STRANGER, attrs.evolve(STRANGER, message=attrs.evolve(STRANGER.message, sender=None)))
    )
    assert parsed["To"] == str(POSTMASTER)
    assert parsed["Subject"] == "Mail that could not be forwarded: 2"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["Content-Language"] == "en"
    text = text_of(parsed)
    assert text.endswith(
        "the alias or the account that leads there.\n"
        "\n"
        "spam@example.com, 18 November 2026, 11:06 UTC, 0a1b2c3d\n"
        "  to eve@example.org (joe@example.net)\n"
        "  > 550 5.1.1 User unknown\n"
        "\n"
        "<>, 18 November 2026, 11:06 UTC, 0a1b2c3d\n"
        "  to eve@example.org (joe@example.net)\n"
        "  > 550 5.1.1 User unknown\n"
    )


def test_it_is_short() -> None:
    people = [recipient(number, EVE, LONG) for number in range(MAX_RECIPIENTS + 2)]
    text = text_of(parse(letter(owed(*people, recipient(9, EVE, None)))))
    assert text.count("  to eve@example.org\n  > 550 5.7.1 one\n  > 550 5.7.1 two\n") == MAX_RECIPIENTS
    assert "three" not in text
    assert text.endswith("  + 3\n")


def test_nothing_was_tried() -> None:
    assert text_of(parse(letter(owed(recipient(last=None))))).endswith("  to eve@example.org\n")


def test_those_that_are_only_counted() -> None:
    parsed = parse(letter(STRANGER, unlisted=7))
    assert parsed["Subject"] == "Mail that could not be forwarded: 8"
    assert text_of(parsed).endswith("\n7 more are in the log, under the event notice.withheld.\n")


def test_in_german() -> None:
    parsed = parse(letter(STRANGER, tag="de"))
    assert parsed["Subject"] == "Nicht weitergeleitete Nachrichten: 1"
    assert "  an eve@example.org" in parsed.get_content()


@pytest.mark.parametrize("tag", LANGUAGES)
def test_it_goes_anywhere(tag: str) -> None:
    assert letter(STRANGER, tag=tag).content.isascii()


def test_the_same_letter_has_the_same_id() -> None:
    other = owed(id="other")
    assert letter(STRANGER).id == letter(STRANGER, unlisted=1).id
    assert len({letter(STRANGER).id, letter(other).id, letter(STRANGER, other).id}) == 3
