"""The state directory: where everything lies, and the lock that gives it to one server at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

DIRECTORY_MODE = 0o700
"""Nothing of anybody's mail is open to others."""
PARENT_MODE = 0o755
"""Those above it, where we make them: whoever the server becomes must get through."""
FILE_MODE = 0o600
MAX_SERVICES_OCTETS = 64 * 1024
"""Of services.json: room for a thousand services."""


class StateLocked(Exception):
    """Another program works in this state directory; the message names both."""


class StateError(Exception):
    """The state directory cannot be used; the message says why and what would help."""


@attrs.define
class State:
    """The layout of a state directory (DESIGN section 8)."""

    path: Path
    _lock: int = attrs.field(default=-1, init=False)

    @property
    def accounts_db(self) -> Path:
        return self.path / "accounts.db"

    @property
    def notify_db(self) -> Path:
        return self.path / "notify.db"

    @property
    def tls(self) -> Path:
        return self.path / "tls"

    @property
    def seal_key(self) -> Path:
        return self.path / "keys" / "seal.key"

    @property
    def services_file(self) -> Path:
        return self.path / "services.json"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    def take(self) -> None:
        """Make the directory if it is missing, and lock it until release() or the process ends.

        Raises StateLocked, StateError. The directory may belong to somebody who may not do what we may, so
        no link is followed in it.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            _make(self.path)
            descriptor = os.open(self.lock_file, flags, 0o600)
        except OSError as error:
            what = error.filename or self.path
            raise StateError(f"{what}: {error.strerror} (server.state says where it is)") from error
        try:
            self._lock_descriptor(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._lock = descriptor

    def _lock_descriptor(self, descriptor: int) -> None:
        if not _is_plain(descriptor):
            raise StateError(f"{self.lock_file} is no file of ours; see what it is, and remove it")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateLocked(f"{self.path} is in use by process {self._holder()}") from error
        except OSError as error:
            raise StateError(f"{self.path} cannot be locked: {error.strerror}") from error
        with contextlib.suppress(OSError):  # the lock is what counts; the number is for people
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())

    def _holder(self) -> str:
        try:
            return self.lock_file.read_text("ascii").strip() or "unknown"
        except (OSError, ValueError):
            return "unknown"

    def release(self) -> None:
        """Let others in. Any number of times."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def give_to(self, user: int, group: int) -> None:
        """Make an empty directory of ours, and the lock in it, that user's own. Raises OSError.

        Whatever else is there stays whose it is: as root we could be led by a link to give away anything.
        """
        if self._lock >= 0:
            os.fchown(self._lock, user, group)
        is_ours = self.path.lstat().st_uid == os.geteuid()
        if is_ours and {path.name for path in self.path.iterdir()} <= {self.lock_file.name}:
            os.chown(self.path, user, group, follow_symlinks=False)


@attrs.frozen
class Stopped:
    """The services that somebody stopped, each with when, in seconds since the epoch: ``services.json``."""

    services: Mapping[str, float] = attrs.field(factory=dict)
    is_whole: bool = True
    """False: the file was broken, and this is what could be told from it."""

    @classmethod
    def read(cls, path: Path, known: Iterable[str]) -> Stopped:
        """What stands in the file; nothing where there is none. Raises StateError where it cannot be read.

        A file that is no JSON of ours, because somebody edited it, keeps stopped what it names of the *known*
        services and starts the rest: what was closed is not opened by a slip of the hand, nor is all mail
        down for it.
        """
        try:
            content, changed = _read(path)
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}") from error
        try:
            return cls({str(name): float(since) for name, since in json.loads(content)["stopped"].items()})
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            named = [name for name in known if name.encode("ascii") in content]
            return cls(dict.fromkeys(named, changed), is_whole=False)

    def write(self, path: Path) -> None:
        """Have it on the disk, durably, or what was there before: never something between. Raises OSError.

        One at a time does this, and holds the lock of the state directory.
        """
        content = json.dumps({"stopped": dict(self.services)}, indent=2).encode("ascii") + b"\n"
        temporary = path.with_name(f"{path.name}.new")
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()  # of a server that died meanwhile
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, FILE_MODE), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        _sync(path.parent)


def _read(path: Path) -> tuple[bytes, float]:
    """The content of a plain file, and when it was changed. Raises OSError, StateError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not _is_plain(descriptor):
            raise StateError(f"{path} is no file of ours; see what it is, and remove it")
        content = file.read(MAX_SERVICES_OCTETS + 1)
        if len(content) > MAX_SERVICES_OCTETS:
            raise StateError(f"{path} is longer than {MAX_SERVICES_OCTETS} octets")
        return content, os.fstat(descriptor).st_mtime


def _is_plain(descriptor: int) -> bool:
    """A regular file with no other name: what it says may be replaced."""
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _make(path: Path) -> None:
    """Make a directory and those above it, and have the names of the new ones on the disk: what is durable
    below them is lost with them (fsync(2), on directories). Raises OSError."""
    missing = [path, *path.parents]
    while missing and missing[-1].is_dir():
        missing.pop()
    for directory in reversed(missing):
        mode = DIRECTORY_MODE if directory == path else PARENT_MODE
        directory.mkdir(mode=mode, exist_ok=True)
        _sync(directory.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
