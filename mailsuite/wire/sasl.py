"""SASL as SMTP (RFC 4954) and POP3 (RFC 5034) carry it: base64 lines in, challenges or a claim out.

Exchange speaks the part that all mechanisms share: base64, the initial response, ``=`` for an empty
one, ``*`` to cancel. A Mechanism sees decoded octets only. Both answer each step with one of the values
below; nothing here knows whether a claim is true.

A new mechanism is a class with Mechanism's methods, and where its outcome is no password, one more value
beside PasswordClaim. Randomness (the challenge of CRAM-MD5, the nonce of SCRAM) comes in through its
constructor, and so does what the service must look up in the middle.
"""

from __future__ import annotations

import binascii
import enum
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

MAX_LINE_OCTETS = 12288
"""A line of an exchange, line end included (RFC 4954 section 4, on the length of base64 strings)."""
MAX_FIELD_OCTETS = 255
"""Each of authzid, authcid and password: RFC 4616 section 2 asks for at least as much."""


@attrs.frozen
class Challenge:
    """The client has to answer this."""

    data: bytes

    def encode(self) -> bytes:
        """The challenge in base64, as it stands behind ``334 `` or ``+ ``."""
        return binascii.b2a_base64(self.data, newline=False)


@attrs.frozen
class PasswordClaim:
    """Somebody says who they are and shows a password. ``authzid`` is empty or equal to ``authcid``."""

    mechanism: str
    authzid: str
    authcid: str
    password: str = attrs.field(repr=False)


class Refusal(enum.Enum):
    """How an exchange ends before anybody asked whether a claim is true."""

    CANCELLED = "cancelled"
    """The client sent ``*``."""
    MALFORMED = "malformed"
    """No base64, or not what the mechanism defines."""
    DENIED = "denied"
    """Well-formed, and no account can match: to act as somebody else, an empty name or password."""


Step = Challenge | PasswordClaim | Refusal


class Mechanism(Protocol):
    """The server's side of one exchange, on decoded octets."""

    def start(self, initial: bytes | None) -> Step:
        """Begin; *initial* is None where the client sent no initial response."""

    def respond(self, response: bytes) -> Step:
        """Go on with the client's answer to the last challenge."""


class Plain:
    """PLAIN (RFC 4616): ``authzid NUL authcid NUL password`` in one response."""

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> Step:
        fields = response.split(b"\0")
        if len(fields) != 3:
            return Refusal.MALFORMED
        return _claim("PLAIN", *fields)


@attrs.define
class Login:
    """LOGIN (draft-murchison-sasl-login-00, obsolete and everywhere): asks for name, then password.

    Many clients send the name as an initial response.
    """

    _name: bytes | None = attrs.field(default=None, init=False)

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"Username:") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> Step:
        if self._name is None:
            self._name = response
            return Challenge(b"Password:")
        return _claim("LOGIN", b"", self._name, response)


MECHANISMS: Mapping[str, Callable[[], Mechanism]] = {"PLAIN": Plain, "LOGIN": Login}
"""Those that need nothing but what the client sends, by their registered names."""


def _claim(mechanism: str, authzid: bytes, authcid: bytes, password: bytes) -> PasswordClaim | Refusal:
    fields = (authzid, authcid, password)
    if any(len(field) > MAX_FIELD_OCTETS or b"\0" in field for field in fields):
        return Refusal.MALFORMED
    try:
        claim = PasswordClaim(mechanism, *(field.decode("utf-8") for field in fields))
    except UnicodeDecodeError:
        return Refusal.MALFORMED
    if not claim.authcid or not claim.password or claim.authzid not in ("", claim.authcid):
        return Refusal.DENIED
    return claim


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
