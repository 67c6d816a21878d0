"""Records from the wire as values of the model."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from mailsuite.model.dns import Association
from mailsuite.resolver.question import Type, text_of

_NULL_MX: Final = (0, "")


def values_of(kind: Type, records: tuple[Any, ...]) -> tuple[Any, ...]:
    """What IResolver answers for *records*; those that no mail server could use are left out."""
    values = [value for value in map(_VALUES[kind], records) if value is not None]
    if kind is Type.MX:
        values = _exchanges(values)
    return tuple(dict.fromkeys(values))


def _exchanges(values: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """In order of preference. A null MX means nothing beside others (RFC 7505 section 3)."""
    hosts = sorted((value for value in values if value[1]), key=lambda value: value[0])
    return hosts if hosts or not values else [_NULL_MX]


def _pointer(record: Any) -> str | None:
    return text_of(record.target) or None


def _exchange(record: Any) -> tuple[int, str] | None:
    host = text_of(record.exchange)
    return None if host is None else (record.preference, host)


_VALUES: Final[Mapping[Type, Callable[[Any], Any]]] = MappingProxyType(
    {
        Type.A: lambda record: ipaddress.IPv4Address(record.address),
        Type.AAAA: lambda record: ipaddress.IPv6Address(record.address),
        Type.PTR: _pointer,
        Type.MX: _exchange,
        Type.TXT: lambda record: b"".join(record.strings),
        Type.TLSA: lambda record: Association(record.usage, record.selector, record.mtype, record.cert),
    }
)
