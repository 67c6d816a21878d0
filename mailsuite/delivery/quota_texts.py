"""What letters about quotas say, in English and in German, and which of them a reader gets.

Lines are as long as they are sent. ``{level}``, ``{account}`` and ``{domain}`` are filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import attrs

from mailsuite.delivery.dsn_languages import Languages
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure

Lines = tuple[str, ...]


@attrs.frozen
class QuotaTexts:
    """All of it, in one language."""

    tag: str
    """Of the language (RFC 5646)."""
    writer: str
    subject: str
    total_subject: str
    full: Lines
    total_full: Lines
    messages: str
    """How many there are, of how many."""
    size: str
    of: str
    without_limit: str
    thousands: str
    """What stands between the thousands of a number."""
    decimal: str
    """What stands before its fraction."""
    refused: Lines
    """What becomes of new mail when it is full."""
    waits: Lines
    advice: Lines
    total_advice: Lines
    end: Lines

    def number(self, number: int) -> str:
        """As people write it."""
        return f"{number:,}".replace(",", self.thousands)


ENGLISH = QuotaTexts(
    tag="en",
    writer="Mail server",
    subject="Your mailbox is {level} percent full",
    total_subject="The mailboxes of {domain} are {level} percent full",
    full=("The mailbox {account} is more than {level} percent full.",),
    total_full=("All mailboxes of {domain} together are more than {level} percent full.",),
    messages="messages: ",
    size="size:     ",
    of="{used} of {limit}",
    without_limit="{used}, without a limit",
    thousands=",",
    decimal=".",
    refused=("When it is full, new mail is sent back to those who wrote it.",),
    waits=(
        "When it is full, new mail has to wait until there is room, and after some days it is sent",
        "back to those who wrote it.",
    ),
    advice=(
        "To make room, delete mail that you do not need any more; large attachments first. A program that",
        "fetches your mail by POP3 may be set to leave a copy of all mail on the server: let it delete",
        "there what it has fetched.",
    ),
    total_advice=(
        "To make room, have mail deleted that nobody needs any more, or allow the domain more:",
        "mailsuite domain change {domain} --total-quota. What each mailbox has is told by",
        "mailsuite account list --usage.",
    ),
    end=("The mail server wrote this by itself, once; an answer is read by nobody.",),
)

GERMAN = QuotaTexts(
    tag="de",
    writer="Mailserver",
    subject="Ihr Postfach ist zu {level} Prozent voll",
    total_subject="Die Postfächer von {domain} sind zu {level} Prozent voll",
    full=("Das Postfach {account} ist zu mehr als {level} Prozent voll.",),
    total_full=("Alle Postfächer von {domain} zusammen sind zu mehr als {level} Prozent voll.",),
    messages="Nachrichten: ",
    size="Größe:       ",
    of="{used} von {limit}",
    without_limit="{used}, ohne Grenze",
    thousands=".",
    decimal=",",
    refused=("Ist es voll, geht neue Post an ihre Absender zurück.",),
    waits=(
        "Ist es voll, muss neue Post warten, bis wieder Platz ist; nach einigen Tagen geht sie an ihre",
        "Absender zurück.",
    ),
    advice=(
        "Platz wird, wenn Sie löschen, was Sie nicht mehr brauchen, große Anhänge zuerst. Ein Programm, das",
        "Ihre Post mit POP3 abholt, lässt vielleicht von allem eine Kopie auf dem Server: Stellen Sie es so",
        "ein, dass es dort löscht, was es geholt hat.",
    ),
    total_advice=(
        "Platz wird, wenn gelöscht wird, was niemand mehr braucht, oder wenn die Domain mehr haben darf:",
        "mailsuite domain change {domain} --total-quota. Was jedes Postfach hat, zeigt",
        "mailsuite account list --usage.",
    ),
    end=("Der Mailserver hat das von selbst geschrieben, einmal; eine Antwort liest niemand.",),
)

QUOTA_TEXTS: Mapping[str, QuotaTexts] = MappingProxyType({texts.tag: texts for texts in (ENGLISH, GERMAN)})
"""By their tags."""


async def in_english(reader: Address) -> QuotaTexts:
    """Where nobody has another language."""
    return ENGLISH


@attrs.frozen
class QuotaLanguages:
    """The texts for each reader."""

    languages: Languages
    usual: Callable[[], str]
    """The tag of the language of those who say nothing."""

    async def texts_for(self, reader: Address) -> QuotaTexts:
        """In the reader's language, else in that of the domain, else in the usual one; in that, too, where
        nobody can say now: a warning is better early than in the right language. Raises nothing."""
        try:
            tag = await self.languages.of(reader)
        except MailFailure:
            tag = ""
        return QUOTA_TEXTS.get(tag) or QUOTA_TEXTS[self.usual()]
