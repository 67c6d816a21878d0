"""Makes directories, durably, when they are first needed."""

from __future__ import annotations

import os
import threading

import attrs

from mailsuite.durable.files import Files

MAX_KNOWN = 100_000
"""Directories remembered, about 20 MB; beyond, we forget and look again."""


@attrs.define(eq=False)
class Directories:
    """Remembers which directories are known to be whole and durable. Used from several threads.

    A directory that exists may have been made by a process that died before it synced the parent: so each
    is synced once per process, whether we made it or not.
    """

    base: str
    files: Files
    subdirectories: tuple[str, ...] = ()
    """What each of them has in it."""
    _known: set[str] = attrs.field(factory=set, init=False)
    _making: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def ensure(self, directory: str) -> None:
        """Return when *directory* is there with its subdirectories, and would survive a crash."""
        if directory in self._known:
            return
        with self._making:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._make(os.path.dirname(directory))
            self.files.make_directory(directory)
            self.files.sync_directory(os.path.dirname(directory))
            for name in self.subdirectories:
                self.files.make_directory(os.path.join(directory, name))
            self.files.sync_directory(directory)
            self._known.add(directory)

    def forget(self, directory: str) -> None:
        """Something is wrong there, or above: look again next time."""
        path = directory
        while path in self._known:
            self._known.discard(path)
            path = os.path.dirname(path)

    def _make(self, path: str) -> None:
        if path in self._known:
            return
        if not self._is_ours(path) and os.path.isdir(path):
            return
        self._make(os.path.dirname(path))
        self.files.make_directory(path)
        self.files.sync_directory(os.path.dirname(path))
        self._known.add(path)

    def _is_ours(self, path: str) -> bool:
        """Strictly below the base; what is above was there before us, or is made once."""
        return path.startswith(os.path.join(self.base, ""))
