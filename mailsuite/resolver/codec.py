"""One question on the wire, and what a response says of it (RFC 1035 section 4, RFC 6891)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdatatype

from mailsuite.resolver.message import Message, Record, digest, read_message
from mailsuite.resolver.question import Question, text_of

UDP_PAYLOAD: Final = 1232
"""Octets of a response that fit through every path without fragments (the figure of DNS flag day 2020)."""
_HEADER_OCTETS: Final = 12
_MAX_CHAIN: Final = 16
"""Aliases that one response may lead through."""


class Stray(Exception):
    """This is no response to our question: another id, another name, no response at all."""


class Miscased(Exception):
    """The response spells the name in other letter case than the question did: an old server, or somebody
    who guesses. Over TCP nobody can guess."""


class Truncated(Exception):
    """The response to our question did not fit; over TCP it does (RFC 7766 section 5)."""


class Unusable(Exception):
    """The response is to our question, and this server cannot answer it; the message says why."""


class NoExtensions(Unusable):
    """The server does not know EDNS (RFC 6891 section 7)."""


@attrs.frozen
class Asked:
    """A question as it is sent once: a random id, and random letter case, which whoever forges a response
    without seeing the question has to guess, too."""

    question: Question
    id: int
    name: dns.name.Name
    edns: bool = True
    cased: bool = True
    """Whether the response has to spell the name as the question did."""

    def encode(self) -> bytes:
        """Octets for the wire, recursion desired. AD says that we want to know (RFC 6840 section 5.7)."""
        query = dns.message.make_query(
            self.name,
            dns.rdatatype.RdataType(self.question.type),
            use_edns=0 if self.edns else None,
            payload=UDP_PAYLOAD if self.edns else None,
            flags=dns.flags.RD | dns.flags.AD,
            id=self.id,
        )
        return query.to_wire()


def asked(question: Question, bits: Callable[[int], int], *, edns: bool = True) -> Asked:
    """*question* made ready to be sent; *bits* gives as many random bits as it is told."""
    letters = bits(len(question.name))
    name = "".join(each.upper() if letters >> index & 1 else each for index, each in enumerate(question.name))
    labels = [label.encode("ascii") for label in name.split(".")]
    return Asked(question, bits(16), dns.name.Name([*labels, b""]), edns)


@attrs.frozen
class Reading:
    """What a response says of a question."""

    records: tuple[dns.rdata.Rdata, ...]
    exists: bool
    authentic: bool
    """As the server says; whether it is believed is not said here."""
    ttl: int
    """Seconds that this holds; 0: it may not be kept (RFC 2308 section 5: nothing, and no SOA)."""
    octets: int
    alias: str = ""
    """The name that was asked for is another name of this one, of which the response says nothing."""


def read(data: bytes, sent: Asked) -> Reading:
    """What a response says. Raises Stray, Miscased, Truncated, Unusable."""
    flags = _flags(data, sent)
    cut = bool(flags & dns.flags.TC)
    message = _parsed(data, sent, question_only=cut)
    code = message.rcode
    if sent.edns and code in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS):
        raise NoExtensions(_words(code))
    _check_question(message, sent)
    if cut:
        raise Truncated
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise Unusable(_words(code))
    return _reading(message, flags, len(data))


def _words(code: int) -> str:
    return dns.rcode.to_text(dns.rcode.Rcode.make(code))


def _flags(data: bytes, sent: Asked) -> int:
    """The flags of what may be a response to our question."""
    flags = int.from_bytes(data[2:4])
    is_ours = int.from_bytes(data[:2]) == sent.id and flags & dns.flags.QR
    if len(data) < _HEADER_OCTETS or not is_ours or dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        raise Stray
    return flags


def _parsed(data: bytes, sent: Asked, *, question_only: bool) -> Message:
    wanted = (sent.question.type, dns.rdatatype.CNAME)
    try:
        return read_message(data, wanted, question_only=question_only)
    except (dns.exception.DNSException, ValueError) as error:
        raise Unusable(f"malformed response ({type(error).__name__})") from None


def _check_question(message: Message, sent: Asked) -> None:
    if message.type != sent.question.type or message.name != sent.name:
        raise Stray
    if sent.cased and message.name.labels != sent.name.labels:
        raise Miscased


def _reading(message: Message, flags: int, octets: int) -> Reading:
    found, aliases, name = _followed(message)
    exists = message.rcode == dns.rcode.NOERROR
    authentic = bool(flags & dns.flags.AD)
    ttls = [each.ttl for each in (*aliases, *found)]
    if found:
        if not exists:
            raise Unusable("contradictory response (an answer, and no such name)")
        return Reading(tuple(each.data for each in found), exists, authentic, min(ttls), octets)
    start = message.start
    if start is not None:
        ttls += [start.ttl, start.data.minimum] if name.is_subdomain(start.name) else [0]
        return Reading((), exists, authentic, min(ttls), octets)
    if exists and aliases:
        return Reading((), exists, authentic, min(ttls), octets, _alias(name))
    if exists and not flags & (dns.flags.AA | dns.flags.RA):
        raise Unusable("the server does not look for us")  # a referral is no answer
    return Reading((), exists, authentic, 0, octets)


def _followed(message: Message) -> tuple[list[Record], list[Record], dns.name.Name]:
    """The records at the end of the chain of aliases, the aliases on the way, and the name there."""
    aliases: list[Record] = []
    name = message.name
    while len(aliases) < _MAX_CHAIN:
        here = [each for each in message.answers if each.owner == digest(name)]
        found = [each for each in here if each.type == message.type]
        alias = next((each for each in here if each.type == dns.rdatatype.CNAME), None)
        if found or alias is None:
            return found, aliases, name
        aliases.append(alias)
        name = alias.data.target
    raise Unusable("contradictory response (the aliases lead on and on)")


def _alias(name: dns.name.Name) -> str:
    text = text_of(name)
    if not text:
        raise Unusable("another name of what is no name")
    return text
