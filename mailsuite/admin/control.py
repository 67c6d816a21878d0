"""The control socket: HTTP and JSON on a Unix socket, for those whom its file mode lets in."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.web.server import Site

from mailsuite.accounts.aliases import AliasRegistry
from mailsuite.accounts.login_delay import LoginDelay
from mailsuite.accounts.office import Office
from mailsuite.admin import checks
from mailsuite.admin.access import Access
from mailsuite.admin.accounts import Accounts
from mailsuite.admin.aliases import AllAliases, route_resource
from mailsuite.admin.bans import BanList
from mailsuite.admin.deleted import Report, RetentionReport
from mailsuite.admin.devices import AllDevices
from mailsuite.admin.domains import Domains
from mailsuite.admin.imports import AccountImport
from mailsuite.admin.metrics import metrics_resource
from mailsuite.admin.notices import Notices, notices_resource
from mailsuite.admin.protocol_log import log_resource
from mailsuite.admin.queue import Outbound, queue_resource
from mailsuite.admin.resources import (
    BoundedRequest,
    Desk,
    Document,
    JsonResource,
    Missing,
    bad_request,
    flag_field,
    optional_text,
)
from mailsuite.admin.services import AllServices
from mailsuite.admin.sessions import Sessions, impatient_resource
from mailsuite.config.schema import Config
from mailsuite.delivery.router import Router
from mailsuite.delivery.routing import configured_router
from mailsuite.delivery.srs import SenderRewriting
from mailsuite.frontends.premises import Premises
from mailsuite.interfaces import IMailStore
from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress
from mailsuite.policy.sender_lists import Lists
from mailsuite.services.control import Services

SOCKET_MODE = 0o660
"""Owner and group may use the command line, nobody else."""
DIRECTORY_MODE = 0o750
"""Of the directory that the socket is in, where we make it."""
REQUEST_TIMEOUT = 60.0
"""Seconds without an octet of a request, or between two."""
MAX_SOCKET_PATH = 107
"""Octets in the path of a Unix socket (sun_path of unix(7), less its NUL)."""

_SOMEBODY_LISTENS = {0, errno.EAGAIN}
"""What connect() answers: done, or the queue of connections is full (unix(7))."""


class ControlError(Exception):
    """The control socket cannot be opened; the message says why."""


@attrs.frozen
class Operations:
    """What the running suite lets the control API do beyond accounts."""

    config: Callable[[], Config]
    """The one in force."""
    status: Callable[[], Awaitable[Document]]
    reload: Callable[[IPAddress | None, bool], Awaitable[tuple[int, Document]]]
    """With the address of whoever asks, where that is known, and whether it is to be forced."""
    services: Services
    premises: Premises
    store: IMailStore
    outbound: Outbound
    lists: Lists
    """Of senders, and of recipients elsewhere."""
    retention: Report
    """What retention would remove."""
    delay: LoginDelay
    notices: Notices | None = None
    """None: nobody is told of anything."""
    rewriting: SenderRewriting | None = None
    """Whose addresses ``mailsuite route`` can read; None: nobody's."""


def control_site(reactor: Any, desk: Desk, office: Office, operations: Operations) -> Site:
    """The resources below ``/v1``."""

    async def status(body: Document) -> tuple[int, Document]:
        return 200, await operations.status()

    async def reload(body: Document) -> tuple[int, Document]:
        return await operations.reload(_caller(body), flag_field(body, "force"))

    version = Missing()
    _put_people(version, desk, office, operations)
    _put_connections(version, desk, office, operations)
    version.putChild(b"queue", queue_resource(desk, operations.outbound))
    if operations.notices is not None:
        version.putChild(b"notices", notices_resource(desk, operations.notices))
    version.putChild(b"status", JsonResource(desk, {"GET": status}))
    version.putChild(b"reload", JsonResource(desk, {"POST": reload}))
    root = Missing()
    root.putChild(b"v1", version)
    return _QuietSite(root, BoundedRequest, timeout=REQUEST_TIMEOUT, reactor=reactor)


