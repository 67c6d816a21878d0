"""Kinds of values about next servers: for which domains they are, which they are, what is spoken there."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final, Literal, get_args

import attrs

from mailsuite.config.kinds import BadValue, Kind, printable, shown, suggestion, toml_text
from mailsuite.model.address import AddressSyntaxError, normalise_domain

MAX_ERROR_CHARACTERS: Final = 200
"""Of the text of an error: the line of a reply has room for it (RFC 5321 section 4.5.3.1.5)."""

_PORT: Final = re.compile(r"(.+):([0-9]{1,5})")
_CODED: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: (.*))?")


@attrs.frozen
class Matches:
    """Domains by pattern: ``example.org`` itself, ``*.example.org`` all below it, ``*`` every one."""

    patterns: tuple[str, ...]

    def __str__(self) -> str:
        return ",".join(self.patterns)

    def covers(self, domain: str) -> bool:
        """Whether *domain*, in A-labels and lower case, is one of them. An address literal is one of ``*``
        alone."""
        return any(_covers(pattern, domain) for pattern in self.patterns)

    def takes_from(self, later: Matches) -> tuple[str, ...]:
        """The patterns of a later block that never come to their turn, because this one is asked first."""
        return tuple(
            pattern for pattern in later.patterns if any(_hides(own, pattern) for own in self.patterns)
        )


NO_DOMAINS: Final = Matches(())


def _covers(pattern: str, domain: str) -> bool:
    if pattern.startswith("*."):
        return domain.endswith(pattern[1:]) and len(domain) >= len(pattern)
    return pattern in ("*", domain)


def _hides(first: str, later: str) -> bool:
    """Whether each domain of the pattern *later* is one of *first*."""
    if later.startswith("*.") and first.startswith("*."):
        return later.endswith(first[1:])
    return _covers(first, later)


@attrs.frozen
class DomainMatches(Kind[Matches]):
    """A list of domains and patterns of domains."""

    @property
    def word(self) -> str:
        return "list of domains"

    @property
    def range(self) -> str:
        return '"example.org", "*.example.org" for all below it, "*" for every one'

    @property
    def expects(self) -> str:
        return 'a list of domains in square brackets, for example ["example.org", "*.example.org"] or ["*"]'

    def parse(self, raw: object, base: Path) -> Matches:
        if not isinstance(raw, list) or not raw:
            raise self.refuse(raw)
        patterns: list[str] = []
        for element in raw:
            pattern = self._pattern(element)
            if pattern in patterns:
                raise BadValue(f"{shown(element)} stands twice in the list")
            patterns.append(pattern)
        return Matches(tuple(patterns))

    def _pattern(self, element: object) -> str:
        text = printable(element, self)
        if text == "*":
            return text
        if text.startswith("["):
            raise self.refuse(element, "is an address literal")
        star = "*." if text.startswith("*.") else ""
        try:
            return star + normalise_domain(text.removeprefix("*."))
        except AddressSyntaxError as error:
            raise BadValue(f"{shown(element)}: {error}; expected {self.expects}") from error

    def write(self, value: Matches) -> object:
        return list(value.patterns)


def _host(text: str) -> str:
    """A host name in A-labels, or an IP address in its usual spelling. Raises ValueError."""
    try:
        address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]").removeprefix("IPv6:"))
    except ValueError:
        name = normalise_domain(text)
        if name.rpartition(".")[2].isdigit():  # no top-level domain is a number (RFC 3696 section 2)
            raise ValueError("is no IP address") from None
        return name
    if getattr(address, "scope_id", None) is not None or address.is_unspecified or address.is_multicast:
        raise ValueError("is no address of one machine")
    return str(address)


@attrs.frozen
class NextHost(Kind[str]):
    """The name or the IP address of another server."""

    @property
    def word(self) -> str:
        return "host"

    @property
    def expects(self) -> str:
        return 'a host name or an IP address, for example "smtp.provider.example" or "10.0.0.5"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if (found := _PORT.fullmatch(text)) and ":" not in found[1]:
            raise self.refuse(raw, f"has a port in it; write port = {found[2]}")
        try:
            return _host(text)
        except ValueError as error:
            raise BadValue(f"{shown(raw)}: {error}; expected {self.expects}") from error


@attrs.frozen
class Place:
    """Where a server listens; without a port, where the first one does."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@attrs.frozen
