"""The trace fields that final delivery puts in front of a message (RFC 5321 section 4.4).

Pure: values in, octets out, CRLF at the end of each field. Nothing that a stranger said can end a line,
open a comment or make a line longer than RFC 5322 section 2.1.1 allows. Who logged in is not shown.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from ipaddress import IPv6Address

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.address import MAX_DOMAIN_OCTETS, Address
from mailsuite.model.facts import ConnectionFacts

MAX_TLS_CHARACTERS = 80
"""Our own limit: version and the longest name in the registry of cipher suites, with room."""

_NOT_IN_HELO = re.compile(r"[^A-Za-z0-9._:\[\]\-]")
_NOT_IN_TLS = re.compile(r"[^A-Za-z0-9._\- ]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@attrs.frozen
class Stamp:
    """What a Received field says of one transaction."""

    hostname: str
    connection: ConnectionFacts
    id: str
    """Ours, an RFC 5322 atom; the same as in the reply and in the log."""
    seconds: float
    """Since the epoch."""
    recipient: Address | None = None
    """Only where the message has a single recipient: others are nobody's business
    (RFC 5321 section 7.2)."""


def return_path(sender: Address | None) -> bytes:
    """The reverse-path as it came with MAIL; ``<>`` for a notification (RFC 5321 section 4.5.5)."""
    return f"Return-Path: <{_mailbox(sender) if sender else ''}>\r\n".encode()


def delivered_to(account: Address) -> bytes:
    """Whose maildrop this copy went into (RFC 9228)."""
    return f"Delivered-To: {_mailbox(account)}\r\n".encode()


def received(stamp: Stamp) -> bytes:
    """Who handed us the message, how and when; folded, one fact a line."""
    connection = stamp.connection
    peer = _literal(connection.peer)
    helo = _NOT_IN_HELO.sub("?", connection.helo[:MAX_DOMAIN_OCTETS]) or peer
    tls = _NOT_IN_TLS.sub("?", connection.tls[:MAX_TLS_CHARACTERS])
    lines = [
        f"Received: from {helo} ({peer})",
        f"by {stamp.hostname} (mailsuite) with {_protocol(connection)} id {stamp.id}",
    ]
    if tls:
        lines.append(f"({tls})")
    if stamp.recipient is not None and stamp.recipient.domain:
        lines.append(f"for <{_mailbox(stamp.recipient)}>")
    date = format_datetime(datetime.fromtimestamp(stamp.seconds, UTC))
    return ("\r\n\t".join(lines) + f";\r\n\t{date}\r\n").encode()


def _protocol(connection: ConnectionFacts) -> str:
    """The keyword of RFC 3848; its letters are for clients that said EHLO."""
    if not connection.esmtp:
        return "SMTP"
    return "ESMTP" + ("S" if connection.tls else "") + ("A" if connection.account else "")


def _literal(peer: IPAddress) -> str:
    """An address literal (RFC 5321 section 4.1.3)."""
    return f"[IPv6:{peer.compressed}]" if isinstance(peer, IPv6Address) else f"[{peer}]"


def _mailbox(address: Address) -> str:
    """The address in wire form. Letters outside ASCII stay (RFC 6532); what is no text becomes ``?``."""
    return _CONTROLS.sub("?", str(address)).encode("utf-8", "replace").decode()
