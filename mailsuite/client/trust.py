"""TLS to the server: always verified, by the system's authorities or a file of the user's."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates

_END = b"-----END CERTIFICATE-----"


class NoTrust(Exception):
    """The file of certificates cannot be used; the message says why."""


@attrs.frozen
class Trust:
    """Whom to believe. *ca_file*: PEM, one certificate or several; none: the system's authorities."""

    ca_file: Path | None = None

    def endpoint(self, reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
        """TLS from the first octet on. Raises NoTrust."""
        options = optionsForClientTLS(host, trustRoot=self._root())
        return wrapClientTLS(options, HostnameEndpoint(reactor, host, port))

    def _root(self) -> Any:
        if self.ca_file is not None:
            return _certificates(self.ca_file)
        if sys.platform in {"darwin", "win32"}:  # where OpenSSL finds no authorities of the system
            bundle = _bundle()
            if bundle is not None:
                return _certificates(bundle)
        return platformTrust()


def _certificates(path: Path) -> Any:
    try:
        parts = path.read_bytes().split(_END)[:-1]
        found = [Certificate.loadPEM(part + _END) for part in parts]
    except OSError as error:
        raise NoTrust(f"{path}: {error.strerror}") from error
    except Exception as error:  # cryptography's own kinds, by version
        raise NoTrust(f"{path}: that is no certificate in PEM form") from error
    if not found:
        raise NoTrust(f"{path}: there is no certificate in it")
    return trustRootFromCertificates(found)


def _bundle() -> Path | None:
    try:
        return Path(import_module("certifi").where())
    except ImportError:
        return None
