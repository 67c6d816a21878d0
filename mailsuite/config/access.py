"""Who may connect, by address: settings of every service. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import BadValue, Kind, ListOf, OneOf, printable, shown
from mailsuite.config.names import FilePath
from mailsuite.model.access import Entry, parse_entry

AccessPolicy = Literal["allow-all-except", "deny-all-except"]


@attrs.frozen
class AccessEntry(Kind[Entry]):
    """One line of an access list."""

    @property
    def word(self) -> str:
        return "access entry"

    @property
    def expects(self) -> str:
        return (
            'an address, a network or a range, for example "192.0.2.7", "198.51.100.0/24" or '
            '"192.0.2.1-192.0.2.9", perhaps behind "allow " or "deny "'
        )

    def parse(self, raw: object, base: Path) -> Entry:
        text = printable(raw, self)
        try:
            return parse_entry(text)
        except ValueError as error:
            raise BadValue(f"{shown(raw)}: {error}; expected {self.expects}") from error

    def write(self, value: Entry) -> object:
        return value.text


@attrs.frozen(kw_only=True)
class Access:
    """``[pop3.access]`` and those of the other services, or what of it holds for one listener."""

    policy: AccessPolicy = setting(
        OneOf(get_args(AccessPolicy)),
        "allow-all-except",
        meaning="Whether those listed are kept out, or alone let in.",
        applied="live",
    )
    list: tuple[Entry, ...] = setting(
        ListOf(AccessEntry(), example='["198.51.100.0/24"]'),
        [],
        example=["198.51.100.0/24"],
        shown=False,
        meaning='Addresses, networks, ranges; the first that fits decides, also one with "allow" or "deny".',
        applied="live",
    )
    files: tuple[Path, ...] = setting(
        ListOf(FilePath(example="/etc/mailsuite/refused.list"), example='["/etc/mailsuite/refused.list"]'),
        [],
        example=["/etc/mailsuite/refused.list"],
        shown=False,
        meaning="Files with one such entry on a line, after the list; read again when they change.",
        applied="live",
    )
