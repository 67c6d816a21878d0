"""What each device with a view of its own has deleted, on the disk: one small JSON file for each device, and
beside it, where there is any, a list of what the device was never shown, which hardly ever changes.

A file is always written as a whole: beside, synced, renamed over the old one, the directory synced. So after
a crash it says what it said before or after, never half of it. The list is there before the state that tells
of it, and longer: one that no state tells of is not looked at. Whoever changes any of them holds the lock of
all meanwhile; reading needs none. All blocks, for a thread, and raises OSError.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator

import attrs

from mailsuite.model.view import Box, View
from mailsuite.store.device_views import DeviceView, is_device
from mailsuite.store.maildir.beside import Beside
from mailsuite.store.maildir.lock import lock_name, patient_lock, remove_lock
from mailsuite.store.maildir.replacing import ReplacingFiles
from mailsuite.store.maildir.scan import open_regular
from mailsuite.store.passed import PassedLines

DIRECTORY = "mailsuite.views"
PASSED = ".passed"
"""Ends the name of the file with what a device was never shown."""
VERSION = 2
MAX_STATE_OCTETS = 256 * 1024 * 1024
"""Some millions of messages; what is longer was not written by us."""


class Damaged(OSError):
    """A state file does not hold what we write. As long as it is there, nothing is deleted on its word."""


@attrs.frozen
class Views:
    """The views of one maildir."""

    maildir: str
    files: ReplacingFiles
    beside: Beside

    @property
    def directory(self) -> str:
        return os.path.join(self.maildir, DIRECTORY)

    def exist(self) -> bool:
        """Whether there was ever one here; where not, nobody needs the lock."""
        return os.path.isdir(self.directory)

    def prepare(self) -> None:
        """Return when the directory is there and durable."""
        if not self.exist():
            self.beside.forget(self.directory)
        self.beside.ensure(self.directory)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nobody else changes any of them meanwhile, in any process. For work that takes turns (Turns)."""
        self.prepare()
        with patient_lock(os.path.join(self.directory, ".lock")):
            yield

    def devices(self) -> list[str]:
        """Whose views there are."""
        try:
            return sorted(filter(is_device, os.listdir(self.directory)))
        except FileNotFoundError:
            return []

    def read(self, device: str) -> DeviceView | None:
        """What a device has; None where it was never here. Raises Damaged."""
        path = self._path(device)
        octets = _content(path)
        if octets is None:
            return None
        view, has_passed = _decode(octets, path)
        return attrs.evolve(view, passed=_read_passed(path + PASSED)) if has_passed else view

    def read_all(self) -> dict[str, DeviceView]:
        """Each device's. Raises Damaged: whoever removes mail must know of all."""
        views, unreadable = self.read_each()
        if unreadable:
            raise unreadable[0]
        return views

    def read_each(self) -> tuple[dict[str, DeviceView], list[OSError]]:
        """Each device's that can be read, and why others cannot: for whoever removes nothing."""
        views, unreadable = dict[str, DeviceView](), list[OSError]()
        for device in self.devices():
            try:
                view = self.read(device)
            except OSError as error:
                unreadable.append(error)
                continue
            if view is not None:
                views[device] = view
        return views, unreadable

    def write(self, device: str, view: DeviceView, before: DeviceView | None) -> None:
        """Replace the state *before*, None where there is none; durable when it returns. For whoever holds
        the lock."""
        path = self._path(device)
        passed_before = before.passed if before is not None else ()
        if view.passed and view.passed is not passed_before:
            self._replace(path + PASSED, PassedLines.of(view.passed).lines)
        self._replace(path, _encode(view))
        if passed_before and not view.passed:
            self.files.remove(path + PASSED)

    def _replace(self, path: str, octets: bytes) -> None:
        """Durable when it returns."""
        beside = path + ".tmp"
        self._create(beside, octets)
        try:
            self.files.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                self.files.remove(beside)
            raise
        self.files.sync_directory(self.directory)

    def forget(self, device: str) -> None:
        """The device holds nothing any more; durable when it returns. Nothing where it was never here."""
        if not self.exist():
            return
        with self.exclusive():
            self.files.remove(self._path(device))
            self.files.sync_directory(self.directory)
            self.files.remove(self._path(device) + PASSED)
            for box in Box:
                remove_lock(os.path.join(self.maildir, lock_name(View(box, device), DIRECTORY)), self.files)

    def _path(self, device: str) -> str:
        return os.path.join(self.directory, device)

    def _create(self, path: str, octets: bytes) -> None:
        """A new file, durable but for its name; in the place of what a crash has left."""
        try:
            number = self.files.create(path)
        except FileExistsError:
            self.files.unlink(path)
            number = self.files.create(path)
        try:
            try:
                self.files.write(number, octets)
                self.files.sync(number)
            finally:
                self.files.close(number)
        except BaseException:
            with contextlib.suppress(OSError):
                self.files.remove(path)
            raise


def _content(path: str) -> bytes | None:
    """None where there is no such file."""
    try:
        number, status = open_regular(path)
    except FileNotFoundError:
        return None
    with open(number, "rb") as file:
        if status.st_size > MAX_STATE_OCTETS:
            raise Damaged(errno.EFBIG, "a view's state is too long", path)
        return file.read()


def _read_passed(path: str) -> PassedLines:
    lines = _content(path)
    if not lines or not lines.endswith(b"\n"):
        raise Damaged(errno.EIO, "what a view was never shown is not there, or not whole", path)
    return PassedLines(lines)


def _encode(view: DeviceView) -> bytes:
    document = {
        "version": VERSION,
        "seen": view.seen,
        "deleted": dict(view.deleted),
        "passed": bool(view.passed),
    }
    return json.dumps(document).encode("ascii") + b"\n"


def _decode(octets: bytes, path: str) -> tuple[DeviceView, bool]:
    """Without what it was never shown, and whether there is such."""
    try:
        document = json.loads(octets)
        if document["version"] != VERSION:
            raise ValueError("a version that we do not know")
        if not isinstance(has_passed := document["passed"], bool):
            raise ValueError("neither true nor false")
        deleted = {str(unique): int(at) for unique, at in document["deleted"].items()}
        return DeviceView(float(document["seen"]), deleted), has_passed
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(errno.EIO, f"a view's state cannot be read: {error}", path) from error
