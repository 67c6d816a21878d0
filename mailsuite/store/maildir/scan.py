"""What lies in a maildir. All blocks: for a thread."""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterator

import attrs

from mailsuite.model.message import MessageRef
from mailsuite.store.maildir.names import age_order, parse, uidl, unique_part, usual
from mailsuite.store.maildir.wireform import measure

MAX_CACHED_SIZES = 250_000
"""Sizes of foreign messages remembered, about 90 MB: more than one very large maildrop has, so that a second
login reads none of them again."""
MAX_CHECKED_SIZES = 20_000
"""Measured sizes that are looked at before a listing is used again, 0.1 s. Where there are more, a file that
was written anew in its place is noticed when it is retrieved."""
MAX_TRIES = 4
"""How often we follow a file that is renamed between our look and our use of it."""
MAX_RESCANS = 3
"""How often a directory is listed again because somebody renamed files in it meanwhile."""

OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotRegular(OSError):
    """A directory, FIFO, socket, device or symbolic link: no message."""


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """Open without following a link or waiting for a peer; raises NotRegular where it is no plain file."""
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except OSError as error:
        if not _is_regular(path):
            raise NotRegular(error.errno, "not a regular file", path) from error
        raise
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status
    os.close(descriptor)
    raise NotRegular(0, "not a regular file", path)


def _is_regular(path: str) -> bool:
    """False only where something else is known to be there."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True


def locate(maildir: str) -> dict[str, str]:
    """Where each message is now: unique part -> path below the maildir."""
    return {unique_part(name): prefix + name for prefix, name in _entries(maildir)}


def _entries(maildir: str) -> Iterator[tuple[str, str]]:
    """The messages as ``new/`` or ``cur/`` and a name; where one comes twice, the later is the better.

    new is listed before cur, so that a file that is moved meanwhile is seen at least once. A rename within
    cur while it is listed may hide a file (readdir(3) leaves that open): then it is listed again.
    """
    yield from _regular_files(maildir, "new/")
    for _ in range(MAX_RESCANS):
        before = _changed_at(maildir + "/cur")
        yield from _regular_files(maildir, "cur/")
        if _changed_at(maildir + "/cur") == before:
            break


def _regular_files(maildir: str, prefix: str) -> Iterator[tuple[str, str]]:
    """By what the directory itself says: without a stat() on usual file systems.

    Names that begin with ``.``, ``,`` or ``:`` are made by no delivery program: they name no message.
    """
    try:
        with os.scandir(f"{maildir}/{prefix}") as entries:
            for entry in entries:
                name = entry.name
                if name[0] not in ".,:" and entry.is_file(follow_symlinks=False):
                    yield prefix, name
    except FileNotFoundError:
        return


def _changed_at(directory: str) -> int:
    try:
        return os.stat(directory).st_mtime_ns
    except FileNotFoundError:
        return 0


_Identity = tuple[str, int, int, int, int]


@attrs.define(eq=False)
class Sizes:
    """Wire sizes of messages whose names do not tell; remembered while the file stays what it is.

    The first look reads the whole file, each later one is an lstat().
    """

    _known: OrderedDict[_Identity, int] = attrs.field(factory=OrderedDict, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def of(self, path: str, unique: str) -> int:
        """Raises OSError where the file cannot be read."""
        known = self._recall(_identity(unique, os.lstat(path)))
        return self._measure(path, unique) if known is None else known

    def _recall(self, identity: _Identity) -> int | None:
        with self._guard:
            return self._known.get(identity)

    def _measure(self, path: str, unique: str) -> int:
        descriptor, status = open_regular(path)
        try:
            size = measure(descriptor)
        finally:
            os.close(descriptor)
        with self._guard:
            self._known[_identity(unique, status)] = size
            if len(self._known) > MAX_CACHED_SIZES:
                self._known.popitem(last=False)
        return size


def _identity(unique: str, status: os.stat_result) -> _Identity:
    """Of a regular file alone: what another inode was is never asked for under a regular file's number."""
    return unique, status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


@attrs.frozen
class Listing:
    """The messages, oldest first, and what was left out because its size cannot be told."""

    messages: tuple[MessageRef, ...]
    unreadable: tuple[OSError, ...] = ()
    measured: tuple[MessageRef, ...] = ()
    """Those of the messages whose size is not from their name."""

    def holds(self, maildir: str, sizes: Sizes) -> bool:
        """Whether the measured sizes are still those of the files: no directory tells of a file that was
        written anew in its place."""
        if len(self.measured) > MAX_CHECKED_SIZES:
            return True
        try:
            return all(
                sizes.of(f"{maildir}/{ref.key}", unique_part(ref.key.partition("/")[2])) == ref.size
                for ref in self.measured
            )
        except OSError:
            return False


def scan(maildir: str, sizes: Sizes) -> Listing:
    """List a maildir. A message is listed with its exact size or not at all."""
    messages: dict[str, MessageRef] = {}
    others: dict[str, str] = {}
    for prefix, name in _entries(maildir):  # the hot loop: 100,000 times in a large maildrop
        if match := usual(name):
            unique, size, dots, utf8 = match.groups()
            messages[unique] = MessageRef(unique, int(size), prefix + name, dots != "0", utf8 is not None)
        else:
            others[unique_part(name)] = prefix + name
    if not others:
        return Listing(tuple([messages[unique] for unique in sorted(messages)]))
    unreadable: list[OSError] = []
    measured: list[MessageRef] = []
    for unique, key in others.items():
        said = parse(key.partition("/")[2])
        try:
            octets = sizes.of(f"{maildir}/{key}", unique) if said.wire is None else said.wire
        except FileNotFoundError:
            continue
        except OSError as error:
            unreadable.append(error)
            continue
        ref = messages[unique] = MessageRef(uidl(unique), octets, key, said.dot_lines, said.utf8_header)
        if said.wire is None:
            measured.append(ref)
    ordered = tuple([messages[unique] for unique in sorted(messages, key=age_order)])
    return Listing(ordered, tuple(unreadable), tuple(measured))
