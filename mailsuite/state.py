"""The state directory: where everything lies, and the lock that gives it to one server at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import attrs

DIRECTORY_MODE = 0o700
"""Nothing of anybody's mail is open to others."""


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
    def lock_file(self) -> Path:
        return self.path / "lock"

    def take(self) -> None:
        """Make the directory if it is missing, and lock it until release() or the process ends.

        Raises StateLocked, StateError.
        """
        try:
            _make_durably(self.path)
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror} (server.state says where it is)") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StateLocked(f"{self.path} is in use by process {self._holder()}") from error
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock = descriptor

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
        """Make what root created here, before it became *user*, that user's own."""
        for path in (self.path, self.lock_file, self.tls, *self.tls.glob("*")):
            if path.exists():
                os.chown(path, user, group)


def _make_durably(path: Path, mode: int = DIRECTORY_MODE) -> None:
    """Make a directory and whatever is missing above it, so that a crash leaves them where they are:
    a mailbox is no safer than the entry of the directory that holds it."""
    if not path.is_dir():
        _make_durably(path.parent, 0o777)  # what is above holds no mail: as the umask says
        path.mkdir(mode, exist_ok=True)
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
