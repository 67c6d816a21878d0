"""A message as a client session is given it: the envelope, and what the content needs."""

from __future__ import annotations

import enum

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import NOTHING_SAID, BodyType, MailParameters, OutboundRecipient
from mailsuite.model.reply import Reply


@attrs.frozen
class Letter:
    """What send() takes. Recipients are known by their place, from 0, in all events.

    ``body`` and ``utf8_header`` say what the content *is*, whatever its sender said of it; after a downgrade
    send the letter again with other ones.
    """

    sender: Address | None
    """None for the null reverse-path."""
    recipients: tuple[OutboundRecipient, ...] = attrs.field(validator=attrs.validators.min_len(1))
    parameters: MailParameters = NOTHING_SAID
    """What the sender wanted; its body, size, smtputf8 and release count for nothing here."""
    size: int = 0
    """Octets of the content, CRLF line ends, no dot-stuffing; 0: nobody knows."""
    body: BodyType = BodyType.SEVEN_BIT
    """BINARY: octets that mean no lines, which go as they are."""
    utf8_header: bool = False
    """There is UTF-8 beyond ASCII in a header field, of the message or of a part of it (RFC 6532)."""

    @property
    def utf8_envelope(self) -> bool:
        """The sender's address is beyond ASCII."""
        return self.sender is not None and not self.sender.is_ascii


class Lack(enum.Enum):
    """Why a letter cannot go by a session."""

    ROOM = "room"
    """This connection takes no more messages, or none for these domains (RFC 9422); another one may."""
    SIZE = "size"
    """The server takes no messages of that size (RFC 1870)."""
    REQUIRE_TLS = "requiretls"
    """No TLS, or no REQUIRETLS (RFC 8689)."""
    UTF8 = "smtputf8"
    """No SMTPUTF8 (RFC 6531): nothing but another address, or another header, helps."""
    BINARY = "binarymime"
    """No BINARYMIME (RFC 3030): the content must be encoded anew."""
    EIGHT_BIT = "8bitmime"
    """No 8BITMIME (RFC 6152): the content must be encoded anew."""


@attrs.frozen
class CannotSend:
    """The letter cannot go by this session, and nothing was sent of it."""

    lack: Lack
    reply: Reply
    """Ours: what to record where nothing can be done about it."""
    recipients: tuple[int, ...]
    """Whom it concerns: all, or those for whom it could not be told; without them the letter can go."""
