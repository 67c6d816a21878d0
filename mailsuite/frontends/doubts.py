"""What an administrator should know about a certificate that can be used all the same."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from itertools import pairwise

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import Certificate

from mailsuite.frontends.sni import covers, names_of

LEAST_RSA_BITS = 2048
"""RFC 9325 section 4.5."""


def doubts(chain: tuple[Certificate, ...], names: Iterable[str], now: datetime.datetime) -> tuple[str, ...]:
    """In words; *names* are those that it is shown for."""
    certificate = chain[0]
    found = []
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        found.append(f"its RSA key has {key.key_size} bits, and fewer than {LEAST_RSA_BITS} can be broken")
    if any(_is_weakly_signed(each) for each in chain if each is certificate or each.subject != each.issuer):
        found.append("it is signed by SHA-1 or MD5, which mail programs do not trust")
    if now < certificate.not_valid_before_utc:
        found.append(f"it is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    if any(each.issuer != issuer.subject for each, issuer in pairwise(chain)):
        found.append("what follows it in the file is not its issuer's certificate")
    own = names_of(certificate)
    found += [f"it is shown for {name}, which is not in it" for name in names if not covers(own, name)]
    return tuple(found)


def _is_weakly_signed(certificate: Certificate) -> bool:
    try:
        return isinstance(certificate.signature_hash_algorithm, hashes.MD5 | hashes.SHA1)
    except UnsupportedAlgorithm:
        return False
