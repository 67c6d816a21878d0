"""The server at the other end, for the commands that speak a protocol by hand."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote, urlsplit

import attrs
import click

from mailsuite.cli.context import CommandFailed, NotReachable
from mailsuite.cli.terminal import clean
from mailsuite.model.address import normalise_domain

CONNECT_TIMEOUT: Final = 60.0
"""Seconds for the connection, and for each answer; RFC 5321 section 4.5.3.2 asks for more only of those
who do not sit in front of it."""


@attrs.frozen
class Scheme:
    """What the beginning of a server's address means."""

    port: int
    implicit_tls: bool = False


@attrs.frozen
class Peer:
    """A server as a person names it: ``pop3s://joe%40example.net@mail.example.net:995``."""

    scheme: str
    host: str
    port: int
    implicit_tls: bool
    user: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether the name alone says that it is this machine."""
        if _is_ip_address(self.host):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return clean(f"{host}:{self.port}")


def parse_peer(text: str, schemes: Mapping[str, Scheme]) -> Peer:
    """Read ``scheme://[user@]host[:port]``. Raises UsageError, and never repeats a password."""
    known = ", ".join(f"{name}://" for name in schemes)
    name, _, rest = text.partition("://")
    if not rest or name.lower() not in schemes:
        raise click.UsageError(f"a server is named like host.example with one of these in front: {known}")
    user_text, at, place = rest.rpartition("@")
    if at and ":" in user_text:
        raise click.UsageError("no password may stand in an address: it is asked for, or --password-file")
    host, port = _host_and_port(place)
    user = unquote(user_text)
    if not user.isprintable():
        raise click.UsageError("the user name has a control character")
    scheme = schemes[name.lower()]
    return Peer(name.lower(), host, scheme.port if port is None else port, scheme.implicit_tls, user)


def _host_and_port(place: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname or "", parts.port
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError
        return (host if _is_ip_address(host) else normalise_domain(host)), port
    except ValueError as error:
        raise click.UsageError(f"{place!r} is no host and port") from error


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def tls_context(peer: Peer, insecure: bool) -> ssl.SSLContext:
    """Certificates are verified, but for this machine, or where the person does not want it."""
    context = ssl.create_default_context()
    if insecure or peer.is_loopback:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def tls_text(connection: socket.socket | None) -> str:
    """``TLSv1.3``, or that there is none."""
    version = connection.version() if isinstance(connection, ssl.SSLSocket) else None
    return version or "without TLS"


@contextmanager
def peer_failures(peer: Peer) -> Iterator[None]:
    """What goes wrong on the way to the server, in words."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise CommandFailed(
            f"{peer}: the certificate is not good: {clean(error.verify_message)}; "
            "--insecure goes on all the same"
        ) from error
    except ssl.SSLError as error:
        reason = clean(getattr(error, "reason", "") or str(error)).lower().replace("_", " ")
        raise CommandFailed(f"{peer}: no TLS could be agreed on: {reason}") from error
    except socket.gaierror as error:
        raise NotReachable(f"{peer}: {clean(error.strerror or str(error))}") from error
    except TimeoutError as error:
        raise NotReachable(f"{peer}: no answer in time") from error
    except ConnectionRefusedError as error:
        raise NotReachable(f"{peer}: nothing listens there") from error
    except (OSError, EOFError) as error:
        reason = clean(getattr(error, "strerror", None) or str(error)) or "the connection was cut"
        raise NotReachable(f"{peer}: {reason}") from error
