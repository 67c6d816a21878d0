"""The stamp in a POP3 greeting that APOP digests are made of (RFC 1939 section 7; features row P-01)."""

from __future__ import annotations

import secrets

RANDOM_OCTETS = 16
"""128 bits: no stamp comes twice, whatever the clock does, however many processes there are."""


def new_stamp(host: str, now: float) -> str:
    """A message-id that nobody has seen before. *host* is a domain name, *now* is in seconds since the epoch.

    The time is for people who read a transcript; nothing rests on it.
    """
    return f"<{secrets.token_hex(RANDOM_OCTETS)}.{int(now)}@{host}>"
