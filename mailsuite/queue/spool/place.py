"""Where the content of a message in the queue lies: ``spool/<hex digit>/<name>``, ``spool/tmp`` while it
is written."""

from __future__ import annotations

import os
import secrets
import time

import attrs

from mailsuite.durable.files import Files

TMP = "tmp"
SHELVES = tuple("0123456789abcdef")
"""A million messages are some 60,000 in each, which file systems of today take easily."""
_SHELF_DIGIT = 6
"""Of the name: it changes about every minute. So what is written at one time lies on one shelf, and each
group commit has one directory to sync."""


def fresh_name() -> str:
    """One that no other content has; those that are made one after the other sort so, which keeps the
    index of the names small to work on."""
    return f"{time.time_ns():016x}{secrets.token_hex(4)}"


def path_of(root: str, name: str) -> str:
    return os.path.join(root, name[_SHELF_DIGIT], name)


@attrs.define(eq=False)
class SpoolTree:
    """The directories of a spool. Used from threads; blocks and raises OSError."""

    root: str
    files: Files
    _is_whole: bool = attrs.field(default=False, init=False)

    def ensure(self) -> None:
        """Return when all are there, and would survive a crash: once per process, whoever made them."""
        if not self._is_whole:
            self.files.make_directory(self.root)
            for name in (TMP, *SHELVES):
                self.files.make_directory(os.path.join(self.root, name))
            self.files.sync_directory(self.root)
            self.files.sync_directory(os.path.dirname(self.root))
            self._is_whole = True

    def forget(self) -> None:
        self._is_whole = False


@attrs.frozen(eq=False)
class SpoolPlace:
    """Of one message. Used from threads."""

    tree: SpoolTree
    name: str

    @property
    def writing(self) -> str:
        return os.path.join(self.tree.root, TMP, self.name)

    def published(self, size: int) -> str:
        return path_of(self.tree.root, self.name)

    def ensure(self) -> None:
        self.tree.ensure()

    def forget(self) -> None:
        self.tree.forget()

    def moved(self) -> str | None:
        return None  # nobody else has any business here
