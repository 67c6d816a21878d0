"""The certificate of our own making: when it is made, and when it is made anew."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mailsuite.frontends.certificates import LIFE, RENEW_BEFORE, _certificate, self_signed
from mailsuite.frontends.tls import load_context

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NAME = "mail.example.test"


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_is_for_the_name_and_for_this_machine(tmp_path: Path) -> None:
    certificate, key = self_signed(NAME, tmp_path / "a" / "tls", NOW)
    found = read(certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME, "localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert found.not_valid_before_utc < NOW < found.not_valid_after_utc == NOW + LIFE
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    load_context(certificate, key, "1.2")


def test_nobody_else_reads_the_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        _, key = self_signed(NAME, tmp_path / "tls", NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in key.parent.iterdir()) == ["self-signed.key", "self-signed.pem"]


@pytest.mark.parametrize(
    "name", ["localhost", "a" * 60 + ".example.test", "x" * 63 + "." + "y" * 63 + ".test"]
)
def test_any_host_name(name: str, tmp_path: Path) -> None:
    certificate, _ = self_signed(name, tmp_path, NOW)
    names = read(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(dict.fromkeys([name, "localhost"]))


@pytest.mark.parametrize("later", [datetime.timedelta(), LIFE - RENEW_BEFORE - DAY])
def test_it_is_kept(tmp_path: Path, later: datetime.timedelta) -> None:
    certificate, key = self_signed(NAME, tmp_path, NOW)
    before = certificate.read_bytes(), key.read_bytes()
    assert self_signed(NAME, tmp_path, NOW + later) == (certificate, key)
    assert (certificate.read_bytes(), key.read_bytes()) == before


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("other.example.test", NOW),
        (NAME, NOW + LIFE - RENEW_BEFORE + DAY),
        (NAME, NOW + LIFE + DAY),
        (NAME, NOW - DAY),  # the clock was wrong when it was made
    ],
)
def test_it_is_made_anew(tmp_path: Path, name: str, when: datetime.datetime) -> None:
    certificate, _ = self_signed(NAME, tmp_path, NOW)
    before = certificate.read_bytes()
    certificate, key = self_signed(name, tmp_path, when)
    assert certificate.read_bytes() != before
    assert read(certificate).not_valid_before_utc <= when
    load_context(certificate, key, "1.2")


def other_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 2000, None])
@pytest.mark.parametrize("which", [0, 1])
def test_whatever_is_left_of_it_is_mended(tmp_path: Path, which: int, content: bytes | None) -> None:
    pair = self_signed(NAME, tmp_path, NOW)
    pair[which].unlink() if content is None else pair[which].write_bytes(content)
    load_context(*self_signed(NAME, tmp_path, NOW), "1.2")


def test_a_crash_between_key_and_certificate_is_mended(tmp_path: Path) -> None:
    pair = self_signed(NAME, tmp_path, NOW)
    pair[1].write_bytes(other_key())
    load_context(*self_signed(NAME, tmp_path, NOW), "1.2")


def test_a_certificate_that_somebody_else_put_there(tmp_path: Path) -> None:
    """One without names of its own must not raise."""
    certificate, key_path = self_signed(NAME, tmp_path, NOW)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([])
    foreign = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + LIFE)
        .sign(key, _certificate(NAME, key, NOW).signature_hash_algorithm)
    )
    certificate.write_bytes(foreign.public_bytes(serialization.Encoding.PEM))
    load_context(*self_signed(NAME, tmp_path, NOW), "1.2")
    assert key_path.exists()


def test_what_a_crash_left_and_a_link_that_somebody_laid_do_no_harm(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    directory = tmp_path / "tls"
    directory.mkdir()
    (directory / "self-signed.key.new").symlink_to(victim)
    (directory / "self-signed.pem.new").write_text("half of one")
    load_context(*self_signed(NAME, directory, NOW), "1.2")
    assert victim.read_text() == "untouched"


def test_a_directory_that_cannot_be_made_or_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        self_signed(NAME, tmp_path / "file", NOW)
    with pytest.raises(OSError, match="proc"):
        self_signed(NAME, Path("/proc/tls"), NOW)
