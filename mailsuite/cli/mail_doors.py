"""Where the running server takes mail from programs of this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from mailsuite.cli.context import Context, ProblemsFound
from mailsuite.cli.sysexits import Exit, MailFailed
from mailsuite.cli.terminal import clean

if TYPE_CHECKING:
    from mailsuite.config.schema import Config

RUN: Final = Path("/run/mailsuite")
"""Where sockets are looked for where the configuration cannot be read, as most people's programs cannot."""
CONNECT_TIMEOUT: Final = 30.0
"""Seconds."""
_EVERYWHERE: Final = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound here


@attrs.frozen
class MailDoor:
    """A Unix socket, or a port of this machine."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return clean(str(self.path or f"{self.host} port {self.port}"))

    def connect(self) -> socket.socket:
        """Raises MailFailed: nobody is there just now, or may not be asked."""
        try:
            if self.path is None:
                return socket.create_connection((self.host, self.port), CONNECT_TIMEOUT)
            return _connected(self.path)
        except PermissionError as error:
            raise MailFailed(
                Exit.TEMPFAIL, f"{self}: permission denied; socket_mode of the listener says who may use it"
            ) from error
        except OSError as error:
            raise MailFailed(
                Exit.TEMPFAIL, f"mailsuite is not running (tried {self}): {error.strerror or error}"
            ) from error


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_TIMEOUT)
        connection.connect(os.fspath(path))
    except BaseException:
        connection.close()
        raise
    return connection


def door_of(context: Context, service: str, named: Path | None) -> MailDoor:
    """The one that is *named*; else the one of the configuration; else, where that cannot be read, the usual
    place. Raises MailFailed where the configuration has none."""
    if named is not None:
        return MailDoor(named)
    try:
        config = context.config
    except (ProblemsFound, OSError):
        return MailDoor(RUN / f"{service}.sock")
    found = _configured(config, service)
    if found is None:
        raise MailFailed(
            Exit.CONFIG,
            f"no listener for {service} is enabled that programs of this machine can use; add one: "
            f'[[listener]] name = "{service}-local" service = "{service}" socket = "{RUN}/{service}.sock"',
        )
    return found


def _configured(config: Config, service: str) -> MailDoor | None:
    """Unix sockets first: there the system says who calls. LMTP alone may come by TCP: it wants no login."""
    listeners = [each for each in config.listeners if each.enabled and each.service == service]
    for listener in listeners:
        if listener.socket is not None:
            return MailDoor(listener.socket)
    for listener in listeners if service == "lmtp" else ():
        hosts = (_EVERYWHERE.get(address, address) for address in listener.bind)
        host = next((each for each in hosts if each in {"127.0.0.1", "::1"}), "")
        is_clear = listener.tls in {"off", "starttls"} and not listener.endpoint and not listener.proxy_from
        if host and listener.port and is_clear:
            return MailDoor(None, host, listener.port)
    return None
