"""Kinds of values about telling people: how much, when again, who answers for it, and which program."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Final

import attrs

from mailsuite.config.kinds import BadValue, Kind, ListOf, OneOf, Text, printable, toml_text
from mailsuite.config.measures import Duration, duration_text
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.notice import Level

MAX_RETRIES: Final = 20
MAX_CONTACT_CHARACTERS: Final = 255
MAX_ARGUMENTS: Final = 64
MAX_ARGUMENT_CHARACTERS: Final = 1000

STANDARD: Final = "standard"
STANDARD_SCHEDULE: Final = (5.0, 300.0, 1800.0, *(hours * 3600.0 for hours in (2, 5, 10, 14, 20, 24)))
"""Seconds: what Standard Webhooks recommends, 75 hours in all."""


@attrs.frozen
class NoticeLevel(Kind[Level]):
    """How much a notice tells."""

    @property
    def _words(self) -> OneOf[str]:
        return OneOf(tuple(level.word for level in Level))

    @property
    def word(self) -> str:
        return "word"

    @property
    def range(self) -> str:
        return self._words.range

    @property
    def expects(self) -> str:
        return self._words.expects

    def parse(self, raw: object, base: Path) -> Level:
        return Level.of(self._words.parse(raw, base))

    def write(self, value: Level) -> object:
        return value.word


@attrs.frozen
class Schedule(Kind[tuple[float, ...]]):
    """Seconds to wait before the second try, the third ..., or a word for the usual ones."""

    @property
    def _duration(self) -> Duration:
        return Duration(minimum=0.1, maximum=7 * 86400.0)

    @property
    def word(self) -> str:
        return "list of duration"

    @property
    def range(self) -> str:
        return f"{toml_text(STANDARD)}, or up to {MAX_RETRIES}, each: {self._duration.range}"

    @property
    def expects(self) -> str:
        return f'{toml_text(STANDARD)}, or a list of waits, for example ["5s", "5m", "1h"]'

    def parse(self, raw: object, base: Path) -> tuple[float, ...]:
        if raw == STANDARD:
            return STANDARD_SCHEDULE
        if not isinstance(raw, list):
            raise self.refuse(raw)
        if len(raw) > MAX_RETRIES:
            raise BadValue(f"the list is too long: expected up to {MAX_RETRIES} waits")
        return tuple(self._duration.parse(each, base) for each in raw)

    def write(self, value: tuple[float, ...]) -> object:
        return STANDARD if value == STANDARD_SCHEDULE else [duration_text(each) for each in value]

    def from_text(self, text: str) -> object:
        plain = super().from_text(text)
        return plain if plain == STANDARD else ListOf(Text(100)).from_text(text)


@attrs.frozen
class Contact(Kind[str]):
    """Who can be asked about what we send (RFC 8292 section 2.1)."""

    @property
    def word(self) -> str:
        return "URL"

    @property
    def range(self) -> str:
        return "mailto:, https://"

    @property
    def expects(self) -> str:
        return 'a URL, for example "mailto:postmaster@example.net" or "https://example.net/contact"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if len(text) > MAX_CONTACT_CHARACTERS or not text.isascii() or " " in text:
            raise self.refuse(raw, "is no URL that can be told")
        scheme, _, rest = text.partition(":")
        if not (self._is_address(rest) if scheme == "mailto" else scheme == "https" and self._is_page(text)):
            raise self.refuse(raw)
        return text

    @staticmethod
    def _is_address(text: str) -> bool:
        try:
            Address.parse(text)
        except AddressSyntaxError:
            return False
        return True

    @staticmethod
    def _is_page(text: str) -> bool:
        try:
            return bool(urllib.parse.urlsplit(text).hostname)
        except ValueError:
            return False


@attrs.frozen
class Arguments(Kind[tuple[str, ...]]):
    """A program and its arguments. No shell sees them."""

    @property
    def word(self) -> str:
        return "list of text"

    @property
    def range(self) -> str:
        return f"1 to {MAX_ARGUMENTS}; the first is a path from the root"

    @property
    def expects(self) -> str:
        return 'a program by its whole path, and its arguments: ["/usr/local/bin/tell", "--quietly"]'

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        if not isinstance(raw, list) or not raw:
            raise self.refuse(raw)
        if len(raw) > MAX_ARGUMENTS:
            raise BadValue(f"the list is too long: expected up to {MAX_ARGUMENTS} texts")
        arguments = tuple(printable(each, self) for each in raw)
        if any(len(each) > MAX_ARGUMENT_CHARACTERS for each in arguments):
            raise BadValue(f"an argument is too long: expected up to {MAX_ARGUMENT_CHARACTERS} characters")
        if not arguments[0].startswith("/"):
            raise self.refuse(arguments[0], "is no path from the root")
        return arguments

    def write(self, value: tuple[str, ...]) -> object:
        return list(value)
