"""One message's file on its way: written in tmp, synced, moved into new; or undone."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Sequence

import attrs

from mailsuite.store.maildir.directories import Directories
from mailsuite.store.maildir.files import Files
from mailsuite.store.maildir.names import final_name
from mailsuite.store.maildir.scan import MAX_TRIES, locate


@attrs.define(eq=False)
class Parcel:
    """Used from threads; all methods block and raise OSError.

    ``pieces`` are the octets that are not written yet. ``size``, ``dot_lines`` and ``utf8_header`` are final
    before publish().
    """

    maildir: str
    unique: str
    directories: Directories
    files: Files
    pieces: list[bytes] = attrs.field(factory=list)
    size: int = 0
    dot_lines: bool = False
    utf8_header: bool = False
    _descriptor: int = attrs.field(default=-1, init=False)
    _in_tmp: bool = attrs.field(default=False, init=False)
    _in_new: bool = attrs.field(default=False, init=False)
    _undone: bool = attrs.field(default=False, init=False)
    synced: bool = attrs.field(default=False, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    @property
    def tmp_directory(self) -> str:
        return os.path.join(self.maildir, "tmp")

    @property
    def new_directory(self) -> str:
        return os.path.join(self.maildir, "new")

    @property
    def _tmp_path(self) -> str:
        return os.path.join(self.tmp_directory, self.unique)

    @property
    def _new_path(self) -> str:
        name = final_name(self.unique, self.size, self.dot_lines, self.utf8_header)
        return os.path.join(self.new_directory, name)

    def append(self, pieces: Sequence[bytes]) -> None:
        """Write *pieces* behind what stands in tmp, and let the disk begin."""
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
        self.directories.ensure(self.maildir)
        try:
            self._descriptor = self.files.create(self._tmp_path)
        except FileNotFoundError:  # somebody removed the maildir while we ran
            self.directories.forget(self.maildir)
            self.directories.ensure(self.maildir)
            self._descriptor = self.files.create(self._tmp_path)
        self._in_tmp = True

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
        """Move the file into new. Durable when the caller has synced that directory."""
        with self._guard:
            self._check()
            # Set first: where the answer of a rename is lost (NFS), undo() looks in both places.
            self._in_new = True
            try:
                self.files.publish(self._tmp_path, self._new_path)
            except FileExistsError:
                self._in_new = False  # what is there is not ours
                raise
            self._in_tmp = False

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
                if self._in_new:
                    touched = self._remove_visible()
                    self._in_new = False
            finally:
                if self._in_tmp:
                    self.files.remove(self._tmp_path)
                    self._in_tmp = False
            return touched

    def _remove_visible(self) -> str:
        """Another program may have moved it to cur, or given it flags, since we published it."""
        path = self._new_path
        for _ in range(MAX_TRIES):
            try:
                self.files.unlink(path)
                return os.path.dirname(path)
            except FileNotFoundError:
                found = locate(self.maildir).get(self.unique)
                if found is None:
                    return self.new_directory
                path = os.path.join(self.maildir, found)
        raise OSError(errno.EBUSY, "renamed again and again", path)

    def _check(self) -> None:
        if self._undone:
            raise OSError(errno.ECANCELED, "the delivery was aborted", self._tmp_path)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        self.files.close(descriptor)
