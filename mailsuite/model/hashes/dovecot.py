"""Hashes that say by a name in braces what they are: ``{SSHA}...``, as Dovecot and LDAP write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import attrs

from mailsuite.model.hashes.crypt import read_crypt, read_des, read_modular
from mailsuite.model.hashes.phc import read_argon2
from mailsuite.model.hashes.values import (
    MAX_PBKDF2_ROUNDS,
    MAX_SALT_OCTETS,
    Algorithm,
    Digest,
    HashRefused,
    Pbkdf2,
    Scram,
    StoredHash,
    base64_octets,
    bounded,
    hex_octets,
)

_PREFIXED = re.compile(r"\{([A-Za-z0-9][A-Za-z0-9+_-]*)(?:\.([A-Za-z0-9]+))?\}(.*)", re.DOTALL)
_PBKDF2 = re.compile(r"\$1\$([!-#%-9;-~]{1,128})\$([0-9]{1,10})\$([0-9A-Fa-f]{40})")
_SCRAM = re.compile(r"([0-9]{1,10}),([A-Za-z0-9+/=]{4,200}),([A-Za-z0-9+/=]{4,100}),([A-Za-z0-9+/=]{4,100})")
_ENCODINGS: Final = {"B64": base64_octets, "BASE64": base64_octets, "HEX": hex_octets}

DIGEST_OCTETS: Final[dict[Algorithm, int]] = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
PLAIN: Final = frozenset({"PLAIN", "CLEAR", "CLEARTEXT"})
"""What stands behind these is the password."""


@attrs.frozen
class Scheme:
    """``{NAME}`` or ``{NAME.encoding}``, and what stands behind it."""

    name: str
    """In upper case."""
    body: str = attrs.field(repr=False)
    decoded: bytes | None = attrs.field(default=None, repr=False)
    """What *body* encodes, where an encoding is named."""

    @property
    def text(self) -> str:
        """What stands behind the braces, as text. Raises HashRefused."""
        if self.decoded is None:
            return self.body
        try:
            return self.decoded.decode("utf-8")
        except UnicodeDecodeError:
            raise HashRefused(f"what {{{self.name}}} encodes is no text") from None

    def octets(self, length: int) -> bytes:
        """What stands behind the braces as octets: base64, or hexadecimal digits where it has as many of
        them as *length* octets take. Raises HashRefused."""
        if self.decoded is not None:
            return self.decoded
        if re.fullmatch(rf"[0-9A-Fa-f]{{{2 * length}}}", self.body):
            return hex_octets(self.body)
        return base64_octets(self.body)


def split(text: str) -> Scheme | None:
    """The scheme in front, None where there is none. Raises HashRefused."""
    found = _PREFIXED.fullmatch(text)
    if found is None:
        return None
    name, encoding, body = found.groups()
    if encoding is None:
        return Scheme(name.upper(), body)
    decode = _ENCODINGS.get(encoding.upper())
    if decode is None:
        raise HashRefused(f"{{{name}.{encoding}}}: there is no encoding of that name; there are b64 and hex")
    return Scheme(name.upper(), body, decode(body))


def read_scheme(scheme: Scheme) -> StoredHash:
    """The hash behind a scheme. Raises HashRefused."""
    if scheme.name in _NOT_TAKEN:
        raise HashRefused(f"{{{scheme.name}}} is not taken: {_NOT_TAKEN[scheme.name]}")
    read = _READERS.get(scheme.name)
    if read is None:
        raise HashRefused(f"{{{scheme.name}}} is a scheme that is not known here")
    return read(scheme)


_HALF = "it is half of a computation, which is as good as the password to whoever has it"
_UNSALTED = "whoever has it can log in by it, and one table breaks them all"
_ONE_TIME = "it is no hash of a password that lasts"
_NOT_TAKEN: Final = {
    "CRAM-MD5": _HALF,
    "HMAC-MD5": _HALF,
    "DIGEST-MD5": _HALF,
    "RPA": _HALF,
    "NTLM": _UNSALTED,
    "LANMAN": _UNSALTED,
    "LM": _UNSALTED,
    "PLAIN-MD4": _UNSALTED,
    "PLAIN-TRUNC": "it is a password that was cut off",
    "OTP": _ONE_TIME,
    "SKEY": _ONE_TIME,
    **dict.fromkeys(PLAIN, "it is the password itself, which is kept as a hash only"),
}


def _read_crypt(scheme: Scheme) -> StoredHash:
    return read_crypt(scheme.text)


def _read_des(scheme: Scheme) -> StoredHash:
    return read_des(scheme.text)


def _read_kind_of_crypt(kinds: tuple[str, ...], scheme: Scheme) -> StoredHash:
    if not scheme.text.startswith(tuple(f"${kind}$" for kind in kinds)):
        raise HashRefused(f"what stands behind {{{scheme.name}}} is no such hash")
    return read_modular(scheme.text)


def _read_argon2(variant: str, scheme: Scheme) -> StoredHash:
    read = read_argon2(scheme.text)
    if read.variant != variant:
        raise HashRefused(f"what stands behind {{{scheme.name}}} is no such hash")
    return read


def _read_digest(algorithm: Algorithm, scheme: Scheme) -> StoredHash:
    length = DIGEST_OCTETS[algorithm]
    digest = scheme.octets(length)
    if len(digest) != length:
        raise HashRefused(f"what stands behind {{{scheme.name}}} must be {length} octets long")
    return Digest(algorithm, digest)


def _read_salted(algorithm: Algorithm, scheme: Scheme) -> StoredHash:
    """The digest, and behind it the salt."""
    length = DIGEST_OCTETS[algorithm]
    octets = scheme.decoded if scheme.decoded is not None else base64_octets(scheme.body)
    if not length < len(octets) <= length + MAX_SALT_OCTETS:
        raise HashRefused(f"what stands behind {{{scheme.name}}} must be {length} octets and a salt")
    return Digest(algorithm, octets[:length], octets[length:])


def _read_md5(scheme: Scheme) -> StoredHash:
    """LDAP's name for the bare digest (RFC 2307 section 5.3), and an old one for crypt's."""
    if scheme.text.startswith("$1$"):
        return read_modular(scheme.text)
    return _read_digest("md5", scheme)


def _read_pbkdf2(scheme: Scheme) -> StoredHash:
    """``$1$salt$rounds$hex``; the salt is used as it is written."""
    found = _PBKDF2.fullmatch(scheme.text)
    if found is None:
        raise HashRefused("what stands behind {PBKDF2} must be $1$salt$rounds$ and 40 hexadecimal digits")
    salt, rounds, digest = found.groups()
    count = bounded(rounds, MAX_PBKDF2_ROUNDS, "the rounds")
    return Pbkdf2("sha1", count, salt.encode("ascii"), hex_octets(digest))


def _read_scram(algorithm: Literal["sha1", "sha256"], scheme: Scheme) -> StoredHash:
    """``iterations,salt,StoredKey,ServerKey``, the last three in base64."""
    found = _SCRAM.fullmatch(scheme.text)
    if found is None:
        raise HashRefused(f"what stands behind {{{scheme.name}}} must be iterations, salt and two keys")
    iterations, *fields = found.groups()
    salt, stored_key, server_key = map(base64_octets, fields)
    if {len(stored_key), len(server_key)} != {DIGEST_OCTETS[algorithm]}:
        raise HashRefused(f"the keys behind {{{scheme.name}}} have not the length that they should have")
    count = bounded(iterations, MAX_PBKDF2_ROUNDS, "the iterations")
    return Scram(algorithm, count, salt, stored_key)


_READERS: Final[dict[str, Callable[[Scheme], StoredHash]]] = {
    "CRYPT": _read_crypt,
    "DES-CRYPT": _read_des,
    "MD5-CRYPT": partial(_read_kind_of_crypt, ("1",)),
    "BLF-CRYPT": partial(_read_kind_of_crypt, ("2a", "2b", "2y")),
    "SHA256-CRYPT": partial(_read_kind_of_crypt, ("5",)),
    "SHA512-CRYPT": partial(_read_kind_of_crypt, ("6",)),
    "ARGON2ID": partial(_read_argon2, "argon2id"),
    "ARGON2I": partial(_read_argon2, "argon2i"),
    "MD5": _read_md5,
    "PLAIN-MD5": partial(_read_digest, "md5"),
    "LDAP-MD5": partial(_read_digest, "md5"),
    "SMD5": partial(_read_salted, "md5"),
    "SHA": partial(_read_digest, "sha1"),
    "SHA1": partial(_read_digest, "sha1"),
    "SSHA": partial(_read_salted, "sha1"),
    "SHA256": partial(_read_digest, "sha256"),
    "SSHA256": partial(_read_salted, "sha256"),
    "SHA512": partial(_read_digest, "sha512"),
    "SSHA512": partial(_read_salted, "sha512"),
    "PBKDF2": _read_pbkdf2,
    "SCRAM-SHA-1": partial(_read_scram, "sha1"),
    "SCRAM-SHA-256": partial(_read_scram, "sha256"),
}
