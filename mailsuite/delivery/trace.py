"""The trace fields that are put in front of a message (RFC 5321 section 4.4).

Pure: values in, octets out, CRLF at the end of each field. Nothing that a stranger said can end a line,
open a comment or make a line longer than RFC 5322 section 2.1.1 allows. Who logged in is shown where a stamp
says so.

In a copy they stand in the order Return-Path, X-Original-To, Delivered-To, Authentication-Results, Received.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from ipaddress import IPv6Address

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.address import MAX_DOMAIN_OCTETS, Address
from mailsuite.model.facts import ConnectionFacts

MAX_TLS_CHARACTERS = 80
"""Our own limit: version and the longest name in the registry of cipher suites, with room."""

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._:\[\]\-]")
_NOT_IN_TLS = re.compile(r"[^A-Za-z0-9._\- ]")
_NOT_IN_COMMENT = re.compile(r"[()\\\x00-\x1f\x7f]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

MAX_LINE = 78
"""Characters of a line where its parts allow it (RFC 5322 section 2.1.1)."""
HIDDEN = "hidden.invalid"
"""Whom a message came from where that is hidden. RFC 5321 section 4.4 wants a name, and this is nobody's (RFC
2606 section 2)."""


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
    smtputf8: bool = False
    """MAIL said SMTPUTF8 (RFC 6531 section 4.3)."""
    hide_client: bool = False
    """Name and address of the client stay out."""
    show_account: bool = False
    """Who logged in is told to everybody who gets the message."""


def return_path(sender: Address | None) -> bytes:
    """The reverse-path as it came with MAIL; ``<>`` for a notification (RFC 5321 section 4.5.5)."""
    return f"Return-Path: <{_mailbox(sender) if sender else ''}>\r\n".encode()


def delivered_to(account: Address) -> bytes:
    """Whose maildrop this copy went into (RFC 9228)."""
    return f"Delivered-To: {_mailbox(account)}\r\n".encode()


def original_to(named: Address, account: Address) -> bytes:
    """Whom the sender named, where that is not the account itself: an alias, or an address with a tag."""
    if named.canonical == account.canonical:
        return b""
    return f"X-Original-To: {_mailbox(named)}\r\n".encode()


def authentication_results(stamp: Stamp) -> bytes:
    """What we have found out about who sends (RFC 8601): that they have logged in (section 2.7.4), or that
    the name of their host is right (section 2.7.3). Nothing where that is nothing."""
    connection = stamp.connection
    results = []
    if connection.account is not None:
        shown = f" smtp.auth={_mailbox(connection.account)}" if stamp.show_account else ""
        results.append(f"auth=pass{shown}")
    if connection.host and not stamp.hide_client:
        peer = str(connection.peer)
        value = f'"{peer}"' if isinstance(connection.peer, IPv6Address) else peer
        results.append(f"iprev=pass policy.iprev={value} ({_host(connection)})")
    if not results:
        return b""
    return (";\r\n\t".join([f"Authentication-Results: {stamp.hostname}", *results]) + "\r\n").encode()


def received(stamp: Stamp) -> bytes:
    """Who handed us the message, how and when; folded, one fact a line."""
    connection = stamp.connection
    peer = _literal(connection.peer)
    helo = _NOT_IN_NAME.sub("?", connection.helo[:MAX_DOMAIN_OCTETS]) or peer
    host = f"{_host(connection)} {peer}" if connection.host else peer
    tls = _NOT_IN_TLS.sub("?", connection.tls[:MAX_TLS_CHARACTERS])
    source = [HIDDEN] if stamp.hide_client else [helo, f"({host})"]
    lines = [
        *_folded("Received: from", *source),
        *_folded(f"by {stamp.hostname} (mailsuite)", f"with {_protocol(stamp)}", f"id {stamp.id}"),
    ]
    if tls:
        lines.append(f"({tls})")
    if connection.account is not None and stamp.show_account:
        lines.append(f"(authenticated as {_NOT_IN_COMMENT.sub('?', _mailbox(connection.account))})")
    if stamp.recipient is not None and stamp.recipient.domain:
        lines.append(f"for <{_mailbox(stamp.recipient)}>")
    date = _date(int(stamp.seconds))
    return ("\r\n\t".join(lines) + f";\r\n\t{date}\r\n").encode()


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """Of all messages that come in a second."""
    return format_datetime(datetime.fromtimestamp(second, UTC))


def _folded(*parts: str) -> list[str]:
    """The parts on one line, or on as many as they need."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + 1 + len(part) < MAX_LINE:  # the tab in front counts
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines


def _protocol(stamp: Stamp) -> str:
    """The keyword of RFC 3848, with UTF8 in front that of RFC 6531 section 4.3; but for HELO, always with the
    letters for TLS and for a login."""
    connection = stamp.connection
    lmtp = connection.service == "lmtp"
    if not lmtp and not connection.esmtp:
        return "SMTP"
    utf8 = "UTF8" if stamp.smtputf8 else ""
    name = "LMTP" if lmtp else "SMTP" if utf8 else "ESMTP"
    return utf8 + name + ("S" if connection.tls else "") + ("A" if connection.account else "")


def _host(connection: ConnectionFacts) -> str:
    """The name of the peer by DNS, which strangers choose."""
    return _NOT_IN_NAME.sub("?", connection.host[:MAX_DOMAIN_OCTETS])


def _literal(peer: IPAddress) -> str:
    """An address literal (RFC 5321 section 4.1.3)."""
    return f"[IPv6:{peer.compressed}]" if isinstance(peer, IPv6Address) else f"[{peer}]"


def _mailbox(address: Address) -> str:
    """The address in wire form. Letters outside ASCII stay (RFC 6532); what is no text becomes ``?``."""
    return _CONTROLS.sub("?", str(address)).encode("utf-8", "replace").decode()
