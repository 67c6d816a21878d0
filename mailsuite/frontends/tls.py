"""TLS on listeners: certificates with their keys, and contexts made of them.

pyOpenSSL refuses changes to a context that has made a connection, so new ones are made where a certificate
has changed; sessions that run keep theirs. Only TLS 1.2 and 1.3, forward secrecy, no compression, no
renegotiation (RFC 9325).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates
from OpenSSL import SSL
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.concurrent.watch import Stamp, stamps

CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""RFC 9325 section 4.2, for TLS 1.2; TLS 1.3 brings its own."""
MAX_PEM_OCTETS = 1 << 20
"""A thousand certificates; whatever is longer is none."""

_MINIMUM = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_EXPORTER_LABEL = b"EXPORTER-Channel-Binding"
_EXPORTER_OCTETS = 32
_NO_RENEGOTIATION: int = getattr(SSL, "OP_NO_RENEGOTIATION", 1 << 30)


class CertificateError(Exception):
    """The certificate or its key cannot be used; the message names the file and the reason."""


@implementer(IOpenSSLServerConnectionCreator)
@attrs.define(eq=False)
class ServerTLS:
    """Makes the server's side of TLS connections, by the context of now."""

    context: SSL.Context

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self.context, None)
        # It may be switched to another context by a callback of this one, which OpenSSL calls a second time
        # after a HelloRetryRequest: it must not be gone by then.
        connection.set_app_data(self.context)
        return connection


Pair = tuple[Path, Path]
"""A certificate and its key; both may be in one file."""


@attrs.frozen
class Credentials:
    """What was read of a pair. Two are equal where a client would see no difference."""

    pair: Pair
    chain: tuple[Certificate, ...]
    """Our own certificate, and those that lead to an authority."""
    key: Any = attrs.field(repr=False, eq=False)
    seen: Mapping[Path, Stamp | None] = attrs.field(factory=dict, repr=False, eq=False)
    """How the files stood before they were read."""

    @property
    def certificate(self) -> Certificate:
        return self.chain[0]


def load_context(certificate: Path, key: Path, minimum_version: str) -> SSL.Context:
    """Read a PEM certificate chain and its key. Raises CertificateError."""
    return make_context(read_credentials((certificate, key)), minimum_version)


def read_credentials(pair: Pair) -> Credentials:
    """Read a PEM certificate chain and its key, which fit together. Raises CertificateError."""
    certificate, key = pair
    seen = stamps(pair)
    try:
        chain = tuple(load_pem_x509_certificates(_read(certificate)))
    except ValueError as error:
        raise CertificateError(f"{certificate}: holds no PEM certificate") from error
    private_key = _private_key(key)
    try:
        fits = chain[0].public_key() == private_key.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{certificate}: is for a kind of key that is not known here") from error
    if not fits:
        raise CertificateError(f"{key}: is not the key of {certificate}")
    return Credentials(pair, chain, private_key, seen)


def make_context(credentials: Credentials, minimum_version: str) -> SSL.Context:
    """A context that nobody has used yet. Raises CertificateError where OpenSSL finds it too weak."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(_MINIMUM[minimum_version])
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | _NO_RENEGOTIATION)
    context.set_cipher_list(CIPHERS)
    context.set_session_id(b"mailsuite")
    try:
        context.use_certificate(credentials.certificate)
        for certificate in credentials.chain[1:]:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(credentials.key)
        context.check_privatekey()
    except (SSL.Error, TypeError) as error:
        reason = _openssl_words(error) or "is of a kind that TLS does not know"
        raise CertificateError(f"{credentials.pair[0]}: cannot be used: {reason}") from error
    return context


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PEM_OCTETS)
    except OSError as error:
        raise CertificateError(f"{path}: cannot be read: {error.strerror}") from error


def _private_key(path: Path) -> Any:
    """The key, read without OpenSSL, which would ask for a passphrase on the terminal and wait."""
    try:
        return load_pem_private_key(_read(path), password=None)
    except TypeError as error:
        raise CertificateError(f"{path}: has a passphrase, and nobody is there to give it") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{path}: holds no PEM private key") from error


def describe_tls(transport: Any) -> str:
    """Version and cipher of a TLS connection, for example ``TLSv1.3 TLS_AES_256_GCM_SHA384``."""
    connection = transport.getHandle()
    return f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}"


def channel_bindings(transport: Any) -> dict[str, bytes]:
    """What tells a TLS connection from all others, on both of its sides, by type of channel binding.

    ``tls-exporter`` (RFC 9266) on TLS 1.3 alone: on TLS 1.2 it is safe only with an extension that nobody
    here can insist on. ``tls-server-end-point`` (RFC 5929) on every version, where it is defined.
    """
    connection = transport.getHandle()
    bindings = {}
    if connection.get_protocol_version() >= SSL.TLS1_3_VERSION:
        bindings["tls-exporter"] = connection.export_keying_material(_EXPORTER_LABEL, _EXPORTER_OCTETS, b"")
    if digest := end_point(connection.get_certificate().to_cryptography()):
        bindings["tls-server-end-point"] = digest
    return bindings


def end_point(certificate: Certificate) -> bytes:
    """The hash of the certificate by the hash of its signature, SHA-256 in place of MD5 and SHA-1
    (RFC 5929 section 4.1); empty where the signature has no hash of its own, as Ed25519's has not."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return b""
    if algorithm is None:
        return b""
    weak = isinstance(algorithm, hashes.MD5 | hashes.SHA1)
    digest = hashes.Hash(hashes.SHA256() if weak else algorithm)
    digest.update(certificate.public_bytes(Encoding.DER))
    return digest.finalize()


def is_shut(transport: Any) -> bool:
    """Whether the client has ended the TLS connection (close_notify): nothing that is written from then on
    gets out, though the TCP connection may last until what was written before has left (RFC 8446 section 6.1
    would let it read on; Twisted does not)."""
    return bool(transport.getHandle().get_shutdown() & SSL.RECEIVED_SHUTDOWN)


def hang_up(transport: Any) -> None:
    """Wait no longer for the client to end TLS, which need not do so (RFC 8446 section 6.1): close the
    connection below, once all that was written has left. In clear that is under way already."""
    above = transport if isinstance(transport, TLSMemoryBIOProtocol) else getattr(transport, "protocol", None)
    if isinstance(above, TLSMemoryBIOProtocol):
        below: Any = above.transport
        below.loseConnection()


def describe_failure(reason: Failure) -> str:
    """Why a handshake came to nothing, in OpenSSL's words or our own."""
    error = reason.value
    if words := _openssl_words(error):
        return words
    if isinstance(error, ConnectionClosed):
        return "the client went away"
    return type(error).__name__


def _openssl_words(error: BaseException | None) -> str:
    """What OpenSSL says about an error of its own; empty where it says nothing."""
    queue = error.args[0] if isinstance(error, SSL.Error) and error.args else None
    return ", ".join(entry[-1] for entry in queue) if isinstance(queue, list) else ""
