"""The control socket: HTTP and JSON on a Unix socket, for those whom its file mode lets in."""

from __future__ import annotations

import grp
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.interfaces import IListeningPort
from twisted.web.resource import NoResource, Resource
from twisted.web.server import Site

from mailsuite.accounts.registry import Registry
from mailsuite.admin.accounts import Accounts, Domains
from mailsuite.admin.resources import Document, JsonResource
from mailsuite.observe.log import Log

SOCKET_MODE = 0o660
"""Owner and group may use the command line, nobody else."""
MAX_SOCKET_PATH = 107
"""Octets in the path of a Unix socket (sun_path of unix(7), less its NUL)."""


class ControlError(Exception):
    """The control socket cannot be opened; the message says why."""


@attrs.frozen
class Operations:
    """What the running suite lets the control API do beyond accounts."""

    status: Callable[[], Awaitable[Document]]
    reload: Callable[[], Awaitable[tuple[int, Document]]]


def control_site(log: Log, registry: Registry, operations: Operations) -> Site:
    """The resources below ``/v1``."""

    async def status(body: Document) -> tuple[int, Document]:
        return 200, await operations.status()

    async def reload(body: Document) -> tuple[int, Document]:
        return await operations.reload()

    version = NoResource()
    version.putChild(b"accounts", Accounts(log, registry))
    version.putChild(b"domains", Domains(log, registry))
    version.putChild(b"status", JsonResource(log, {"GET": status}))
    version.putChild(b"reload", JsonResource(log, {"POST": reload}))
    root: Resource = NoResource()
    root.putChild(b"v1", version)
    site = _QuietSite(root)
    site.noisy = False
    return site


class _QuietSite(Site):
    """Keeps no access log: what was changed is logged by the resource that changed it."""

    def log(self, request: object) -> None:
        """Nothing."""


def open_control_socket(reactor: Any, path: Path, group: str, site: Site) -> IListeningPort:
    """Listen on *path*, replacing what a dead server left. Raises ControlError."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ControlError(
            f"{path}: longer than the {MAX_SOCKET_PATH} octets that a Unix socket's path may have"
        )
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        port: IListeningPort = reactor.listenUNIX(os.fspath(path), site, mode=SOCKET_MODE)
        if group:
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError as error:
        raise ControlError(f"server.control_group: there is no group {group!r}") from error
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror}") from error
    return port
