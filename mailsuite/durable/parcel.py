"""One message's file on its way: written in one place, synced, moved to where it is seen; or undone."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Sequence
from typing import Protocol

import attrs

from mailsuite.durable.files import Files

MAX_TRIES = 4
"""Times that we look again for a file that other programs keep renaming."""


class Place(Protocol):
    """Where a parcel lies. Used from threads; may block and raise OSError."""

    @property
    def writing(self) -> str:
        """The path while it is written."""

    def published(self, size: int) -> str:
        """The path of a parcel of *size* octets once it is published."""

    def ensure(self) -> None:
        """Return when the directories of both are there, and would survive a crash."""

    def forget(self) -> None:
        """Something is wrong there: look again next time."""

    def moved(self) -> str | None:
        """Where it is, once it is not any more where it was published; None: nowhere."""


@attrs.define(eq=False)
class Parcel:
    """Used from threads; all methods block and raise OSError.

    ``pieces`` are the octets that are not written yet. ``size`` is final before publish().
    """

    place: Place
    files: Files
    pieces: list[bytes] = attrs.field(factory=list)
    size: int = 0
    _descriptor: int = attrs.field(default=-1, init=False)
    _is_written: bool = attrs.field(default=False, init=False)
    """There is a file where it is written."""
    _is_published: bool = attrs.field(default=False, init=False)
    _undone: bool = attrs.field(default=False, init=False)
    synced: bool = attrs.field(default=False, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    @property
    def writing_directory(self) -> str:
        return os.path.dirname(self.place.writing)

    @property
    def published_directory(self) -> str:
        return os.path.dirname(self.place.published(self.size))

    def append(self, pieces: Sequence[bytes]) -> None:
        """Write *pieces* behind what stands there, and let the disk begin."""
        with self._guard:
            self._check()
            if self._descriptor < 0:
                self._create()
            self.files.write(self._descriptor, b"".join(pieces))
            self.files.start_writeback(self._descriptor)

    def write(self) -> None:
        """Write ``pieces``; nothing to do for a parcel that is synced."""
        if not self.synced:
            self.append(self.pieces)
            self.pieces.clear()

    def _create(self) -> None:
        self.place.ensure()
        try:
            self._descriptor = self.files.create(self.place.writing)
        except FileNotFoundError:  # somebody removed the directory while we ran
            self.place.forget()
            self.place.ensure()
            self._descriptor = self.files.create(self.place.writing)
        self._is_written = True

    def sync(self) -> None:
        """Make the octets durable. After a failure the file is never tried again: a second fsync may lie."""
        with self._guard:
            self._check()
            if self.synced:
                return
            self.files.sync(self._descriptor)
            self._close()
            self.synced = True

    def publish(self) -> None:
        """Move the file to where it is seen. Durable when the caller has synced that directory."""
        with self._guard:
            self._check()
            # Set first: where the answer of a rename is lost (NFS), undo() looks in both places.
            self._is_published = True
            try:
                self.files.publish(self.place.writing, self.place.published(self.size))
            except FileExistsError:
                self._is_published = False  # what is there is not ours
                raise
            self._is_written = False

    def undo(self) -> str:
        """Remove what there is, wherever; answers the directory it was visible in, or "".

        Any number of times; from then on the other methods fail. Raises OSError where something could not
        be removed; the rest is.
        """
        with self._guard:
            self._undone = True
            self.pieces.clear()
            if self._descriptor >= 0:
                with contextlib.suppress(OSError):  # what it could tell of lost octets matters no more
                    self._close()
            touched = ""
            try:
                if self._is_published:
                    touched = self._remove_visible()
                    self._is_published = False
            finally:
                if self._is_written:
                    self.files.remove(self.place.writing)
                    self._is_written = False
            return touched

    def _remove_visible(self) -> str:
        path = self.place.published(self.size)
        for _ in range(MAX_TRIES):
            try:
                self.files.unlink(path)
                return os.path.dirname(path)
            except FileNotFoundError:
                found = self.place.moved()
                if found is None:
                    return self.published_directory
                path = found
        raise OSError(errno.EBUSY, "renamed again and again", path)

    def _check(self) -> None:
        if self._undone:
            raise OSError(errno.ECANCELED, "it was undone before", self.place.writing)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        self.files.close(descriptor)
