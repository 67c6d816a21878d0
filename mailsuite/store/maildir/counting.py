"""How much is in a maildir, counted by the names of its files, and kept beside it where counting takes long.

All blocks: for a thread.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable

import attrs

from mailsuite.durable.files import FILE_MODE
from mailsuite.model.retention import Usage
from mailsuite.store.maildir.inbox import Maildir
from mailsuite.store.maildir.marks import Mark, is_settled, mark_of, marks_of
from mailsuite.store.maildir.names import usual
from mailsuite.store.maildir.scan import locate
from mailsuite.store.maildir.trash import octets_of

FILE = "mailsuite.usage"
VERSION = 1
LEAST_KEPT = 1000
"""Messages. Of fewer the files are listed as quickly as the file with the count is read."""
MAX_FILE_OCTETS = 4096
"""We write some 300."""


@attrs.frozen
class Half:
    """A count of the inbox, or of what is deleted."""

    messages: int
    octets: int
    marks: tuple[Mark | None, ...]
    """Of the directories, from before they were listed."""
    settled: bool
    """Whether it holds as long as the marks stay."""

    def holds(self, marks: tuple[Mark | None, ...]) -> bool:
        return self.settled and self.marks == marks


@attrs.frozen
class Counted:
    """Both, and what of it was just being delivered."""

    inbox: Half
    trash: Half
    present: frozenset[str] = frozenset()
    """Those messages (by their unique parts) which were being delivered during the count and are in it."""

    @property
    def usage(self) -> Usage:
        return Usage(self.inbox.messages, self.inbox.octets, self.trash.messages, self.trash.octets)


def count(
    maildir: Maildir,
    before: Counted | None,
    delivering: Callable[[], Iterable[str]],
    clock: Callable[[], float],
) -> Counted:
    """Count what has changed since *before*; with None, all that has changed since a count that was kept.

    *delivering* names the messages that are being delivered at the moment it is called. *clock* is in
    seconds since the epoch, the file system's own. Raises OSError.
    """
    kept = read(maildir.path) if before is None else before
    now = clock()
    trash = _trash(maildir, None if kept is None else kept.trash, now)
    marks = marks_of(maildir.path)
    if kept is not None and kept.inbox.holds(marks):
        inbox, present = kept.inbox, kept.present
    else:
        inbox, present = _inbox(maildir, marks, clock(), delivering)
    counted = Counted(inbox, trash, present)
    if _is_worth_keeping(counted) and (kept is None or (inbox, trash) != (kept.inbox, kept.trash)):
        write(maildir.path, counted)
    return counted


def _is_worth_keeping(counted: Counted) -> bool:
    inbox, trash = counted.inbox, counted.trash
    return inbox.settled and trash.settled and inbox.messages + trash.messages >= LEAST_KEPT


def _inbox(
    maildir: Maildir, marks: tuple[Mark | None, ...], now: float, delivering: Callable[[], Iterable[str]]
) -> tuple[Half, frozenset[str]]:
    places = locate(maildir.path)
    octets = 0
    for key in places.values():  # the hot loop: 200,000 times in a large maildrop
        name = key[4:]
        match = usual(name)
        octets += int(match[2]) if match else octets_of(maildir.path, key, name)
    present = frozenset(unique for unique in delivering() if unique in places)
    settled = all(is_settled(mark, now) for mark in marks)
    return Half(len(places), octets, marks, settled), present


def _trash(maildir: Maildir, kept: Half | None, now: float) -> Half:
    """Directories within that of the trash (long names) change without its mark."""
    trash = maildir.trash
    marks = (mark_of(trash.directory),)
    if kept is not None and kept.holds(marks):
        return kept
    entries = trash.entries()
    settled = is_settled(marks[0], now) and all(entry.key.count("/") == 1 for entry in entries)
    return Half(len(entries), trash.octets(entries), marks, settled)


def read(maildir: str) -> Counted | None:
    """What was kept of an earlier count; None where there is none, or none that can be read. It counts as
    far as its marks are still those of the directories."""
    try:
        with open(os.path.join(maildir, FILE), "rb") as file:
            document = json.loads(file.read(MAX_FILE_OCTETS))
        if document["version"] != VERSION:
            return None
        return Counted(_half(document["inbox"]), _half(document["deleted"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def write(maildir: str, counted: Counted) -> None:
    """Keep a count, as far as that can be done: whoever finds none counts anew, so nothing is synced."""
    document = {"version": VERSION, "inbox": _fields(counted.inbox), "deleted": _fields(counted.trash)}
    path = os.path.join(maildir, FILE)
    beside = path + ".tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        number = os.open(beside, flags, FILE_MODE)
        try:
            os.write(number, json.dumps(document).encode("ascii") + b"\n")
        finally:
            os.close(number)
        os.replace(beside, path)


def _fields(half: Half) -> dict[str, object]:
    return {"messages": half.messages, "octets": half.octets, "marks": half.marks}


def _half(fields: dict[str, object]) -> Half:
    """Raises ValueError, LookupError or TypeError where it is not what we write."""
    messages, octets, marks = fields["messages"], fields["octets"], fields["marks"]
    if not isinstance(messages, int) or not isinstance(octets, int) or not isinstance(marks, list):
        raise ValueError("no count")
    return Half(messages, octets, tuple(map(_mark, marks)), settled=True)


def _mark(value: object) -> Mark | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4 or not all(isinstance(one, int) for one in value):
        raise ValueError("no mark")
    device, inode, changed, changed_by_system = value
    return device, inode, changed, changed_by_system
