"""Whose certificates a source may show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.ssl import Certificate, platformTrust, trustRootFromCertificates

MAX_FILE_OCTETS = 4 << 20
"""Of a file of certificates: the whole list of Mozilla has a quarter of a megabyte."""

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


class SourceError(Exception):
    """A source cannot be used at all; the message says which and why, in words for a person."""


def trust_root(ca_file: Path | None) -> Any:
    """Those of a PEM file, or those of the system. Raises SourceError."""
    if ca_file is None:
        return platformTrust()
    try:
        with ca_file.open("rb") as stream:
            octets = stream.read(MAX_FILE_OCTETS)
    except OSError as error:
        raise SourceError(f"ca_file: {ca_file} cannot be read: {error.strerror}") from None
    certificates = []
    for part in octets.split(_BEGIN)[1:]:
        pem = _BEGIN + part.partition(_END)[0] + _END + b"\n"
        try:
            certificates.append(Certificate.loadPEM(pem))
        except Exception as error:  # what pyOpenSSL raises differs from version to version
            raise SourceError(f"ca_file: {ca_file} holds a certificate that cannot be read") from error
    if not certificates:
        raise SourceError(f"ca_file: {ca_file} holds no PEM certificate")
    return trustRootFromCertificates(certificates)


def tls_reason(error: SSL.Error) -> str:
    """Why there is no TLS, in OpenSSL's words."""
    queue = error.args[0] if error.args else None
    words = ", ".join(entry[-1] for entry in queue) if isinstance(queue, list) else ""
    return f"TLS failed: {words or 'the connection was closed'}"
