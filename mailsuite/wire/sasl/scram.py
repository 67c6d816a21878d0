"""SCRAM-SHA-1, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), the server's side.

What breaks the grammar is malformed. What is said well and cannot be is a hopeless claim. Where it is the
binding or the protocol that is wrong, SCRAM's own error is the last that we say, so that people can see why.
A wrong proof is refused without any: RFC 5802 section 7 lets the last message be left out, and GNU SASL
takes one that has an error for broken software. Whether a proof is true is asked of others; whether a name
exists is never said, so there is no ``e=unknown-user``.
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
    HopelessClaim,
    Refusal,
    ScramClaim,
    ScramHash,
    ScramParameters,
    ScramQuestion,
    Step,
)


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
    _error: str = attrs.field(default="", init=False)
    """As RFC 5802 section 7 names it."""

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> Step:
        return self._begun(response) if self._first is None else self._proved(self._first, response)

    def answer(self, parameters: ScramParameters) -> Step:
        salt = _base64(parameters.salt)
        self._server_first = f"r={self._nonce},s={salt},i={parameters.iterations}"
        return Challenge(self._server_first.encode("ascii"))

    def last_words(self, accepted: bool, signature: bytes) -> Challenge | None:
        if accepted:
            return Challenge(f"v={_base64(signature)}".encode("ascii"))
        return Challenge(f"e={self._error}".encode("ascii")) if self._error else None

    def _begun(self, response: bytes) -> Step:
        first = client_first(response)
        if first is None:
            return Refusal.MALFORMED
        self._authcid = _prepared(first.authcid) or ""
        if first.mandatory_extension:
            return self._hopeless("extension", "extensions-not-supported")
        if (unbound := self._unbound(first)) is not None:
            return unbound
        if not self._authcid:
            return self._hopeless("impossible-name")
        if _prepared(first.authzid) not in ("", self._authcid):
            return self._hopeless("authzid")
        self._first = first
        self._nonce = first.nonce + self.nonce()
        return ScramQuestion(self._authcid, self.hash)

    def _unbound(self, first: ClientFirst) -> HopelessClaim | None:
        """What is wrong by RFC 5802 section 6; None where nothing is."""
        plus = self.name.endswith("-PLUS")
        if first.flag == "p":
            if not plus:
                return self._hopeless("channel-binding", "channel-binding-not-supported")
            if first.binding_type not in self.bindings:
                return self._hopeless("channel-binding", "unsupported-channel-binding-type")
        elif plus:
            return self._hopeless("channel-binding", "server-does-support-channel-binding")
        elif first.flag == "y" and self.plus_offered:
            return self._hopeless("downgrade", "server-does-support-channel-binding")
        return None

    def _proved(self, first: ClientFirst, response: bytes) -> Step:
        final = client_final(response)
        if final is None:
            return Refusal.MALFORMED
        if final.mandatory_extension:
            return self._hopeless("extension", "extensions-not-supported")
        bound = self.bindings[first.binding_type] if first.flag == "p" else b""
        if final.binding != _base64(first.header.encode("utf-8") + bound):
            return self._hopeless("channel-binding", "channel-bindings-dont-match")
        if final.nonce != self._nonce:
            return self._hopeless("nonce", "other-error")
        proof = decode_base64(final.proof.encode("ascii"))
        if proof is None:
            return self._hopeless("encoding", "invalid-encoding")
        auth_message = f"{first.bare},{self._server_first},{final.unproved}".encode()
        return ScramClaim(self.name, self._authcid, self.hash, auth_message, proof)

    def _hopeless(self, reason: str, error: str = "") -> HopelessClaim:
        """*error* is what the client is told, if anything."""
        self._error = error
        return HopelessClaim(self.name, self._authcid, reason)


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
