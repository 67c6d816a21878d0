"""A certificate of our own making, for a server that has no other."""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = datetime.timedelta(days=825)
"""As long as a certificate without a public authority may reasonably live."""
RENEW_BEFORE = datetime.timedelta(days=30)


def self_signed(name: str, directory: Path, now: datetime.datetime) -> tuple[Path, Path]:
    """Paths of a P-256 certificate for *name* and its key, made anew unless those that are there will do.

    P-256, because its handshakes cost a tenth of RSA's. The key has mode 0600. Raises OSError.
    """
    certificate_path = directory / "self-signed.pem"
    key_path = directory / "self-signed.key"
    if not _will_do(certificate_path, key_path, name, now):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        _write(key_path, _pem(key))
        _write(certificate_path, _certificate(name, key, now).public_bytes(serialization.Encoding.PEM))
    return certificate_path, key_path


def _will_do(certificate_path: Path, key_path: Path, name: str, now: datetime.datetime) -> bool:
    """Whether the two belong together (a crash may have come between them), to *name*, and to our time."""
    try:
        found = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    return (
        found.public_key() == key.public_key()
        and name in names.get_values_for_type(x509.DNSName)
        and found.not_valid_before_utc <= now < found.not_valid_after_utc - RENEW_BEFORE
    )


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    names = [
        x509.DNSName(name),
        *([x509.DNSName("localhost")] if name != "localhost" else []),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    """Durably, through a file that is ours alone."""
    temporary = path.with_suffix(path.suffix + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    temporary.rename(path)
