"""A configuration from a text, on a machine that is the same everywhere."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailsuite.config.load import Loaded, load
from mailsuite.config.machine import Machine

MACHINE = Machine("host.example.net", Path("/var/lib/mailsuite"), datetime.date(2026, 11, 21))

LoadText = Callable[..., Loaded]


@pytest.fixture
def load_text(tmp_path: Path) -> LoadText:
    """Loads a text as mailsuite.toml; further files of the folder by name."""

    def loaded(
        text: str,
        *,
        files: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Sequence[str] = (),
    ) -> Loaded:
        for name, content in {"mailsuite.toml": text, **(files or {})}.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content, "utf-8")
        return load(tmp_path / "mailsuite.toml", environ or {}, overrides, MACHINE)

    return loaded


def _self_signed(file: Path) -> Path:
    """A certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "host.example.net")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(certificate.public_bytes(pem) + secret)
    file.chmod(0o600)
    return file


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return _self_signed(tmp_path / "server.pem")


@pytest.fixture
def other_pem(tmp_path: Path) -> Path:
    return _self_signed(tmp_path / "other.pem")
