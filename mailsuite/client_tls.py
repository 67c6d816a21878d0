"""The client's side of TLS, for mail and for notices.

Where the certificate of the other side must be right, the name in it must be the one of the host that was
connected to (RFC 9525), and an authority that is trusted must have signed it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from mailsuite.interfaces import IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import TLS_UNCHECKABLE

ROOTS_AGE: Final = 3600.0
"""Seconds after which the trusted authorities are read again."""
MAX_CONTEXTS: Final = 100

_MINIMUM: Final = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_WORDS: Final = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself",
    19: "is signed by an authority that is not trusted",
    20: "is signed by an authority that is not trusted",
    21: "is signed by an authority that is not trusted",
}
"""What is wrong with a certificate, by X509_V_ERR_... of OpenSSL."""


class _Connection(SSL.Connection):
    """One that knows what it is checked by; its app data is Twisted's."""

    creator: ClientTls


@implementer(IOpenSSLClientConnectionCreator)
@attrs.define(eq=False)
class ClientTls:
    """Makes the client's side of one TLS connection with one host."""

    context: SSL.Context = attrs.field(repr=False)
    name: str
    """A host name in A-labels, or an IP address."""
    objection: str = attrs.field(default="", init=False)
    """What is wrong with the other side's certificate, where the handshake failed for that."""

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = _Connection(self.context, None)
        connection.creator = self
        if not _is_address(self.name):  # RFC 6066 section 3: the server name indication has no addresses
            connection.set_tlsext_host_name(self.name.encode("ascii"))
        return connection

    def check(self, certificate: X509, error: int, depth: int, is_right: bool) -> bool:
        """Judge one certificate of the chain, whose signature and dates OpenSSL has found right or not; the
        host's own is the last, at depth 0."""
        if not is_right:
            self.objection = f"the certificate {_WORDS.get(error, f'is wrong (X509 error {error})')}"
            return False
        if depth:
            return True
        check = verify_certificate_ip_address if _is_address(self.name) else verify_certificate_hostname
        try:
            check(certificate.to_cryptography(), self.name)
        except (VerificationError, CertificateError):
            self.objection = f"the certificate is not for {self.name}"
        except Exception:  # a stranger's certificate can be anything
            self.objection = "the certificate cannot be read"
        return not self.objection


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _checked(connection: SSL.Connection, certificate: X509, error: int, depth: int, is_right: int) -> bool:
    """Called by OpenSSL; False ends the handshake. The context is shared, the connection knows its host."""
    assert isinstance(connection, _Connection)  # noqa: S101
    return connection.creator.check(certificate, error, depth, bool(is_right))


@attrs.define(eq=False)
class ClientContexts:
    """OpenSSL's contexts for all connections to other servers. They are shared: to read what the system
    trusts takes longer than a handshake."""

    threads: IThreads
    seconds: Callable[[], float]
    minimum_version: str = "1.2"
    """``tls.minimum_version``."""
    _kept: dict[tuple[bool, Path | None, str], tuple[float, SSL.Context]] = attrs.field(
        factory=dict, init=False
    )

    async def creator(self, name: str, *, verify: bool, ca_file: Path | None = None) -> ClientTls:
        """For one connection with the host of that name; *verify*: its certificate must be for that name, and
        signed by whom *ca_file* names (None: by whom the system trusts). Raises TemporaryFailure where that
        cannot be used."""
        key = (verify, ca_file if verify else None, self.minimum_version)
        until, context = self._kept.get(key, (0.0, None))
        if context is None or until <= self.seconds():
            context = await self.threads.run(partial(_context, *key))
            while len(self._kept) >= MAX_CONTEXTS:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = (self.seconds() + ROOTS_AGE, context)
        return ClientTls(context, name)


def _context(verify: bool, ca_file: Path | None, minimum_version: str) -> SSL.Context:
    """Reads the trusted authorities from the disk."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(_MINIMUM[minimum_version])
    context.set_options(SSL.OP_NO_COMPRESSION)
    context.set_verify(SSL.VERIFY_PEER if verify else SSL.VERIFY_NONE, _checked if verify else None)
    if verify and ca_file is None:
        context.set_default_verify_paths()
    elif verify:
        try:
            context.load_verify_locations(str(ca_file))
        except SSL.Error:
            raise TemporaryFailure(TLS_UNCHECKABLE, f"{ca_file}: holds no PEM certificates") from None
    return context
