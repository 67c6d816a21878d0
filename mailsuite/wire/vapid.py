"""VAPID: who we are, for the push services of others (RFC 8292).

A token in the form of RFC 7515 says for which push service it is, until when, and how to reach us; the
signature says that whoever shows it has the key that the browser was given when it subscribed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from mailsuite.wire.p256 import base64url, point_of

MAX_LIFETIME: Final = 24 * 3600
"""Seconds (RFC 8292 section 2)."""
LIFETIME: Final = 20 * 3600
"""Seconds: less than may be, for a push service whose clock is behind ours."""
REUSED: Final = 12 * 3600
"""Seconds that one token is used: making it costs more than all the rest, and it stays good long after."""

_PORTS: Final = {"https": 443, "http": 80}
_HOST: Final = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_SUBJECT: Final = re.compile(r"mailto:[!-~]+@[!-~]+|https://[!-~]+")
_HEADER: Final = {"typ": "JWT", "alg": "ES256"}


def origin(endpoint: str) -> str:
    """Scheme, host and port of a URL, as the token names the push service (RFC 6454 section 6.2).

    ValueError where it is no http or https URL with a host in ASCII.
    """
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    written = f"[{host}]" if ":" in host else host
    if parts.scheme not in _PORTS or not _HOST.fullmatch(written):
        raise ValueError("the endpoint is no http or https URL")
    port = parts.port
    if port is None or port == _PORTS[parts.scheme]:
        return f"{parts.scheme}://{written}"
    return f"{parts.scheme}://{written}:{port}"


def authorization(
    key: ec.EllipticCurvePrivateKey, endpoint: str, *, subject: str, now: int, lifetime: int = LIFETIME
) -> str:
    """The value of the field Authorization; good at all endpoints of the same origin.

    *subject*: where the operator of the push service finds us, a mailto: or an https: URL (RFC 8292 section
    2.1). *now*: seconds since 1970; *lifetime*: seconds. Raises ValueError where one of them is not as it
    should be.
    """
    if not _SUBJECT.fullmatch(subject):
        raise ValueError("the contact of VAPID is a mailto: or an https: URL")
    if not 0 < lifetime <= MAX_LIFETIME:
        raise ValueError(f"a token of VAPID lives from 1 to {MAX_LIFETIME} seconds")
    token = _token(key, {"aud": origin(endpoint), "exp": now + lifetime, "sub": subject})
    return f"vapid t={token}, k={public_text(key)}"


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """The public key, as the page that subscribes gives it to the browser (``applicationServerKey``)."""
    return base64url(point_of(key))


def _token(key: ec.EllipticCurvePrivateKey, claims: Mapping[str, str | int]) -> str:
    """Header, claims and signature, which is two numbers of 32 octets (RFC 7518 section 3.4)."""
    signed = f"{_part(_HEADER)}.{_part(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode("ascii"), ec.ECDSA(SHA256())))
    return f"{signed}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _part(value: Mapping[str, str | int]) -> str:
    return base64url(json.dumps(value, separators=(",", ":")).encode("ascii"))
