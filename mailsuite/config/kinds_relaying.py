"""Kinds of values about who may send: relay modes, rates, whose name a message bears, lists of senders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args

import attrs

from mailsuite.config.kinds import BadValue, Kind, OneOf, printable, shown
from mailsuite.config.kinds_next_hops import NO_DOMAINS, DomainMatches, Matches
from mailsuite.config.measures import Duration, duration_text
from mailsuite.model.address import AddressSyntaxError
from mailsuite.model.rate import Rate
from mailsuite.model.sender_list import SenderEntry, parse_sender

RelayMode = Literal["nobody", "addresses", "anyone"]
SenderMode = Literal["off", "log", "fix", "reject"]

MAX_RATE = 1_000_000

_RATE = re.compile(r"([0-9]{1,7})[ \t]*/[ \t]*(\S+)")
_BY_SENDER = frozenset({"local-users", "local-senders", "senders", "users", "local"})
"""What other servers call relaying for whoever claims to be one of us."""


@attrs.frozen
class RelayWord(OneOf[RelayMode]):
    """Whom a door relays for; never for whoever writes a sender of ours, which anybody can."""

    words: tuple[RelayMode, ...] = get_args(RelayMode)

    def parse(self, raw: object, base: Path) -> RelayMode:
        if isinstance(raw, str) and raw in _BY_SENDER:
            raise self.refuse(
                raw, "would be an open relay, for anybody can write a sender of ours; users log in instead"
            )
        return super().parse(raw, base)


@attrs.frozen
class SenderMatch(Kind[SenderMode]):
    """A word; ``true`` and ``false``, as older files have it, are ``"reject"`` and ``"off"``."""

    @property
    def _words(self) -> OneOf[SenderMode]:
        return OneOf(get_args(SenderMode))

    @property
    def word(self) -> str:
        return "word"

    @property
    def range(self) -> str:
        return f"{self._words.range}; true is reject, false is off"

    @property
    def expects(self) -> str:
        return f"one of {self.range}"

    def parse(self, raw: object, base: Path) -> SenderMode:
        if isinstance(raw, bool):
            return "reject" if raw else "off"
        return self._words.parse(raw, base)

    def from_text(self, text: str) -> object:
        return text == "true" if text in {"true", "false"} else super().from_text(text)


@attrs.frozen
class PerTime(Kind[Rate | None]):
    """So many in a span of time; None is no limit."""

    example: str = "200/1h"

    @property
    def _duration(self) -> Duration:
        return Duration(1.0, 86400.0)

    @property
    def word(self) -> str:
        return "rate"

    @property
    def range(self) -> str:
        return f'1 to {MAX_RATE} in {self._duration.range}; "0" is no limit'

    @property
    def expects(self) -> str:
        return f'a number and a span of time, for example "{self.example}", or "0" for no limit'

    def parse(self, raw: object, base: Path) -> Rate | None:
        if raw == 0 and isinstance(raw, int) and not isinstance(raw, bool):
            return None
        text = printable(raw, self).strip()
        if text == "0":
            return None
        found = _RATE.fullmatch(text)
        if not found:
            raise self.refuse(raw, "is no rate")
        try:
            seconds = self._duration.parse(found[2], base)
        except BadValue as error:
            raise BadValue(f"{shown(raw)}: {error}") from error
        count = int(found[1])
        if not 1 <= count <= MAX_RATE:
            raise self.refuse(raw, "is out of range")
        return Rate(count, seconds)

    def write(self, value: Rate | None) -> object:
        return "0" if value is None else f"{value.count}/{duration_text(value.seconds)}"


@attrs.frozen
class RelayDomains(DomainMatches):
    """Domains elsewhere whose mail anybody may bring; each is named, or what is above it."""

    @property
    def range(self) -> str:
        return '"example.org", "*.example.org" for all below it'

    @property
    def expects(self) -> str:
        return 'a list of domains in square brackets, for example ["example.org", "*.example.org"]'

    def parse(self, raw: object, base: Path) -> Matches:
        if raw == []:
            return NO_DOMAINS
        matches = super().parse(raw, base)
        for pattern in matches.patterns:
            if pattern == "*":
                raise self.refuse(pattern, "would be an open relay; name the domains")
            if "." not in pattern.removeprefix("*."):
                raise self.refuse(pattern, "is no domain with a dot in it")
        return matches


@attrs.frozen
class Sender(Kind[SenderEntry]):
    """One line of a list of senders."""

    @property
    def word(self) -> str:
        return "sender"

    @property
    def expects(self) -> str:
        return 'an address, a domain, or what is below one: "eve@example.org", "example.org", "*.example.org"'

    def parse(self, raw: object, base: Path) -> SenderEntry:
        try:
            return parse_sender(printable(raw, self))
        except AddressSyntaxError as error:
            raise BadValue(f"{shown(raw)}: {error}; expected {self.expects}") from error

    def write(self, value: SenderEntry) -> object:
        return value.text


@attrs.frozen
class RelayRecipient(Sender):
    """One entry of a list of recipients elsewhere; it is written as one of senders is."""

    @property
    def word(self) -> str:
        return "recipient"
