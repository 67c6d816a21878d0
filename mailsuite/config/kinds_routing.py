"""Kinds of values about where mail goes: delimiters, aliases, patterns, catch-alls, further senders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from mailsuite.config.kinds import BadValue, Kind, printable, shown, toml_text
from mailsuite.config.kinds_relaying import PerTime
from mailsuite.config.names import MailAddress
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.alias import AliasPattern
from mailsuite.model.alias_patterns import PatternRefused, check_pattern
from mailsuite.model.rate import Rate

DELIMITERS: Final = "+-_"
NONE: Final = "none"
DISCARD: Final = ":discard"
DISCARDS: Final = frozenset({DISCARD, "/dev/null"})
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_ANY_DOMAIN: Final = "example.net"
"""Stands for the domain of a block, which a value by itself does not know."""

AliasLines = tuple[tuple[str, tuple[str, ...]], ...]
"""Names, and what each stands for; none: mail is thrown away. A name without a domain is of the block's."""


def alias_target(text: str, domain: str) -> Address:
    """An address, or a name in *domain*. Raises AddressSyntaxError, in words for a person."""
    if text.startswith("|"):
        raise AddressSyntaxError("mail is not given to programs here")
    if text.startswith("/"):
        raise AddressSyntaxError("mail is not written to files here")
    if text.startswith(":"):
        raise AddressSyntaxError(f"of what begins with a colon only {DISCARD} is known here")
    return Address.parse(text if "@" in text else f"{text}@{domain}").canonical


@attrs.frozen
class Delimiters(Kind[str]):
    """Characters that may stand between a name and its tag (RFC 5233)."""

    @property
    def word(self) -> str:
        return "characters"

    @property
    def range(self) -> str:
        return f'any of {DELIMITERS}, or "{NONE}"'

    @property
    def expects(self) -> str:
        return f'characters out of {DELIMITERS}, for example "+", or "{NONE}" for no tags'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if text == NONE:
            return ""
        if not text or set(text) - set(DELIMITERS) or len(set(text)) < len(text):
            raise self.refuse(raw)
        return text

    def write(self, value: str) -> object:
        return value or NONE


@attrs.frozen
class _Table(Kind[AliasLines]):
    """Names and texts, or lists of texts, in braces."""

    @property
    def word(self) -> str:
        return "table"

    def _lines(self, raw: object) -> AliasLines:
        if not isinstance(raw, dict) or not raw:
            raise self.refuse(raw)
        return tuple((printable(name, self), self._texts(name, value)) for name, value in raw.items())

    def _texts(self, name: str, value: object) -> tuple[str, ...]:
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) and text for text in texts):
            raise BadValue(f"{name}: {self.refuse(value)}")
        if any(text in DISCARDS for text in texts):
            if len(texts) > 1:
                raise BadValue(f"{name}: {DISCARD} stands alone")
            return ()
        return tuple(dict.fromkeys(printable(text, self) for text in texts))


def _written(lines: AliasLines) -> object:
    """Names that are no bare keys of TOML stand in quotes."""
    return {
        name if _BARE.fullmatch(name) else toml_text(name): (
            list(targets) if len(targets) > 1 else targets[0] if targets else DISCARD
        )
        for name, targets in lines
    }


@attrs.frozen
class Aliases(_Table):
    """``{ sales = ["joe", "ann"] }``"""

    @property
    def expects(self) -> str:
        return 'names and what they stand for, for example { postmaster = "joe", sales = ["joe", "ann"] }'

    def parse(self, raw: object, base: Path) -> AliasLines:
        lines: list[tuple[str, tuple[str, ...]]] = []
        for name, targets in self._lines(raw):
            try:
                local = Address.parse(f"{name}@{_ANY_DOMAIN}").canonical.local
                for text in targets:
                    alias_target(text, _ANY_DOMAIN)
            except AddressSyntaxError as error:
                raise BadValue(f"{name}: {error}; expected {self.expects}") from error
            if local in dict(lines):
                raise BadValue(f"{name} stands twice in the table")
            lines.append((local, targets))
        return tuple(lines)

    def write(self, value: AliasLines) -> object:
        return _written(value)