def _caller(body: Document) -> IPAddress | None:
    """From where the administrator came to this machine; the command line says it."""
    text = optional_text(body, "from")
    try:
        return None if text is None else unmapped(ip_address(text))
    except ValueError as error:
        raise bad_request("from is no IP address") from error


def _put_people(version: Missing, desk: Desk, office: Office, operations: Operations) -> None:
    accounts = Accounts(
        desk,
        office.registry,
        office.devices,
        operations.store,
        outbound=operations.outbound,
        notices=operations.notices,
        general=lambda: operations.config().delivery.quota,
    )
    version.putChild(b"retention", RetentionReport(desk, operations.retention))
    accounts.putChild(b"import", AccountImport(desk, office.registry))
    version.putChild(b"accounts", accounts)
    version.putChild(b"domains", Domains(desk, office.registry, operations.store))
    directory = office.registry.directory

    def sends() -> bool:
        return operations.config().queue.takes

    def router() -> Router:
        return configured_router(
            operations.config(), directory, None, sends=sends(), rewriting=operations.rewriting
        )

    version.putChild(b"aliases", AllAliases(desk, AliasRegistry(directory, sends)))

    version.putChild(b"route", route_resource(desk, router, operations.config, operations.lists))
    version.putChild(b"devices", AllDevices(desk, office.devices))
    version.putChild(b"keys", checks.keys(desk, office.keys))
    version.putChild(b"auth", checks.auth(desk, office.rehearsal))
    version.putChild(b"what-if", checks.what_if(desk, office.what_if))


def _put_connections(version: Missing, desk: Desk, office: Office, operations: Operations) -> None:
    premises, services = operations.premises, operations.services
    doors = services.doors

    def services_by_listener() -> dict[str, str]:
        return {listener.name: listener.service for listener in doors.listeners}

    version.putChild(b"bans", BanList(desk, premises.bans))
    version.putChild(b"access", Access(desk, premises.access, premises.bans, services_by_listener))
    version.putChild(b"services", AllServices(desk, services, operations.config))
    version.putChild(b"sessions", Sessions(desk, doors))
    version.putChild(b"impatient", impatient_resource(desk, operations.delay))
    version.putChild(b"metrics", metrics_resource(desk, premises.metrics))
    version.putChild(b"log", log_resource(desk, premises.watches, office.registry.account))


class _QuietSite(Site):
    """Keeps no access log: what was changed is logged by the resource that changed it."""

    noisy = False

    def log(self, request: object) -> None:
        """Nothing."""


def open_control_socket(reactor: Any, path: Path, group: str, site: Site) -> IListeningPort:
    """Listen on *path*, replacing what a dead server left. Raises ControlError."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ControlError(
            f"{path}: longer than the {MAX_SOCKET_PATH} octets that a Unix socket's path may have"
        )
    try:
        path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        _clear(path)
        port: IListeningPort = reactor.listenUNIX(os.fspath(path), site, mode=SOCKET_MODE)
    except CannotListenError as error:
        raise ControlError(f"{path}: {_reason(error.socketError)}") from error
    except OSError as error:
        raise ControlError(f"{path}: {_reason(error)}") from error
    try:
        if group:
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError as error:
        port.stopListening()
        raise ControlError(f"server.control_group: there is no group {group!r}") from error
    except OSError as error:
        port.stopListening()
        raise ControlError(
            f"server.control_group: {path} cannot be given to {group!r}: {_reason(error)}"
        ) from error
    return port


def _clear(path: Path) -> None:
    """Remove a socket on which nobody listens any more, and nothing else."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise ControlError(f"{path}: something else than a socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        if probe.connect_ex(os.fspath(path)) in _SOMEBODY_LISTENS:
            raise ControlError(f"{path}: another server listens there")
    path.unlink()


def _reason(error: object) -> str:
    return getattr(error, "strerror", None) or str(error)
