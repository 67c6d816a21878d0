"""What a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1), as values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import attrs

_SIZE = re.compile(r"[0-9]{1,20}")
_LIMIT = re.compile(r"(?P<name>[A-Z]+)=(?P<value>[1-9][0-9]{0,5})")
"""RFC 9422 section 3: what is written otherwise is to be ignored."""
_KEYWORD = re.compile(r"[A-Z0-9][A-Z0-9-]*")


@attrs.frozen
class Extensions:
    """What a server offers. Nothing of it was said by anybody whom we know, unless TLS says who it is."""

    size: int | None = None
    """SIZE: octets that a message may have, 0: as many as you like; None: not offered (RFC 1870)."""
    pipelining: bool = False
    eight_bit: bool = False
    """8BITMIME (RFC 6152)."""
    smtputf8: bool = False
    chunking: bool = False
    binary: bool = False
    """BINARYMIME (RFC 3030)."""
    dsn: bool = False
    """What the sender wants to hear is passed on; else the notice that it was relayed is ours to write (RFC
    3461 section 5.2.2)."""
    starttls: bool = False
    mechanisms: tuple[str, ...] = ()
    """AUTH: mechanisms in upper case, in the server's order (RFC 4954)."""
    require_tls: bool = False
    enhanced_codes: bool = False
    max_recipients: int | None = None
    """LIMITS RCPTMAX: recipients of one transaction (RFC 9422)."""
    max_mails: int | None = None
    """LIMITS MAILMAX: transactions of one connection."""
    max_domains: int | None = None
    """LIMITS RCPTDOMAINMAX: domains that recipients of one connection may have."""


NOTHING_OFFERED = Extensions()
"""What there is after HELO."""


def parse_extensions(lines: Sequence[bytes]) -> Extensions:
    """Read the lines of a positive answer to EHLO or LHLO, codes taken off. The first is a greeting. What
    is malformed counts as not offered; of a keyword that is there twice the last line counts, but for AUTH.
    """
    offered: dict[str, str] = {}
    mechanisms: dict[str, None] = {}
    for line in lines[1:]:
        # Servers for Outlook Express 4 write AUTH=LOGIN, beside or instead of AUTH LOGIN.
        text = line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ", 1)
        keyword, _, value = text.partition(" ")
        if _KEYWORD.fullmatch(keyword):
            offered[keyword] = value.strip()
        if keyword == "AUTH":
            mechanisms.update(dict.fromkeys(value.split()))
    limits = _limits(offered.get("LIMITS", ""))
    return Extensions(
        size=_size(offered.get("SIZE")),
        pipelining="PIPELINING" in offered,
        eight_bit="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        chunking="CHUNKING" in offered,
        binary="BINARYMIME" in offered,
        dsn="DSN" in offered,
        starttls="STARTTLS" in offered,
        mechanisms=tuple(mechanisms),
        require_tls="REQUIRETLS" in offered,
        enhanced_codes="ENHANCEDSTATUSCODES" in offered,
        max_recipients=limits.get("RCPTMAX"),
        max_mails=limits.get("MAILMAX"),
        max_domains=limits.get("RCPTDOMAINMAX"),
    )


def _size(value: str | None) -> int | None:
    if value is None:
        return None
    return int(value) if _SIZE.fullmatch(value) else 0


def _limits(text: str) -> Mapping[str, int]:
    found = (_LIMIT.fullmatch(word) for word in text.split())
    return {each["name"]: int(each["value"]) for each in found if each}