@attrs.frozen
class Patterns(_Table):
    """``{ "list-(.+)" = "lists+\\1" }``, in the order in which they are tried."""

    @property
    def expects(self) -> str:
        return r"""regular expressions and what they stand for, for example { 'list-(.+)' = 'lists+\1' }"""

    def parse(self, raw: object, base: Path) -> AliasLines:
        lines = self._lines(raw)
        for name, targets in lines:
            try:
                check_pattern(AliasPattern(name, targets), _ANY_DOMAIN)
            except PatternRefused as error:
                raise BadValue(f"{shown(name)}: {error}") from error
        return lines

    def write(self, value: AliasLines) -> object:
        return _written(value)


@attrs.frozen
class CatchAll(Kind[tuple[Address, ...]]):
    """Whom mail for unknown names goes to; nobody: it is refused."""

    @property
    def word(self) -> str:
        return "mail address"

    @property
    def range(self) -> str:
        return f'one, or a list of them, or "{NONE}"'

    @property
    def expects(self) -> str:
        return f'a mail address or a list of them, for example "box@example.net", or "{NONE}"'

    def parse(self, raw: object, base: Path) -> tuple[Address, ...]:
        if raw == NONE:
            return ()
        texts = raw if isinstance(raw, list) else [raw]
        if not texts:
            raise self.refuse(raw)
        return tuple(dict.fromkeys(MailAddress().parse(text, base) for text in texts))

    def write(self, value: tuple[Address, ...]) -> object:
        return [str(each) for each in value] if len(value) > 1 else str(value[0]) if value else NONE


_CATCH_ALL: Final = "catchall:"


@attrs.frozen
class UnknownUser(Kind[tuple[Address, ...]]):
    """``reject``, or ``catchall:`` and an address."""

    @property
    def word(self) -> str:
        return "word"

    @property
    def range(self) -> str:
        return f'"reject", or "{_CATCH_ALL}" and an address'

    @property
    def expects(self) -> str:
        return f'"reject", or for example "{_CATCH_ALL}box@example.net"'

    def parse(self, raw: object, base: Path) -> tuple[Address, ...]:
        text = printable(raw, self)
        if text == "reject":
            return ()
        if not text.startswith(_CATCH_ALL):
            raise self.refuse(raw)
        return (MailAddress("box@example.net").parse(text.removeprefix(_CATCH_ALL), base),)

    def write(self, value: tuple[Address, ...]) -> object:
        return f"{_CATCH_ALL}{value[0]}" if value else "reject"


@attrs.frozen
class Limit(Kind[Rate]):
    """A rate, and never none (features row L-05)."""

    @property
    def word(self) -> str:
        return "rate"

    @property
    def expects(self) -> str:
        return 'a number and a span of time, for example "100/1h"'

    def parse(self, raw: object, base: Path) -> Rate:
        rate = PerTime("100/1h").parse(raw, base)
        if rate is None:
            raise self.refuse(raw, "is no limit, and without one a guesser of names fills the maildrop")
        return rate

    def write(self, value: Rate) -> object:
        return PerTime().write(value)


@attrs.frozen
class LocalPart(Kind[str]):
    """What stands before an @, in its canonical form."""

    @property
    def word(self) -> str:
        return "name"

    @property
    def expects(self) -> str:
        return 'what stands before the @, for example "root"'

    def parse(self, raw: object, base: Path) -> str:
        try:
            return Address.parse(f"{printable(raw, self)}@{_ANY_DOMAIN}").canonical.local
        except AddressSyntaxError as error:
            raise BadValue(f"{shown(raw)}: {error}; expected {self.expects}") from error


def aliases_of(lines: AliasLines, domain: str) -> Mapping[Address, tuple[Address, ...]]:
    """What the names of a table stand for in its domain."""
    return {
        Address(name, domain): tuple(alias_target(text, domain) for text in targets)
        for name, targets in lines
    }
