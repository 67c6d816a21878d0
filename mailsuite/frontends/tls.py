"""TLS on listeners: one context per certificate, replaced whole at a reload, never edited.

pyOpenSSL refuses changes to a context that has made a connection, so a reload builds a new one; sessions
that run keep theirs. Only TLS 1.2 and 1.3, forward secrecy, no compression, no renegotiation (RFC 9325).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""RFC 9325 section 4.2, for TLS 1.2; TLS 1.3 brings its own."""

_MINIMUM = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


class CertificateError(Exception):
    """The certificate or its key cannot be used; the message names the file and the reason."""


def load_context(certificate: str, key: str, minimum_version: str) -> SSL.Context:
    """Read a PEM certificate chain and its key. Raises CertificateError."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(_MINIMUM[minimum_version])
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | getattr(SSL, "OP_NO_RENEGOTIATION", 1 << 30)
    )
    context.set_cipher_list(CIPHERS)
    context.set_session_id(b"mailsuite")
    for path in (certificate, key):
        if not os.access(path, os.R_OK):
            raise CertificateError(f"{path}: cannot be read")
    try:
        context.use_certificate_chain_file(certificate)
    except SSL.Error as error:
        raise CertificateError(f"{certificate}: holds no PEM certificate") from error
    try:
        context.use_privatekey_file(key)
        context.check_privatekey()
    except SSL.Error as error:
        raise CertificateError(f"{key}: is not the key of {certificate}") from error
    return context


@implementer(IOpenSSLServerConnectionCreator)
@attrs.define
class ServerTLS:
    """Gives each new connection the context of the day."""

    context: SSL.Context

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        return SSL.Connection(self.context, None)


def describe_tls(transport: Any) -> str:
    """Version and cipher of a TLS connection, for example ``TLSv1.3 TLS_AES_256_GCM_SHA384``."""
    connection = transport.getHandle()
    return f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}"


Pair = tuple[Path, Path]
"""A certificate and its key."""


@attrs.define
class Certificates:
    """The pairs in use. A reload reads all files again; a pair that is broken changes none."""

    pairs: dict[Pair, ServerTLS] = attrs.field(factory=dict, init=False)

    def read(self, wanted: Iterable[Pair], minimum_version: str) -> dict[Pair, SSL.Context]:
        """Contexts for *wanted*. Raises CertificateError; then nothing has changed."""
        return {pair: load_context(str(pair[0]), str(pair[1]), minimum_version) for pair in wanted}

    def use(self, contexts: Mapping[Pair, SSL.Context]) -> None:
        """From now on new connections get these."""
        for pair, context in contexts.items():
            if pair in self.pairs:
                self.pairs[pair].context = context
            else:
                self.pairs[pair] = ServerTLS(context)
