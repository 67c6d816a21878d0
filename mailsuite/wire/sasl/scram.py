"""SCRAM-SHA-1, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), the server's side.

What breaks the grammar is malformed. What is said well and cannot be is answered by SCRAM's own error, so
that people can see why, and then denied, whatever the client says to it. Whether a proof is true is asked
of others; whether a name exists is never said, so there is no ``e=unknown-user``.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping

import attrs

from mailsuite.wire.sasl.exchange import decode_base64
from mailsuite.wire.sasl.saslprep import saslprep
from mailsuite.wire.sasl.scram_messages import ClientFirst, client_final, client_first
from mailsuite.wire.sasl.steps import (
    MAX_FIELD_OCTETS,
    Challenge,
    Refusal,
    ScramClaim,
    ScramHash,
    ScramParameters,
    ScramQuestion,
    Step,
)

_DIGEST_OCTETS: Mapping[ScramHash, int] = {"sha1": 20, "sha256": 32}


@attrs.define
class Scram:
    """One exchange. The client speaks first, and we have the last word."""

    name: str
    """With ``-PLUS`` where the TLS channel is to be bound."""
    hash: ScramHash
    nonce: Callable[[], str]
    """Our part of the nonce: printable ASCII without a comma, never the same twice."""
    bindings: Mapping[str, bytes] = {}
    """By their registered types: ``tls-exporter`` (RFC 9266), ``tls-server-end-point`` (RFC 5929)."""
    plus_offered: bool = False
    """The client was shown this mechanism's ``-PLUS``, unless somebody in between hid it."""
    _first: ClientFirst | None = attrs.field(default=None, init=False)
    _authcid: str = attrs.field(default="", init=False)
    _nonce: str = attrs.field(default="", init=False)
    _server_first: str = attrs.field(default="", init=False)
    _failed: bool = attrs.field(default=False, init=False)

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> Step:
        if self._failed:
            return Refusal.DENIED
        return self._begun(response) if self._first is None else self._proved(self._first, response)

    def answer(self, parameters: ScramParameters) -> Step:
        salt = _base64(parameters.salt)
        self._server_first = f"r={self._nonce},s={salt},i={parameters.iterations}"
        return Challenge(self._server_first.encode("ascii"))

    def last_words(self, accepted: bool, signature: bytes) -> Challenge:
        text = f"v={_base64(signature)}" if accepted else "e=invalid-proof"
        return Challenge(text.encode("ascii"))

    def _begun(self, response: bytes) -> Step:
        first = client_first(response)
        if first is None:
            return Refusal.MALFORMED
        if first.mandatory_extension:
            return self._error("extensions-not-supported")
        if error := self._binding_error(first):
            return self._error(error)
        authcid, authzid = _prepared(first.authcid), _prepared(first.authzid)
        if not authcid or authzid not in ("", authcid):
            return Refusal.DENIED
        self._first, self._authcid = first, authcid
        self._nonce = first.nonce + self.nonce()
        return ScramQuestion(authcid, self.hash)

    def _binding_error(self, first: ClientFirst) -> str:
        """RFC 5802 section 6, and the names that section 7 has for what is wrong; empty where all is well."""
        plus = self.name.endswith("-PLUS")
        if first.flag == "p":
            if not plus:
                return "channel-binding-not-supported"
            return "" if first.binding_type in self.bindings else "unsupported-channel-binding-type"
        if plus or (first.flag == "y" and self.plus_offered):
            return "server-does-support-channel-binding"
        return ""

    def _proved(self, first: ClientFirst, response: bytes) -> Step:
        final = client_final(response)
        if final is None:
            return Refusal.MALFORMED
        if final.mandatory_extension:
            return self._error("extensions-not-supported")
        bound = self.bindings[first.binding_type] if first.flag == "p" else b""
        if final.binding != _base64(first.header.encode("utf-8") + bound):
            return self._error("channel-bindings-dont-match")
        if final.nonce != self._nonce:
            return self._error("other-error")
        proof = decode_base64(final.proof.encode("ascii"))
        if proof is None:
            return self._error("invalid-encoding")
        if len(proof) != _DIGEST_OCTETS[self.hash]:
            return self._error("invalid-proof")
        auth_message = f"{first.bare},{self._server_first},{final.unproved}".encode()
        return ScramClaim(self.name, self._authcid, self.hash, auth_message, proof)

    def _error(self, value: str) -> Challenge:
        self._failed = True
        return Challenge(b"e=" + value.encode("ascii"))


def _prepared(name: str) -> str | None:
    """None where no account can have the name. What is too long is not even prepared, as that takes time."""
    if len(name.encode("utf-8")) > MAX_FIELD_OCTETS:
        return None
    try:
        prepared = saslprep(name)
    except ValueError:
        return None
    return prepared if len(prepared.encode("utf-8")) <= MAX_FIELD_OCTETS else None


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode("ascii")
