"""The arithmetic of NTLMv2 (MS-NLMP section 3.3.2), for whoever holds the passwords."""

from __future__ import annotations

import hmac

from mailsuite.wire.sasl.md4 import md4
from mailsuite.wire.sasl.steps import NtlmClaim


def nt_hash(password: str) -> bytes:
    """NTOWFv1. It is as good as the password: whoever has it can log in."""
    return md4(password.encode("utf-16-le"))


def ntlmv2_proves(claim: NtlmClaim, nt_hash: bytes) -> bool:
    """Whether *claim* was made by somebody who knows the password behind *nt_hash*; in constant time."""
    response_key = hmac.digest(nt_hash, (_upper(claim.user) + claim.domain).encode("utf-16-le"), "md5")
    return hmac.compare_digest(hmac.digest(response_key, claim.challenge + claim.blob, "md5"), claim.proof)


def _upper(name: str) -> str:
    """As Windows does it, one character for one: ``ß`` stays what it is."""
    return "".join(upper if len(upper := character.upper()) == 1 else character for character in name)
