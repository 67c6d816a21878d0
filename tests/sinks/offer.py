"""What a sink is: the extensions it offers, its certificate, whom it lets in."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import attrs

from tests.accounts.sources.certificates import Pair


@attrs.frozen(eq=False)
class Offer:
    """What a server of this kind offers, and how it goes on where the script says nothing."""

    name: str = "mx.elsewhere.example"
    lmtp: bool = False
    extensions: tuple[str, ...] = (
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "DSN",
        "CHUNKING",
        "ENHANCEDSTATUSCODES",
    )
    """What EHLO says, but for SIZE, STARTTLS, AUTH and REQUIRETLS, which follow from the rest."""
    size: int | None = 50 << 20
    """Octets of the largest message; None: SIZE is not offered."""
    tls: ssl.SSLContext | None = None
    """For STARTTLS."""
    implicit: bool = False
    """TLS is there from the beginning."""
    require_tls: bool = False
    """REQUIRETLS is offered under TLS (RFC 8689)."""
    logins: Mapping[str, str] = attrs.field(factory=dict)
    """Names and passwords; where there are some, AUTH is offered, and mail taken of nobody else."""
    login_in_clear: bool = False
    receive_buffer: int = 0
    """Octets that the kernel keeps for us; 0: as it likes."""

    def offered(self, encrypted: bool) -> list[str]:
        """What EHLO says."""
        words = [*self.extensions]
        if self.size is not None:
            words.append(f"SIZE {self.size}")
        if self.tls and not encrypted:
            words.append("STARTTLS")
        if self.require_tls and encrypted:
            words.append("REQUIRETLS")
        if self.logins and (encrypted or self.login_in_clear):
            words.append("AUTH PLAIN LOGIN")
        return words


def encrypting(pair: Pair, **settings: Any) -> Offer:
    """A server with STARTTLS and this certificate."""
    return Offer(tls=server_context(pair), **settings)


def server_context(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def asked_name(connection: ssl.SSLSocket) -> str:
    """The name that the client has asked for, after keep_names()."""
    return getattr(connection, "asked_name", "")


class _Socket(ssl.SSLSocket):
    """One that is closed where it cannot even begin, for the client has gone: nobody else has it then."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except OSError:
            if self.session is None:
                self.close()
            raise


def keep_names(context: ssl.SSLContext) -> None:
    """From now on the name that a client asks for (SNI) is known of each connection."""
    context.sslsocket_class = _Socket
    context.sni_callback = lambda connection, name, _: setattr(connection, "asked_name", name or "")
