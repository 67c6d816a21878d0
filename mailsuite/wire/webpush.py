"""Web Push: a message that the push service cannot read (RFC 8291, RFC 8188), and the fields of its request
(RFC 8030).

Pure: the key that is used once and the salt are arguments, and both must be new for every message.
"""

from __future__ import annotations

import enum
import hmac
import re
import struct
from typing import Final

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailsuite.wire.p256 import POINT, BadKey, octets_of, point_of, public_key

AUTH: Final = 16
"""Octets of the secret that the receiver shares with us alone (RFC 8291 section 3.2)."""
SALT: Final = 16
"""Octets (RFC 8188 section 2.1)."""
MAX_PLAINTEXT: Final = 3993
"""Octets: what is left of the 4096 that a push service has to take (RFC 8291 section 4)."""
BLOCK: Final = 256
"""A message is made as long as a multiple of so many octets, so that its length tells little of what stands
in it."""
MAX_TTL: Final = 2**31 - 1
"""Seconds: what every receiver of such a number understands (RFC 9111 section 1.2.2)."""
MAX_TOPIC: Final = 32
"""Characters (RFC 8030 section 5.4)."""

_RECORD_SIZE: Final = 4096
_HEADER: Final = struct.Struct(f"!{SALT}sIB{POINT}s")
"""Salt, record size, length of the key id, key id: the sender's point (RFC 8188 section 2.1)."""
_TAG: Final = 16
_MIN_RECORD_SIZE: Final = 18
_LAST_RECORD: Final = b"\x02"
"""Ends the text of the last record; zeros may follow (RFC 8188 section 2)."""
_TOPIC: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_TOPIC}}}")


class BadBody(ValueError):
    """It is no message that can be opened; the words say why."""


@attrs.frozen
class Receiver:
    """The keys of a push subscription, as the browser makes them."""

    p256dh: bytes
    """Its public key, POINT octets."""
    auth: bytes = attrs.field(repr=False)
    """Its secret, AUTH octets."""

    @classmethod
    def parse(cls, p256dh: str, auth: str) -> Receiver:
        """Both in base64url, with padding or without. Raises BadKey, which names the field."""
        point = octets_of("p256dh", p256dh, POINT)
        public_key("p256dh", point)
        return cls(point, octets_of("auth", auth, AUTH))


class Urgency(enum.StrEnum):
    """How far a device that saves power may put the message off (RFC 8030 section 5.3)."""

    VERY_LOW = "very-low"
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def encrypt(
    plaintext: bytes,
    receiver: Receiver,
    sender: ec.EllipticCurvePrivateKey,
    salt: bytes,
    block: int = BLOCK,
) -> bytes:
    """The body of the request: one record, padded to a multiple of *block* octets or to the limit.

    *sender* is a key of this message alone. Raises BadKey where a key or the salt is not as it should be,
    ValueError where *plaintext* has more than MAX_PLAINTEXT octets.
    """
    if len(plaintext) > MAX_PLAINTEXT:
        raise ValueError(f"the message has more than {MAX_PLAINTEXT} octets")
    if len(salt) != SALT:
        raise BadKey("salt", f"has not {SALT} octets")
    if len(receiver.auth) != AUTH:
        raise BadKey("auth", f"has not {AUTH} octets")
    own = point_of(sender)
    secret = sender.exchange(ec.ECDH(), public_key("p256dh", receiver.p256dh))
    key, nonce = _keys(secret, receiver.auth, salt, receiver.p256dh + own)
    padded = (plaintext + _LAST_RECORD).ljust(_padded(len(plaintext), block) + 1, b"\0")
    return _HEADER.pack(salt, _RECORD_SIZE, POINT, own) + AESGCM(key).encrypt(nonce, padded, None)


def decrypt(body: bytes, receiver: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """What encrypt() was given. Raises BadBody where it was not written for this receiver, or is broken, or
    has more than one record, which no message of Web Push has (RFC 8291 section 4)."""
    if len(body) < _HEADER.size:
        raise BadBody("it ends within its header")
    salt, record_size, id_length, point = _HEADER.unpack_from(body)
    if id_length != POINT:
        raise BadBody("it names no key of its sender")
    record = body[_HEADER.size :]
    if record_size < _MIN_RECORD_SIZE or len(record) > record_size:
        raise BadBody("it has more than one record")
    try:
        secret = receiver.exchange(ec.ECDH(), public_key("key of the sender", point))
        key, nonce = _keys(secret, auth, salt, point_of(receiver) + point)
        padded = AESGCM(key).decrypt(nonce, record, None)
    except BadKey as error:
        raise BadBody(str(error)) from None
    except InvalidTag:
        raise BadBody("it was not written for this receiver, or has been changed") from None
    text = padded.rstrip(b"\0")
    if not text.endswith(_LAST_RECORD):
        raise BadBody("its last record has no end")
    return text[:-1]


def request_fields(*, ttl: int, urgency: Urgency = Urgency.NORMAL, topic: str = "") -> dict[str, str]:
    """The fields of the request beside Authorization.

    *ttl*: the seconds that the push service keeps the message for a device that is not there (RFC 8030
    section 5.2). *topic*: a message that waits is replaced by a newer one of the same (section 5.4); empty:
    none. ValueError where one of them cannot be said.
    """
    if not 0 <= ttl <= MAX_TTL:
        raise ValueError(f"TTL is a number of seconds from 0 to {MAX_TTL}")
    fields = {
        "TTL": str(ttl),
        "Urgency": urgency.value,
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
    }
    if topic:
        if not _TOPIC.fullmatch(topic):
            raise ValueError(f"a topic has at most {MAX_TOPIC} characters of base64url")
        fields["Topic"] = topic
    return fields


def _padded(length: int, block: int) -> int:
    return min(MAX_PLAINTEXT, max(1, -(-length // block)) * block)


def _keys(secret: bytes, auth: bytes, salt: bytes, points: bytes) -> tuple[bytes, bytes]:
    """The key and the nonce of the one record (RFC 8291 section 3.4, RFC 8188 sections 2.2 and 2.3).

    HKDF where one block of output is all that is wanted; *points* is the receiver's and the sender's.
    """
    shared = _hmac(_hmac(auth, secret), b"WebPush: info\0" + points + b"\1")
    keying = _hmac(salt, shared)
    key = _hmac(keying, b"Content-Encoding: aes128gcm\0\1")[:16]
    return key, _hmac(keying, b"Content-Encoding: nonce\0\1")[:12]


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
