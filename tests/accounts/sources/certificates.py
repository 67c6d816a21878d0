"""An authority of the tests' own, and what it signs."""

from __future__ import annotations

import datetime
from ipaddress import ip_address
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = datetime.datetime.now(datetime.UTC)
_DAY = datetime.timedelta(days=1)


@attrs.frozen
class Pair:
    certificate: Path
    key: Path


@attrs.frozen
class Authority:
    """Signs certificates for names and addresses."""

    folder: Path
    name: str = "authority"
    key: ec.EllipticCurvePrivateKey = attrs.field(factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def file(self) -> Path:
        path = self.folder / f"{self.name}.pem"
        if not path.exists():
            builder = _builder(self.name, self.name, self.key.public_key(), _NOW - _DAY)
            builder = builder.add_extension(x509.BasicConstraints(True, None), True)
            path.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    def sign(self, *names: str, expired: bool = False) -> Pair:
        """A certificate for *names* and its key, in files."""
        key = ec.generate_private_key(ec.SECP256R1())
        begins = _NOW - 9 * _DAY if expired else _NOW - _DAY
        builder = _builder(names[0], self.name, key.public_key(), begins)
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), False)
        stem = f"{self.name}-{names[0]}{'-expired' if expired else ''}"
        pair = Pair(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        pair.certificate.write_bytes(
            builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, begins: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + 5 * _DAY)
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
