"""Deleted mail that can be brought back (features row B-02): a directory beside new and cur.

A message there is called ``<seconds>_<original name>``: when it was deleted, and the name that it gets back.
Where that is longer than a file name may be, the seconds are a directory's name instead:
``<seconds>_/<original name>``. All blocks, for a thread, and raises OSError.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Sequence

import attrs

from mailsuite.durable.files import Files
from mailsuite.model.message import MessageRef
from mailsuite.model.quota import Quota
from mailsuite.store.maildir.beside import Beside
from mailsuite.store.maildir.names import deleted_name, parse, parse_deleted, uidl, unique_part
from mailsuite.store.maildir.scan import MAX_TRIES, Sizes

DIRECTORY = "mailsuite.deleted"
MAX_NAME_OCTETS = 255
"""NAME_MAX of every usual file system."""


@attrs.frozen
class Entry:
    """A deleted message."""

    uidl: str
    name: str
    """Its name before, which it gets back."""
    at: int
    """When it was deleted, in seconds since the epoch."""
    key: str
    """Its path below the maildir."""


@attrs.frozen
class Trash:
    """The deleted messages of one maildir."""

    maildir: str
    files: Files
    beside: Beside

    @property
    def directory(self) -> str:
        return os.path.join(self.maildir, DIRECTORY)

    def put(self, path: str, at: int) -> str:
        """Take a message out of the inbox. Durable when the caller has synced the directory that this
        answers, and then the one it came from. Raises FileNotFoundError where the message is gone."""
        name = os.path.basename(path)
        self.beside.ensure(self.directory)
        for later in range(MAX_TRIES):  # two of one name in one second: a message that other programs copied
            target = os.path.join(self.directory, deleted_name(name, at + later))
            if len(os.fsencode(os.path.basename(target))) > MAX_NAME_OCTETS:
                target = os.path.join(self.directory, f"{at + later}_", name)
                self.beside.ensure(os.path.dirname(target))
            with contextlib.suppress(FileExistsError):
                self.files.move(path, target)
                return os.path.dirname(target)
        raise OSError(errno.EEXIST, "deleted again and again", path)

    def look_again(self) -> None:
        """Something was not found: make sure anew that the directory is there."""
        self.beside.forget(self.directory)

    def entries(self) -> list[Entry]:
        """All that there is, in the order of deletion; one message may be there more than once."""
        return sorted(self._entries(), key=lambda entry: (entry.at, entry.key))

    def since(self, after: float) -> dict[str, Entry]:
        """What was deleted after that time, by its UIDL; of one that is there more often, the last."""
        return {entry.uidl: entry for entry in self.entries() if entry.at > after}

    def _entries(self) -> Iterator[Entry]:
        for name, is_file in _listed(self.directory):
            parsed = parse_deleted(name)
            if is_file and parsed is not None:
                yield _entry(parsed[1], parsed[0], f"{DIRECTORY}/{name}")
            elif not is_file and (at := _long_names(name)) is not None:
                for inner, inner_is_file in _listed(os.path.join(self.directory, name)):
                    if inner_is_file:
                        yield _entry(inner, at, f"{DIRECTORY}/{name}/{inner}")

    def restore(self, entry: Entry) -> tuple[str, str]:
        """Put it where it came from: what has flags belongs into cur. Durable when the caller has synced the
        two directories that this answers, in their order. Raises FileExistsError where another of its name
        is there, FileNotFoundError where it is gone."""
        path = os.path.join(self.maildir, entry.key)
        inbox = os.path.join(self.maildir, "cur" if ":" in entry.name else "new")
        target = os.path.join(inbox, entry.name)
        try:
            self.files.move(path, target)
        except FileExistsError:
            if not os.path.samefile(path, target):
                raise
            self.files.remove(path)  # back already: a rename by link and unlink has stopped in the middle
        return inbox, os.path.dirname(path)

    def forget(self, entries: Iterable[Entry]) -> tuple[int, list[OSError]]:
        """Remove for good, durably; answers how many are removed now, and why others are not."""
        removed, failed, touched = 0, list[OSError](), set[str]()
        for entry in entries:
            path = os.path.join(self.maildir, entry.key)
            try:
                self.files.unlink(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                failed.append(error)
                continue
            removed += 1
            touched.add(os.path.dirname(path))
        for directory in sorted(touched):
            self.files.sync_directory(directory)
        for directory in touched - {self.directory}:
            with contextlib.suppress(OSError):  # there may be more in it
                os.rmdir(directory)
                self.beside.forget(directory)
        return removed, failed

    def reference(self, entry: Entry, sizes: Sizes) -> MessageRef:
        """As a session sees it. Raises OSError where its size cannot be told."""
        name = parse(entry.name)
        path = os.path.join(self.maildir, entry.key)
        size = sizes.of(path, name.unique) if name.wire is None else name.wire
        return MessageRef(entry.uidl, size, entry.key, name.dot_lines, name.utf8_header)

    def beyond(self, quota: Quota) -> list[Entry]:
        """What there is beside the latest deletions that *quota* holds."""
        entries = self.entries()
        octets = 0
        for kept, entry in enumerate(reversed(entries)):
            octets += octets_of(self.maildir, entry.key, entry.name)
            if not quota.holds(octets, kept + 1):
                return entries[: len(entries) - kept]
        return []

    def octets(self, entries: Sequence[Entry]) -> int:
        """What they hold."""
        return sum(octets_of(self.maildir, entry.key, entry.name) for entry in entries)


def octets_of(maildir: str, key: str, name: str) -> int:
    """How large a message is: by its name, or the file itself where that says nothing; 0 where it is gone."""
    parsed = parse(name)
    if parsed.wire is not None:
        return parsed.wire
    if parsed.stored is not None:
        return parsed.stored
    try:
        return os.stat(os.path.join(maildir, key), follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def unique_of(key: str) -> str:
    """The unique part of a message by its path below the maildir, be it in the inbox or deleted."""
    name = os.path.basename(key)
    if key.startswith(DIRECTORY + "/") and key.count("/") == 1 and (parsed := parse_deleted(name)):
        name = parsed[1]
    return unique_part(name)


def _entry(name: str, at: int, key: str) -> Entry:
    return Entry(uidl(unique_part(name)), name, at, key)


def _long_names(name: str) -> int | None:
    """The time that a directory of messages with long names tells."""
    return int(name[:-1]) if name.endswith("_") and name[:-1].isdecimal() and name.isascii() else None


def _listed(directory: str) -> list[tuple[str, bool]]:
    """Names, each with whether it is a plain file and no directory; what is neither is left out."""
    try:
        with os.scandir(directory) as entries:
            return [
                (entry.name, entry.is_file(follow_symlinks=False))
                for entry in entries
                if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
