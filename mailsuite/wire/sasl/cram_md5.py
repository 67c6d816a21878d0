"""CRAM-MD5 (RFC 2195): HMAC-MD5 of our challenge, keyed with a secret that both sides hold."""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from mailsuite.wire.sasl.steps import MAX_FIELD_OCTETS, Challenge, DigestClaim, HopelessClaim, Refusal, Step

RANDOM_OCTETS = 16
"""In each challenge, so that none comes twice."""
_RESPONSE = re.compile(rb"(.*) ([0-9a-f]{32})", re.DOTALL)
"""RFC 2195 section 2: the name, a space, 16 octets in lower-case hexadecimal. The name may have spaces."""


@attrs.define
class CramMd5:
    """The server speaks first, so there is no initial response."""

    hostname: str
    octets: Callable[[int], bytes]
    seconds: Callable[[], float]
    _challenge: bytes = attrs.field(default=b"", init=False)

    def start(self, initial: bytes | None) -> Step:
        if initial is not None:
            return Refusal.MALFORMED
        random = int.from_bytes(self.octets(RANDOM_OCTETS), "big")
        self._challenge = f"<{random}.{int(self.seconds())}@{self.hostname}>".encode()
        return Challenge(self._challenge)

    def respond(self, response: bytes) -> Step:
        parts = _RESPONSE.fullmatch(response)
        if parts is None or len(parts[1]) > MAX_FIELD_OCTETS or b"\0" in parts[1]:
            return Refusal.MALFORMED
        try:
            name = parts[1].decode("utf-8")
        except UnicodeDecodeError:
            return Refusal.MALFORMED
        if not name:
            return HopelessClaim("CRAM-MD5", name, "empty")
        return DigestClaim("CRAM-MD5", name, self._challenge, parts[2].decode("ascii"))
