"""What SMTP says about a message beside the message itself."""

from __future__ import annotations

import enum

import attrs

from mailsuite.model.address import Address


class BodyType(enum.Enum):
    """The BODY parameter of MAIL (RFC 6152, RFC 3030)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"
    BINARY = "BINARYMIME"


class Returned(enum.Enum):
    """The RET parameter of MAIL: what of a message comes back with the notice that it failed (RFC 3461
    section 4.3)."""

    FULL = "FULL"
    HEADER = "HDRS"


class NotifyOn(enum.Enum):
    """One word of the NOTIFY parameter of RCPT (RFC 3461 section 4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


@attrs.frozen
class MailParameters:
    """What MAIL says beside the reverse-path."""

    body: BodyType = BodyType.SEVEN_BIT
    size: int | None = None
    """Octets promised by SIZE (RFC 1870), None where the client said nothing."""
    smtputf8: bool = False
    """Addresses and header may be UTF-8 beyond ASCII (RFC 6531)."""
    require_tls: bool = False
    """Every hop must be TLS, with a certificate that is right (RFC 8689)."""
    returned: Returned | None = None
    envelope_id: str = ""
    """ENVID, as the sender meant it: the xtext is undone; visible ASCII (RFC 3461 section 4.4)."""
    hold_for: int = 0
    """HOLDFOR: so many seconds it is to wait here before it goes (RFC 4865); 0: the client said nothing."""
    hold_until: str = ""
    """HOLDUNTIL, as the client wrote it: the date-time of RFC 3339 up to which it is to wait; empty where the
    client said nothing. Never both. Notices repeat what was said; OutboundEnvelope.release is the time."""

    @property
    def held(self) -> bool:
        """Nobody is to get it yet."""
        return bool(self.hold_for or self.hold_until)


@attrs.frozen
class RecipientParameters:
    """What RCPT says beside the forward-path."""

    notify: frozenset[NotifyOn] | None = None
    """None: as the sender's server would do it, failures and delays."""
    original: str = ""
    """ORCPT: ``rfc822;joe@example.net`` with the xtext undone, or ``utf-8;`` and the address as it is (RFC
    3461 section 4.2, RFC 6533 section 3); empty where the client said nothing."""


NOTHING_SAID = MailParameters()
NOTHING_SAID_OF_RECIPIENT = RecipientParameters()


@attrs.frozen
class OutboundRecipient:
    """Somebody elsewhere whom a message goes to."""

    address: Address
    parameters: RecipientParameters = NOTHING_SAID_OF_RECIPIENT


@attrs.frozen
class OutboundEnvelope:
    """A message for other servers."""

    id: str
    """Ours, as in the reply, in the log and in the Received field."""
    sender: Address | None
    """None for the null reverse-path."""
    recipients: tuple[OutboundRecipient, ...]
    parameters: MailParameters = NOTHING_SAID
    account: Address | None = None
    """Who submitted it, None where nobody logged in."""
    arrived: float = 0.0
    """Seconds since the epoch."""
    release: float = 0.0
    """Not to be sent before, in seconds since the epoch; 0: at once (RFC 4865)."""
    vouched: bool = False
    """Whoever handed it in is known: logged in, or a listed host. Its sender may be told of its fate."""
