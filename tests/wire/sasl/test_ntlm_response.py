"""The arithmetic of NTLMv2, with the values of MS-NLMP section 4.2.4."""

from __future__ import annotations

import hmac

import attrs
import pytest

from mailsuite.wire.sasl.ntlm_response import nt_hash, ntlmv2_proves
from mailsuite.wire.sasl.steps import NtlmClaim

CLAIM = NtlmClaim(
    mechanism="NTLM",
    authcid="User",
    user="User",
    domain="Domain",
    challenge=bytes.fromhex("0123456789abcdef"),
    proof=bytes.fromhex("68cd0ab851e51c96aabc927bebef6a1c"),
    blob=bytes.fromhex(
        "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e00"
        "01000c005300650072007600650072000000000000000000"
    ),
)


def test_the_hash_of_section_4_2_2_1_2() -> None:
    assert nt_hash("Password").hex() == "a4f49c406510bdcab6824ee7c30fd852"


def test_the_response_of_section_4_2_4_2_2() -> None:
    assert ntlmv2_proves(CLAIM, nt_hash("Password"))


@pytest.mark.parametrize(
    "claim",
    [
        attrs.evolve(CLAIM, user="Usher"),
        attrs.evolve(CLAIM, domain="DOMAIN"),
        attrs.evolve(CLAIM, domain=""),
        attrs.evolve(CLAIM, challenge=bytes(8)),
        attrs.evolve(CLAIM, blob=CLAIM.blob[:-1]),
        attrs.evolve(CLAIM, blob=CLAIM.blob[:24] + b"\1" + CLAIM.blob[25:]),
        attrs.evolve(CLAIM, proof=bytes(16)),
        attrs.evolve(CLAIM, proof=b""),
    ],
)
def test_what_is_no_proof(claim: NtlmClaim) -> None:
    assert not ntlmv2_proves(claim, nt_hash("Password"))


@pytest.mark.parametrize("password", ["password", "Password ", "", "Pässword"])
def test_another_password(password: str) -> None:
    assert not ntlmv2_proves(CLAIM, nt_hash(password))


@pytest.mark.parametrize(
    ("user", "upper"), [("uSeR", "USER"), ("jörg", "JÖRG"), ("groß", "GROß"), ("ŉ", "ŉ"), ("я1", "Я1")]
)
def test_names_are_folded_as_windows_folds_them(user: str, upper: str) -> None:
    key = hmac.digest(nt_hash("secret"), (upper + "Domain").encode("utf-16-le"), "md5")
    proof = hmac.digest(key, CLAIM.challenge + CLAIM.blob, "md5")
    assert ntlmv2_proves(attrs.evolve(CLAIM, user=user, proof=proof), nt_hash("secret"))


def test_a_claim_shows_nothing_to_guess_passwords_with() -> None:
    shown = repr(CLAIM)
    assert "User" in shown
    assert not any(word in shown for word in ("challenge", "proof", "blob"))
