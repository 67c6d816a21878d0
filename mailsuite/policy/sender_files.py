"""Lists of senders that stand in files: read in a thread, and read again when they change (row S-I09)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from mailsuite.concurrent.watch import FileWatch, Stamp, stamps
from mailsuite.interfaces import IThreads
from mailsuite.model.address import AddressSyntaxError
from mailsuite.model.failure import MailFailure
from mailsuite.model.sender_list import SenderEntry, parse_sender
from mailsuite.observe.log import Log
from mailsuite.policy.sender_lists import SenderList, SenderRules

MAX_FILE_OCTETS: Final = 16 << 20
"""Of one file; our own limit, as of access lists."""
_UNLIKE_ANY: Final[Stamp] = (-1, -1, -1, -1)
"""As no file ever stands, so that the watch calls."""


class SenderListError(Exception):
    """A list of senders cannot be used; the message names the file and the line."""


@attrs.frozen(eq=False)
class SenderFile:
    """The entries of a file."""

    stamp: Stamp | None
    """How the file stood before it was read."""
    entries: tuple[SenderEntry, ...]


def read_sender_file(path: Path) -> SenderFile:
    """One entry on each line, behind ``#`` a remark. Blocks. Raises SenderListError."""
    stamp = stamps([path])[path]
    entries: list[SenderEntry] = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        text = line.partition("#")[0].strip()
        try:
            if text:
                entries.append(parse_sender(text))
        except AddressSyntaxError as error:
            raise SenderListError(f"{path}:{number}: {error}") from error
    return SenderFile(stamp, tuple(entries))


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # a pipe would keep the thread for ever
            raise SenderListError(f"{path}: is no regular file")
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        raise SenderListError(f"{path}: cannot be read: {error.strerror}") from error
    if len(octets) > MAX_FILE_OCTETS:
        raise SenderListError(f"{path}: has more than the {MAX_FILE_OCTETS} octets that a list may have")
    return octets.decode("utf-8-sig", "backslashreplace")


@attrs.frozen(eq=False)
class PreparedSenders:
    """The lists of all doors by their rules, and the files that they were made from."""

    lists: Mapping[SenderRules, SenderList]
    files: Mapping[Path, SenderFile]


def prepared(wanted: Iterable[SenderRules]) -> PreparedSenders:
    """Read and compile all lists. Blocks. Raises SenderListError."""
    rules = frozenset(wanted)
    files = {path: read_sender_file(path) for each in rules for path in each.files}
    return PreparedSenders(_compiled(rules, files), files)


def _compiled(
    rules: Iterable[SenderRules], files: Mapping[Path, SenderFile]
) -> dict[SenderRules, SenderList]:
    entries = {path: file.entries for path, file in files.items()}
    return {each: SenderList.compiled(each, entries) for each in rules}


@attrs.define(eq=False)
class SenderLists:
    """The lists in force. A reload prepares, which may fail, and turns, which cannot.

    A file that changes is read again; while it is broken or missing, its last good contents stay in force.
    """

    threads: IThreads
    watch: FileWatch
    log: Log
    _now: PreparedSenders = attrs.field(factory=lambda: PreparedSenders({}, {}), init=False)

    async def prepare(self, wanted: Iterable[SenderRules]) -> PreparedSenders:
        """What turn() takes, read afresh. Raises SenderListError, MailFailure; then nothing has changed."""
        return await self.threads.run(partial(prepared, tuple(wanted)))

    def turn(self, wanted: PreparedSenders) -> None:
        """From now on these lists hold, and their files are watched."""
        for path in self._now.files.keys() - wanted.files.keys():
            self.watch.forget(_key(path))
        self._now = wanted
        for path, file in wanted.files.items():
            self._watch(path, file.stamp)

    def list_of(self, rules: SenderRules) -> SenderList:
        """The list of *rules* as it is now. Of rules that were never prepared, or are in force no more, what
        stands in the settings themselves: a session that outlives a reload goes by that."""
        found = self._now.lists.get(rules)
        return found or SenderList.compiled(attrs.evolve(rules, block_files=(), accept_files=()), {})

    async def _changed(self, path: Path) -> None:
        try:
            file = await self.threads.run(partial(read_sender_file, path))
        except SenderListError as error:
            self.log.error("senders.file_kept", file=path, reason=str(error))
            return
        except MailFailure as failure:
            self.log.warning("senders.file_delayed", file=path, reason=failure.reason)
            self.watch.clock.callLater(self.watch.interval, self._try_again, path)
            return
        while path in self._now.files:
            before = self._now
            files = {**before.files, path: file}
            lists = await self.threads.run(partial(_compiled, tuple(before.lists), files))
            if self._now is before:  # else a reload, or another file, came between
                self._now = PreparedSenders(lists, files)
                self.log.info("senders.file_read", file=path, entries=len(file.entries))
                return

    def _try_again(self, path: Path) -> None:
        """Have the watch call once more, unless a reload has taken the file away."""
        if path in self._now.files:
            self._watch(path, _UNLIKE_ANY)

    def _watch(self, path: Path, stamp: Stamp | None) -> None:
        self.watch.watch(_key(path), [path], partial(self._changed, path), {path: stamp})


def _key(path: Path) -> tuple[str, Path]:
    return "senders", path
