"""The Basic scheme of HTTP (RFC 7617): a name and a password in a field of the request."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from mailsuite.wire.sasl.steps import MAX_FIELD_OCTETS, PasswordClaim

MECHANISM: Final = "BASIC"
"""As in the log."""
CHALLENGE: Final = b'Basic realm="mail", charset="UTF-8"'
"""What a server asks for it with (RFC 7617 sections 2 and 2.1)."""


def claim_of(field: bytes) -> PasswordClaim | None:
    """What the field ``Authorization`` shows; None where it is of another scheme or malformed.

    UTF-8, or octets that are none kept as they are; up to MAX_FIELD_OCTETS each. An empty name or password
    is none.
    """
    scheme, _, token = field.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        shown = base64.b64decode(token.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, password = shown.partition(b":")
    if not colon or not name or not password or b"\0" in shown:
        return None
    if len(name) > MAX_FIELD_OCTETS or len(password) > MAX_FIELD_OCTETS:
        return None
    return PasswordClaim(MECHANISM, "", _text(name), _text(password))


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
