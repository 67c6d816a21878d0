"""Both ends of a login in tests: a client that proves itself, and a server that knows one account."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

import attrs

from mailsuite.wire.sasl.steps import (
    Claim,
    DigestClaim,
    HopelessClaim,
    PasswordClaim,
    ScramClaim,
    ScramParameters,
)

NAME, PASSWORD = "joe", "secret word"
PARAMETERS = ScramParameters(b"salt of the test", 4096)


@attrs.define
class ScramClient:
    """RFC 5802 section 3 and RFC 7677, from the client's side; messages are not in base64."""

    name: str = NAME
    password: str = PASSWORD
    hash: str = "sha256"
    header: str = "n,,"
    binding: bytes = b""
    nonce: str = "fyko+d2lbbFgONRv9qkxdawL"
    _signature: bytes = attrs.field(default=b"", init=False)

    @property
    def bare(self) -> str:
        return f"n={self.name},r={self.nonce}"

    def first(self) -> bytes:
        return f"{self.header}{self.bare}".encode()

    def final(self, server_first: bytes) -> bytes:
        text = server_first.decode()
        nonce, salt, iterations = (field[2:] for field in text.split(","))
        bound = b64encode(self.header.encode() + self.binding).decode()
        unproved = f"c={bound},r={nonce}"
        auth_message = f"{self.bare},{text},{unproved}".encode()
        keys = Keys.of(self.password, ScramParameters(b64decode(salt), int(iterations)), self.hash)
        self._signature = keys.server_signature(auth_message)
        return f"{unproved},p={b64encode(keys.proof(auth_message)).decode()}".encode()

    def believes(self, server_final: bytes) -> bool:
        return server_final == b"v=" + b64encode(self._signature)


@attrs.frozen
class Keys:
    """What RFC 5802 section 3 derives from a password."""

    client: bytes
    server: bytes
    hash: str

    @classmethod
    def of(cls, password: str, parameters: ScramParameters, hash: str) -> Keys:
        salted = hashlib.pbkdf2_hmac(hash, password.encode(), parameters.salt, parameters.iterations)
        client, server = (hmac.digest(salted, label, hash) for label in (b"Client Key", b"Server Key"))
        return cls(client, server, hash)

    def proof(self, auth_message: bytes) -> bytes:
        stored = hashlib.new(self.hash, self.client).digest()
        signature = hmac.digest(stored, auth_message, self.hash)
        return bytes(a ^ b for a, b in zip(self.client, signature, strict=True))

    def server_signature(self, auth_message: bytes) -> bytes:
        return hmac.digest(self.server, auth_message, self.hash)


def judged(claim: Claim) -> bytes | None:
    """The signature of a claim that is true, empty where its mechanism has none; None where it is not."""
    if claim.authcid != NAME or isinstance(claim, HopelessClaim):
        return None
    secret = PASSWORD.encode()
    match claim:
        case PasswordClaim():
            return b"" if claim.password == PASSWORD else None
        case DigestClaim("APOP"):
            right = hashlib.md5(claim.challenge + secret, usedforsecurity=False).hexdigest()
            return b"" if claim.digest == right else None
        case DigestClaim():
            return b"" if claim.digest == hmac.new(secret, claim.challenge, "md5").hexdigest() else None
        case ScramClaim():
            keys = Keys.of(PASSWORD, PARAMETERS, claim.hash)
            right_proof = keys.proof(claim.auth_message)
            return keys.server_signature(claim.auth_message) if claim.proof == right_proof else None
    return None
