"""Certificates as tests want them: any names, keys, signatures and times, of an authority or their own."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from mailsuite.frontends.tls import Pair

DAY = datetime.timedelta(days=1)


def p256() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def ed() -> Any:
    return ed25519.Ed25519PrivateKey.generate()


def rsa_of(bits: int) -> Any:
    return rsa.generate_private_key(65537, bits)


@attrs.frozen
class Issued:
    """A certificate and its key; it may issue others."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def save(self, folder: Path, stem: str, *following: Issued) -> Pair:
        """Write both, with the certificates of *following* behind the own one."""
        pair = folder / f"{stem}.pem", folder / f"{stem}.key"
        pair[0].write_bytes(b"".join(each.pem for each in (self, *following)))
        pair[1].write_bytes(self.key_pem)
        return pair


def issue(
    name: str = "mail.example.test",
    names: Sequence[str] | None = None,
    *,
    key: Any = None,
    by: Issued | None = None,
    begins: datetime.datetime | None = None,
    days: float = 90,
    authority: bool = False,
) -> Issued:
    """A certificate with *name* as its common name, for *names* (*name* alone where None; [] has none)."""
    key = key or p256()
    signer = by.key if by else key
    begins = begins or datetime.datetime.now(datetime.UTC) - DAY
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    wanted = [name] if names is None else names
    if wanted:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in wanted])
        builder = builder.add_extension(alternatives, critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signer, algorithm), key)


def resigned(issued: Issued, algorithm: str) -> Issued:
    """One that says it is signed by another *algorithm* (the last octet of its OID in PKCS #1: ``05`` is
    SHA-1) with RSA: nobody makes such signatures any more, so it is false."""
    sha256, other = (bytes.fromhex(f"2a864886f70d0101{last}") for last in ("0b", algorithm))
    der = issued.certificate.public_bytes(serialization.Encoding.DER)
    return Issued(x509.load_der_x509_certificate(der.replace(sha256, other)), issued.key)
