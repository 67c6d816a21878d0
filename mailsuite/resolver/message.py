"""A response as it stands on the wire, read no further than anybody asks (RFC 1035 section 4.1).

The library reads a whole message into sets, for which it writes each name anew with every suffix of it: fifty
records, of names that have as many labels as fit, would keep it busy for half a second. Whoever owns an
address answers what its names are, so only those records are read here that the question is about, and not
too many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import attrs
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire

MAX_RECORDS: Final = 100
"""Of one answer; our own limit. What mail goes by has a handful (RFC 5321 section 5.1 advises a limit)."""
_POINTER: Final = 0xC0
"""From here on the length of a label is the first octet of a pointer (RFC 1035 section 4.1.4)."""
_LONGEST_LABEL: Final = 63


@attrs.frozen
class Record:
    """One that was asked for."""

    name: dns.name.Name
    """Whose it is."""
    owner: bytes
    """The same, as digest() has it."""
    type: int
    ttl: int
    """Seconds."""
    data: Any
    """The library's value of this type."""


@attrs.frozen
class Message:
    """What was read."""

    rcode: int
    name: dns.name.Name = dns.name.root
    """Of the question, as it is spelt; with a ``type`` of 0 there is no question, or not just one."""
    type: int = 0
    answers: tuple[Record, ...] = ()
    """The first ones of the types that were wanted."""
    start: Record | None = None
    """The SOA record of the authority section."""


def digest(name: dns.name.Name) -> bytes:
    """Equal where names are; compared far faster."""
    return name.to_digestable()


def read_message(data: bytes, wanted: Collection[int], *, question_only: bool = False) -> Message:
    """The message, with the answers of the *wanted* types; no more than its code where it has not exactly one
    question, of class IN. Raises DNSException and ValueError where it is malformed."""
    parser = dns.wire.Parser(data)
    _, flags, questions, answers, authorities, others = parser.get_struct("!HHHHHH")
    message = Message(flags & 0xF)
    if questions != 1:
        return message
    name = parser.get_name(decompress=True)
    kind, group = parser.get_struct("!HH")
    if group != dns.rdataclass.IN:
        return message
    message = attrs.evolve(message, name=name, type=kind)
    if question_only:
        return message
    found = tuple(_records(parser, answers, wanted))
    start = next(iter(tuple(_records(parser, authorities, (dns.rdatatype.SOA,)))), None)
    upper = sum(_upper_rcodes(parser, others))
    if parser.remaining():
        raise dns.exception.FormError
    return attrs.evolve(message, rcode=message.rcode | upper, answers=found, start=start)


def _records(parser: dns.wire.Parser, count: int, wanted: Collection[int]) -> Iterator[Record]:
    """Go over a section, and read the first ones of it that are *wanted*."""
    left = MAX_RECORDS
    for _ in range(count):
        beginning = parser.current
        _pass_name(parser)
        kind, group, ttl, octets = parser.get_struct("!HHIH")
        end = parser.current + octets
        if left and kind in wanted and group == dns.rdataclass.IN:
            left -= 1
            yield _record(parser, beginning, kind, ttl, octets)
        parser.get_bytes(end - parser.current)


def _record(parser: dns.wire.Parser, beginning: int, kind: int, ttl: int, octets: int) -> Record:
    behind = parser.current
    parser.seek(beginning)
    name = parser.get_name(decompress=True)
    parser.seek(behind)
    with parser.restrict_to(octets):
        value = dns.rdata.from_wire_parser(dns.rdataclass.IN, dns.rdatatype.RdataType(kind), parser)
    # RFC 2181 section 8: one with the highest bit means nothing.
    return Record(name, digest(name), kind, 0 if ttl > 0x7FFFFFFF else ttl, value)


def _upper_rcodes(parser: dns.wire.Parser, count: int) -> Iterator[int]:
    """The upper bits of the response code, out of EDNS (RFC 6891 section 6.1.3)."""
    seen = False
    for _ in range(count):
        _pass_name(parser)
        kind, _, ttl, octets = parser.get_struct("!HHIH")
        parser.get_bytes(octets)
        if kind == dns.rdatatype.OPT:
            if seen:
                raise dns.exception.FormError
            seen = True
            yield ttl >> 24 << 4


def _pass_name(parser: dns.wire.Parser) -> None:
    while octets := parser.get_uint8():
        if octets >= _POINTER:
            parser.get_uint8()
            return
        if octets > _LONGEST_LABEL:
            raise dns.exception.FormError
        parser.get_bytes(octets)
