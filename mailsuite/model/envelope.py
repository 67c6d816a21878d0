"""What SMTP says about a message beside the message itself."""

from __future__ import annotations

import enum

import attrs

from mailsuite.model.address import Address


class BodyType(enum.Enum):
    """The BODY parameter of MAIL (RFC 6152)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"


@attrs.frozen
class Envelope:
    """Who sends, to whom. ``sender`` is None for the null reverse-path ``<>``."""

    sender: Address | None
    recipients: tuple[Address, ...] = ()
    body: BodyType = BodyType.SEVEN_BIT
    declared_size: int | None = None
    """Octets promised by ``SIZE=`` (RFC 1870), None where the client said nothing."""
