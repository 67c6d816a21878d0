"""NTLM, by its other name Secure Password Authentication (MS-NLMP; in mail: MS-POP3, MS-SMTPNTLM).

NTLMv2 only. LM and NTLMv1 responses are refused whatever they hold: a day's work gives the password behind
them. Nobody is anonymous. Nothing is signed or sealed after the login, so the session key is never made, and
an integrity code (MIC) is not checked: what it adds to the proof are flags that decide nothing here.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.wire.sasl.ntlm_messages import (
    Authenticate,
    Flag,
    authenticate,
    challenge,
    filetime,
    negotiated,
    ntlmv2_response,
)
from mailsuite.wire.sasl.steps import MAX_FIELD_OCTETS, Challenge, HopelessClaim, NtlmClaim, Refusal, Step

CHALLENGE_OCTETS = 8
MAX_SKEW_SECONDS = 36 * 3600
"""Between the client's clock and ours: as Windows since XP, half an hour before (MS-NLMP section 3.1.1.1).
Windows sends back the time that our challenge said, other clients their own; our challenge is fresh."""
_NTLMV1_OCTETS = 24
"""Of a response of version 1; there is none at all beside one of LM alone."""


@attrs.define
class Ntlm:
    """One exchange: NEGOTIATE, CHALLENGE, AUTHENTICATE."""

    hostname: str
    octets: Callable[[int], bytes]
    seconds: Callable[[], float]
    _flags: Flag | None = attrs.field(default=None, init=False)
    _challenge: bytes = attrs.field(default=b"", init=False)

    def start(self, initial: bytes | None) -> Step:
        """Windows names the mechanism alone, and its NEGOTIATE answers an empty challenge."""
        return Challenge(b"") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> Step:
        if self._flags is None:
            return self._negotiated(response)
        message = authenticate(response, self._flags)
        return Refusal.MALFORMED if message is None else self._authenticated(message)

    def _negotiated(self, message: bytes) -> Step:
        self._flags = negotiated(message)
        if self._flags is None:
            return Refusal.MALFORMED
        self._challenge = self.octets(CHALLENGE_OCTETS)
        return Challenge(challenge(self._flags, self._challenge, self.hostname, self.seconds()))

    def _authenticated(self, message: Authenticate) -> Step:
        for name in (message.user, message.domain):
            if "\0" in name or len(name.encode("utf-8")) > MAX_FIELD_OCTETS:
                return Refusal.MALFORMED
        authcid = _authcid(message.user, message.domain) if message.user else ""
        if not authcid:
            return HopelessClaim("NTLM", authcid, "empty")
        if len(message.nt_response) in (0, _NTLMV1_OCTETS):
            return HopelessClaim("NTLM", authcid, "ntlm-version-1")
        response = ntlmv2_response(message.nt_response)
        if response is None:
            return Refusal.MALFORMED
        if response.time and abs(response.time - filetime(self.seconds())) > MAX_SKEW_SECONDS * 10_000_000:
            return HopelessClaim("NTLM", authcid, "clock-skew")
        return NtlmClaim(
            mechanism="NTLM",
            authcid=authcid,
            user=message.user,
            domain=message.domain,
            challenge=self._challenge,
            proof=response.proof,
            blob=response.blob,
        )


def _authcid(user: str, domain: str) -> str:
    """A domain with a dot is taken for a mail domain; one without is a workgroup, or a computer's name."""
    return user if "@" in user or "." not in domain else f"{user}@{domain}"
