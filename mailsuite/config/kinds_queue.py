"""Kinds of values about mail that leaves: when its sender is warned, and from where it goes."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Final

import attrs

from mailsuite.config.kinds import BadValue, Kind
from mailsuite.config.measures import NEVER, Duration, duration_text
from mailsuite.config.names import HostAddress
from mailsuite.model.account import IPAddress

MAX_WARNINGS: Final = 10


@attrs.frozen
class Delays(Kind[tuple[float, ...]]):
    """Ages in seconds, rising: one, a list of them, or a word that stands for none."""

    @property
    def _duration(self) -> Duration:
        return Duration(minimum=1.0)

    @property
    def word(self) -> str:
        return self._duration.word

    @property
    def range(self) -> str:
        return f'{self._duration.range}, one or a list of up to {MAX_WARNINGS}, or "{NEVER}"'

    @property
    def expects(self) -> str:
        return f'a duration from {self._duration.range} or a list of them, for example "4h", or "{NEVER}"'

    def parse(self, raw: object, base: Path) -> tuple[float, ...]:
        if raw == NEVER:
            return ()
        if isinstance(raw, dict) or raw == []:
            raise self.refuse(raw)
        given = raw if isinstance(raw, list) else [raw]
        if len(given) > MAX_WARNINGS:
            raise BadValue(f"the list is too long: expected {self.expects}")
        try:
            return tuple(sorted({self._duration.parse(each, base) for each in given}))
        except BadValue as error:
            raise BadValue(f'{error}, or "{NEVER}"') from error

    def write(self, value: tuple[float, ...]) -> object:
        texts = [duration_text(each) for each in value]
        return texts if len(texts) > 1 else texts[0] if texts else NEVER


@attrs.frozen
class SourceAddresses(Kind[tuple[IPAddress, ...]]):
    """Addresses of this machine that connections come from: one, or one of each version of IP, IPv4 first."""

    @property
    def word(self) -> str:
        return "IP address"

    @property
    def range(self) -> str:
        return "one, or a list of one IPv4 and one IPv6 address"

    @property
    def expects(self) -> str:
        return 'an IP address of this machine, or one of each kind: ["192.0.2.10", "2001:db8::10"]'

    def parse(self, raw: object, base: Path) -> tuple[IPAddress, ...]:
        if raw == "":
            return ()
        given = raw if isinstance(raw, list) else [raw]
        addresses = tuple(self._address(each, base) for each in given)
        if len({address.version for address in addresses}) < len(addresses):
            raise BadValue(f"two addresses of one version of IP: expected {self.expects}")
        return tuple(sorted(addresses, key=attrgetter("version")))

    def _address(self, raw: object, base: Path) -> IPAddress:
        address = HostAddress().parse(raw, base)
        if address.is_multicast or address.is_unspecified:
            raise self.refuse(raw, "is no address of one machine")
        return address

    def write(self, value: tuple[IPAddress, ...]) -> object:
        texts = [str(each) for each in value]
        return texts if len(texts) > 1 else texts[0] if texts else ""
