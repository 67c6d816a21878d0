"""Messages in a maildrop, as values."""

from __future__ import annotations

import attrs

from mailsuite.model.address import Address


@attrs.frozen
class MessageRef:
    """One message as a POP3 session sees it, frozen when the maildrop was opened."""

    uidl: str
    """1 to 70 characters of 0x21-0x7E, names this message for all time (RFC 1939 section 7)."""
    size: int
    """Octets that RETR sends before byte-stuffing, line ends counted as CRLF (RFC 1939 section 11)."""
    key: str
    """What the store finds the message by; opaque to everybody else."""
    dot_lines: bool = True
    """False only where the store knows that no line begins with a dot."""
    utf8_header: bool = False
    """True where the store knows that the header is UTF-8 beyond ASCII (RFC 6532)."""


@attrs.frozen
class Stored:
    """A message that is durable and visible in a maildrop."""

    account: Address
    uidl: str
    size: int
    """Octets in wire form."""
