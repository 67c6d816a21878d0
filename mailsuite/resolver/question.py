"""Questions to the domain name system, and which texts are names."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

import attrs
import dns.name
import dns.reversename

from mailsuite.model.account import IPAddress

MAX_NAME_OCTETS: Final = 253
"""RFC 1035 section 2.3.4: 255 on the wire, with the length of the first label and the root."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
"""Letters, digits, hyphens, and the underscore of service names (RFC 8552) and of careless hosts."""


class Type(IntEnum):
    """The types of records that mail needs."""

    A = 1
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    TLSA = 52


@attrs.frozen
class Question:
    """What is asked; ``name`` in lower case without the last dot."""

    name: str
    type: Type


def plain(name: str) -> str | None:
    """*name* in lower case without the last dot; None where it can be no name that mail has to do with."""
    name = name.removesuffix(".")
    if len(name) > MAX_NAME_OCTETS or not _NAME.fullmatch(name):
        return None
    return name.lower()


def text_of(name: dns.name.Name) -> str | None:
    """A name from the wire as text: ``""`` for the root, None where it has octets that no host name has."""
    if name == dns.name.root:
        return ""
    if any(b"." in label for label in name.labels):
        return None
    return plain(b".".join(name.labels[:-1]).decode("ascii", "replace"))


def reverse_name(address: IPAddress) -> str:
    """Where the names of an address stand (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    return str(dns.reversename.from_address(address.exploded)).removesuffix(".")
