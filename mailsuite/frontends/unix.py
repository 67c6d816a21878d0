"""Unix sockets: opened with their rights, and cleared away without harm to anybody else's."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import attrs
from twisted.internet import tcp, unix
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

DIRECTORY_MODE: Final = 0o755
"""Of the folder that a socket is in, where we make it: the socket's own mode says who may use it."""
MAX_PATH: Final = 107
"""Octets in the path of a Unix socket (sun_path of unix(7), less its NUL)."""
_FOR_NOBODY: Final = 0o600
"""Until the socket has its rights."""
_CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred of unix(7): process, user, group."""


@attrs.frozen
class Rights:
    """Whose a socket is, and who may connect to it; an empty name leaves it as it is."""

    owner: str = ""
    group: str = ""
    mode: int = 0o660


@attrs.frozen
class Caller:
    """Whoever has connected to a Unix socket: a user of this machine."""

    user: int | None
    """Their id; None where the kernel does not say it."""

    @property
    def is_root(self) -> bool:
        return self.user == 0


class Doorstep(Protocol):
    """A connection to a Unix socket until it is known who calls, which only its transport can tell. Then the
    session takes its place there."""

    def __init__(self, enter: Callable[[Caller], Protocol | None]) -> None:
        """*enter* makes what talks to a caller; None: nobody does."""
        self._enter = enter

    def connectionMade(self) -> None:
        transport: Any = self.transport
        session = self._enter(Caller(caller_of(transport)))
        if session is None:
            transport.abortConnection()
            return
        transport.protocol = session
        session.makeConnection(transport)


class UnixPort(unix.Port):
    """Listens on a path. What a dead server left there is replaced; whatever else is there stays."""

    def __init__(self, reactor: Any, path: str, factory: Factory, backlog: int, rights: Rights) -> None:
        super().__init__(os.fsencode(path), factory, backlog, _FOR_NOBODY, reactor)
        self._path = path
        self.rights = rights
        self._file: tuple[int, int] | None = None
        """Device and inode of ours."""

    def startListening(self) -> None:
        """Raises CannotListenError, OSError, ValueError; then nothing of ours is left there."""
        if len(os.fsencode(self._path)) > MAX_PATH:
            raise ValueError(f"the path is longer than the {MAX_PATH} octets that a Unix socket's may have")
        _make_folder(self._path, self.rights)
        _clear(self._path)
        super().startListening()
        self._file = _identity(self._path)
        try:
            self.allow(self.rights)
        except (OSError, ValueError):
            self._remove_file()
            self.stopListening()
            raise

    def allow(self, rights: Rights) -> None:
        """Give the socket these rights. Raises OSError, and ValueError for names that nobody has.

        Whoever owns the folder may put a link in the socket's place at any moment, and we may be root: so the
        file is held while it is looked at and changed.
        """
        user, group = _ids(rights)
        held = os.open(self._path, os.O_PATH | os.O_NOFOLLOW)
        try:
            status = os.fstat(held)
            if not stat.S_ISSOCK(status.st_mode) or (status.st_dev, status.st_ino) != self._file:
                raise ValueError("the socket's file is not ours any more")
            itself = f"/proc/self/fd/{held}"  # fchmod() refuses what was opened for its path alone (open(2))
            if (user, group) != (-1, -1):
                os.chown(itself, user, group)
            os.chmod(itself, rights.mode)
        finally:
            os.close(held)
        self.rights = rights

    def connectionLost(self, reason: Failure) -> None:
        """Closed. Twisted's own would fail, and leave the socket open, where the file cannot be removed; and
        would remove what somebody else has put there."""
        self._remove_file()
        tcp.Port.connectionLost(self, reason)

    def _remove_file(self) -> None:
        with suppress(OSError):  # it stays where the folder is not ours; the next server replaces it
            if _identity(self._path) == self._file:
                os.unlink(self._path)
        self._file = None


def open_socket(reactor: Any, path: str, factory: Factory, backlog: int, rights: Rights) -> UnixPort:
    """Listen on *path*. Raises CannotListenError, OSError, ValueError."""
    port = UnixPort(reactor, path, factory, backlog, rights)
    port.startListening()
    return port


def caller_of(transport: Any) -> int | None:
    """The id of the user who connected to a Unix socket, as the kernel says; None on any other transport."""
    connection = getattr(transport, "socket", None)
    if not isinstance(connection, socket.socket) or connection.family != socket.AF_UNIX:
        return None
    _, user, _ = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return int(user)


def _make_folder(path: str, rights: Rights) -> None:
    """Make the folder where it is missing, for the owner of the socket, who may have to remove it."""
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, DIRECTORY_MODE)
    except FileExistsError:
        status = os.stat(folder)
        if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            raise ValueError(f"everybody may write into {folder}, and replace the socket") from None
        return
    user, _ = _ids(rights)
    if user != -1:
        os.chown(folder, user, -1)


def _clear(path: str) -> None:
    """Remove a socket on which nobody listens any more, and nothing else."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise ValueError("something else than a socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        # Anything else may be somebody: one that we may not call, or that takes datagrams (unix(7)).
        if probe.connect_ex(path) != errno.ECONNREFUSED:
            raise ValueError("another server listens there")
    os.unlink(path)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _ids(rights: Rights) -> tuple[int, int]:
    """User and group; -1: as it is."""
    try:
        user = pwd.getpwnam(rights.owner).pw_uid if rights.owner else -1
        group = grp.getgrnam(rights.group).gr_gid if rights.group else -1
    except KeyError as error:
        raise ValueError(f"the socket cannot belong to them: {error.args[0]}") from None
    return user, group
