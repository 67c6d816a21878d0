"""Keys of the curve P-256 as Web Push writes them: points in base64url (RFC 8291 section 3.1, RFC 8292
section 3.2), private keys as PEM.

Pure: whoever makes a key brings the randomness.
"""

from __future__ import annotations

import base64
import re
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

POINT: Final = 65
"""Octets of a public key: 4, and two numbers (X9.62, uncompressed)."""
RANDOMNESS: Final = 40
"""Octets that a private key is made from: 64 bits more than it has, so that no key is likelier than another
(FIPS 186-5 appendix A.2.1)."""

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CURVE: Final = ec.SECP256R1()
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")


class BadKey(ValueError):
    """It is no key of this kind. The words name the field and what is wrong with it, and never the key."""

    def __init__(self, field: str, wrong: str) -> None:
        super().__init__(f"{field} {wrong}")
        self.field = field


def base64url(octets: bytes) -> str:
    """Without padding (RFC 4648 section 5, RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def octets_of(field: str, text: str, length: int) -> bytes:
    """What base64url says, with padding or without; exactly *length* octets of it, or BadKey."""
    bare = text.rstrip("=")
    if not _BASE64URL.fullmatch(bare) or len(text) - len(bare) not in (0, -len(bare) % 4):
        raise BadKey(field, "is no base64url")
    if len(bare) != (length * 8 + 5) // 6:
        raise BadKey(field, f"has not {length} octets")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def public_key(field: str, point: bytes) -> ec.EllipticCurvePublicKey:
    """The key that the 65 octets of an uncompressed point stand for; BadKey where no point of the curve is
    there, as an attacker would have it who wants to learn of our private key."""
    if len(point) != POINT or point[0] != 4:
        raise BadKey(field, "is no uncompressed point of P-256")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
    except ValueError:
        raise BadKey(field, "is not on the curve") from None


def point_of(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    """The public part, as 65 octets."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def private_key(randomness: bytes) -> ec.EllipticCurvePrivateKey:
    """A new key from RANDOMNESS octets that nobody can guess; always the same for the same."""
    if len(randomness) != RANDOMNESS:
        raise BadKey("randomness", f"has not {RANDOMNESS} octets")
    return ec.derive_private_key(int.from_bytes(randomness, "big") % (_ORDER - 1) + 1, _CURVE)


def to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private key for a file: PKCS #8 (RFC 5958), not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def from_pem(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Reads PKCS #8, and the form that OpenSSL's ``ecparam -genkey`` writes. BadKey where it is encrypted,
    broken or of another curve."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("private key", "is no PEM that can be read without a password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != _CURVE.name:
        raise BadKey("private key", "is not of the curve P-256")
    return key
