"""The mechanisms that show the password: PLAIN and LOGIN."""

from __future__ import annotations

import attrs

from mailsuite.wire.sasl.steps import MAX_FIELD_OCTETS, Challenge, HopelessClaim, PasswordClaim, Refusal, Step


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


def _claim(mechanism: str, authzid: bytes, authcid: bytes, password: bytes) -> Step:
    fields = (authzid, authcid, password)
    if any(len(field) > MAX_FIELD_OCTETS or b"\0" in field for field in fields):
        return Refusal.MALFORMED
    try:
        claim = PasswordClaim(mechanism, *(field.decode("utf-8") for field in fields))
    except UnicodeDecodeError:
        return Refusal.MALFORMED
    if not claim.authcid or not claim.password:
        return HopelessClaim(mechanism, claim.authcid, "empty")
    if claim.authzid not in ("", claim.authcid):
        return HopelessClaim(mechanism, claim.authcid, "authzid")
    return claim
