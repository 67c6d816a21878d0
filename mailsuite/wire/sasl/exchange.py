"""SASL as SMTP (RFC 4954) and POP3 (RFC 5034) carry it: base64 lines in, challenges or a claim out.

Exchange speaks the part that all mechanisms share: base64, the initial response, ``=`` for an empty
one, ``*`` to cancel. A Mechanism sees decoded octets only. Nothing here knows whether a claim is true.
"""

from __future__ import annotations

import binascii
from typing import Protocol

import attrs

from mailsuite.wire.sasl.steps import Refusal, Step


class Mechanism(Protocol):
    """The server's side of one exchange, on decoded octets."""

    def start(self, initial: bytes | None) -> Step:
        """Begin; *initial* is None where the client sent no initial response."""

    def respond(self, response: bytes) -> Step:
        """Go on with the client's answer to the last challenge."""


@attrs.define
class Exchange:
    """One exchange from the AUTH command to its claim or refusal. Lines come without their line ends."""

    _mechanism: Mechanism

    def start(self, initial: bytes | None) -> Step:
        """Begin with what stood behind the mechanism's name, None where nothing did.

        A lone ``=`` is an empty initial response (RFC 4954 section 4, RFC 5034 section 4).
        """
        if initial is None:
            return self._mechanism.start(None)
        decoded = b"" if initial == b"=" else decode_base64(initial)
        if decoded is None or not initial:
            return Refusal.MALFORMED
        return self._mechanism.start(decoded)

    def respond(self, line: bytes) -> Step:
        """Take the client's answer to the last challenge."""
        if line == b"*":
            return Refusal.CANCELLED
        decoded = decode_base64(line)
        return Refusal.MALFORMED if decoded is None else self._mechanism.respond(decoded)


def decode_base64(text: bytes) -> bytes | None:
    """Decode canonical base64 (RFC 4648 section 4): no stray characters, right padding, pad bits zero.

    None where it is anything else.
    """
    try:
        decoded = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    return decoded if binascii.b2a_base64(decoded, newline=False) == text else None
