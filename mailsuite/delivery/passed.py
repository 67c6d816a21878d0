"""Where a message has been, as its header tells: how many servers it has passed, in whose maildrops it was
(RFC 5321 section 6.3, RFC 9228)."""

from __future__ import annotations

import unicodedata

import attrs

from mailsuite.delivery.header_fields import Header, read_header
from mailsuite.model.address import Address

MAX_FIELDS = 4000
"""Looked at in a message of our own queue: all that a reception takes, and what it adds, with room."""

_CRLF = b"\r\n"
_HEADER_END = b"\r\n\r\n"


@attrs.frozen
class Passed:
    """By one header."""

    hops: int = 0
    """Received fields."""
    _delivered_to: frozenset[str] = frozenset()

    @classmethod
    def of(cls, header: Header) -> Passed:
        values = (value.decode("utf-8", "replace") for value in header.values(b"delivered-to"))
        return cls(header.count(b"received"), frozenset(map(_comparable, values)))

    @classmethod
    def of_message(cls, octets: bytes) -> Passed:
        """The message of which *octets* are the beginning. What of its header is not there does not count."""
        if octets.startswith(_CRLF):
            return cls()
        return cls.of(read_header(octets.partition(_HEADER_END)[0].removesuffix(_CRLF), MAX_FIELDS))

    def has_been_at(self, address: Address) -> bool:
        """Whether a Delivered-To field names that address: the message goes in a circle."""
        return _comparable(str(address)) in self._delivered_to


def _comparable(mailbox: str) -> str:
    """An address as a key: accounts are found without regard to letter case."""
    return unicodedata.normalize("NFC", mailbox.strip().lower())
