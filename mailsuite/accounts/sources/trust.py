"""Whose certificates a source may show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet._sslverify import IOpenSSLTrustRoot  # public in all but its place
from twisted.internet.ssl import platformTrust
from zope.interface import implementer

MAX_FILE_OCTETS = 4 << 20
"""Of a file of certificates: the whole list of Mozilla has a quarter of a megabyte."""


class SourceError(Exception):
    """A source cannot be used at all; the message says which and why, in words for a person."""


@implementer(IOpenSSLTrustRoot)
@attrs.frozen
class TrustedFile:
    """The certificates of a PEM file. Twisted's own way to trust some takes pyOpenSSL's old objects."""

    file: Path

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        context.load_verify_locations(str(self.file))


def trust_root(ca_file: Path | None) -> Any:
    """Those of a PEM file, or those of the system. Raises SourceError."""
    if ca_file is None:
        return platformTrust()
    try:
        with ca_file.open("rb") as stream:
            load_pem_x509_certificates(stream.read(MAX_FILE_OCTETS))
    except OSError as error:
        raise SourceError(f"ca_file: {ca_file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SourceError(f"ca_file: {ca_file} holds no PEM certificate") from error
    return TrustedFile(ca_file)


NOT_TRUSTED = (SSL.Error, VerificationError)
"""How a handshake fails: for OpenSSL, or for the name in the certificate."""


def tls_reason(error: BaseException) -> str:
    """Why there is no TLS, in words for the log."""
    if isinstance(error, VerificationError):
        return "TLS failed: the certificate is for another name"
    queue = error.args[0] if error.args else None
    words = ", ".join(entry[-1] for entry in queue) if isinstance(queue, list) else ""
    return f"TLS failed: {words or 'the connection was closed'}"
