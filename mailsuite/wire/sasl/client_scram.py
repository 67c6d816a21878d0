"""SCRAM-SHA-1 and SCRAM-SHA-256 from the client's side (RFC 5802, RFC 7677), without channel binding.

The server has to prove that it knows the password, too; one that lets us in without that is not believed.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re

import attrs

from mailsuite.wire.sasl import scram_keys
from mailsuite.wire.sasl.client import Credentials, Derive, Surrender
from mailsuite.wire.sasl.exchange import decode_base64
from mailsuite.wire.sasl.saslprep import saslprep
from mailsuite.wire.sasl.steps import ScramHash

NONCE_OCTETS = 18
"""Random ones in our part of the nonce: 24 characters in base64."""
MIN_ITERATIONS = 4096
"""RFC 7677 section 4. With fewer, whoever plays the server learns more of the password from our proof."""
MAX_ITERATIONS = 1_000_000
"""About a second. The number is the server's to choose."""
_HEADER = "n,,"
"""We do not bind to the TLS channel, and name nobody else to be."""
_SERVER_FIRST = re.compile(
    r"r=(?P<nonce>[!-+\--~]{1,1024}),s=(?P<salt>[^,]+),i=(?P<iterations>[0-9]{1,9})(?:,.*)?"
)
_SERVER_FINAL = re.compile(r"v=(?P<signature>[^,]+)(?:,.*)?")


@attrs.define
class ScramClient:
    """One exchange. Raises ValueError where name or password can be none of SCRAM's."""

    credentials: Credentials
    hash: ScramHash
    nonce: bytes = attrs.field(repr=False)
    """Random octets, never the same twice."""
    proven: bool = attrs.field(default=False, init=False)
    _bare: str = attrs.field(init=False)
    _final: str = attrs.field(default="", init=False)
    """client-final-message-without-proof."""
    _auth_message: bytes = attrs.field(default=b"", init=False)
    _signature: bytes = attrs.field(default=b"", init=False, repr=False)
    """What proves the server; empty before our own proof."""

    @_bare.default
    def _client_first_bare(self) -> str:
        saslprep(self.credentials.password)
        name = saslprep(self.credentials.name).replace("=", "=3D").replace(",", "=2C")
        return f"n={name},r={_base64(self.nonce)}"

    def start(self) -> bytes | None:
        return f"{_HEADER}{self._bare}".encode()

    def respond(self, challenge: bytes) -> bytes | Derive | Surrender:
        text = challenge.decode("utf-8", "replace")
        if self._signature:
            return self._server_final(text)
        return Surrender.MALFORMED if self._auth_message else self._server_first(text)

    def derived(self, salted_password: bytes) -> bytes:
        """client-final-message, with the proof."""
        client_key = hmac.digest(salted_password, b"Client Key", self.hash)
        signature = hmac.digest(hashlib.new(self.hash, client_key).digest(), self._auth_message, self.hash)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = scram_keys.server_key(salted_password, self.hash)
        self._signature = scram_keys.server_signature(server_key, self._auth_message, self.hash)
        return f"{self._final},p={_base64(proof)}".encode()

    def _server_first(self, text: str) -> Derive | Surrender:
        found = _SERVER_FIRST.fullmatch(text)
        ours = _base64(self.nonce)
        if not found or not found["nonce"].startswith(ours) or found["nonce"] == ours:
            return Surrender.MALFORMED
        salt, iterations = decode_base64(found["salt"].encode()), int(found["iterations"])
        if not salt or not MIN_ITERATIONS <= iterations <= MAX_ITERATIONS:
            return Surrender.MALFORMED
        self._final = f"c={_base64(_HEADER.encode())},r={found['nonce']}"
        self._auth_message = f"{self._bare},{text},{self._final}".encode()
        return Derive(self.credentials.password, salt, iterations, self.hash)

    def _server_final(self, text: str) -> bytes | Surrender:
        found = _SERVER_FINAL.fullmatch(text)
        if not found or self.proven:
            return Surrender.MALFORMED
        signature = decode_base64(found["signature"].encode())
        if signature is None or not hmac.compare_digest(signature, self._signature):
            return Surrender.IMPOSTOR
        self.proven = True
        return b""


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode("ascii")