class FurtherHost(Kind[Place]):
    """A host, perhaps with a port."""

    @property
    def word(self) -> str:
        return "host"

    @property
    def expects(self) -> str:
        return 'a host, perhaps with a port: "smtp2.provider.example", "10.0.0.6:2525", "[2001:db8::6]:2525"'

    def parse(self, raw: object, base: Path) -> Place:
        text = printable(raw, self)
        host, port = text, None
        if (found := _PORT.fullmatch(text)) and (found[1].startswith("[") or ":" not in found[1]):
            host, port = found[1], int(found[2])
        if port is not None and not 1 <= port <= 65535:
            raise self.refuse(raw, "has a port that does not exist")
        try:
            return Place(_host(host), port)
        except ValueError as error:
            raise BadValue(f"{shown(raw)}: {error}; expected {self.expects}") from error

    def write(self, value: Place) -> object:
        return str(value)


TransportKind = Literal["smtp", "lmtp", "discard", "error"]


@attrs.frozen
class Transport:
    """What is done with mail: spoken to a next server, thrown away, or returned with a text."""

    kind: TransportKind
    enhanced: str = ""
    """The status code that a text began with (RFC 3463); 4.x.x is for now, 5.x.x for good."""
    text: str = ""

    def __str__(self) -> str:
        if self.kind != "error":
            return self.kind
        return f"error:{self.enhanced} {self.text}" if self.enhanced else f"error:{self.text}"


@attrs.frozen
class TransportWord(Kind[Transport]):
    """``smtp``, ``lmtp``, ``discard``, or ``error:`` and a text."""

    @property
    def word(self) -> str:
        return "word"

    @property
    def range(self) -> str:
        return '"smtp", "lmtp", "discard", or "error:" and a text'

    @property
    def expects(self) -> str:
        return f'{self.range}, for example "error:5.1.6 Please write to info@example.org"'

    def parse(self, raw: object, base: Path) -> Transport:
        text = printable(raw, self)
        kind, colon, rest = text.partition(":")
        if kind == "error" and colon:
            return self._error(rest.strip(), raw)
        for known in get_args(TransportKind):
            if text == known != "error":
                return Transport(known)
        raise BadValue(f"{self.refuse(raw)}{suggestion(text, get_args(TransportKind))}")

    def _error(self, text: str, raw: object) -> Transport:
        enhanced = ""
        if found := _CODED.fullmatch(text):
            enhanced, text = found[1], found[2] or ""
        if enhanced.startswith("2"):
            raise self.refuse(raw, f"begins with {enhanced}, which is no error")
        if not text or not text.isascii():
            raise self.refuse(raw, "has no text" if not text else "is not ASCII")
        if len(text) > MAX_ERROR_CHARACTERS:
            raise self.refuse(raw, f"is longer than {MAX_ERROR_CHARACTERS} characters")
        return Transport("error", enhanced, text)

    def write(self, value: Transport) -> object:
        return str(value)


@attrs.frozen
class TriState(Kind[bool | None]):
    """``true``, ``false``, or ``"auto"``: by what else is said."""

    @property
    def word(self) -> str:
        return "boolean"

    @property
    def range(self) -> str:
        return f"true, false, or {toml_text('auto')}"

    @property
    def expects(self) -> str:
        return self.range

    def parse(self, raw: object, base: Path) -> bool | None:
        if raw == "auto":
            return None
        if isinstance(raw, bool):
            return raw
        raise self.refuse(raw)

    def write(self, value: bool | None) -> object:
        return "auto" if value is None else value

    def from_text(self, text: str) -> object:
        return text == "true" if text in {"true", "false"} else text
