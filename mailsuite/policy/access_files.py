"""Access lists that stand in files: read in a thread, and read again when they change (row S-M11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from mailsuite.concurrent.watch import FileWatch, Stamp, stamps
from mailsuite.interfaces import IThreads
from mailsuite.model.access import Entry, parse_entry
from mailsuite.model.account import IPAddress
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log
from mailsuite.policy.access import AccessList, AccessRules, Decision
from mailsuite.policy.list_files import UNLIKE_ANY, Settling, entries


class AccessError(Exception):
    """An access list cannot be used; the message names the file and the line."""


@attrs.frozen(eq=False)
class ListFile:
    """The entries of a file, and the lines they stand on."""

    path: Path
    stamp: Stamp | None
    """How the file stood before it was read."""
    entries: Sequence[Entry]
    lines: Sequence[int]

    def place(self, index: int) -> str:
        return f"{self.path} line {self.lines[index]}"


def read_file(path: Path) -> ListFile:
    """One entry on each line, behind ``#`` a remark. Blocks. Raises AccessError."""
    stamp = stamps([path])[path]
    found: list[Entry] = []
    lines: list[int] = []
    wrong: list[str] = []
    for number, text in entries(path, AccessError):
        try:
            found.append(parse_entry(text))
            lines.append(number)
        except ValueError as error:
            wrong.append(f"{path}:{number}: {error}")
    if wrong:
        more = f" (and {len(wrong) - 1} more lines are wrong)" if len(wrong) > 1 else ""
        raise AccessError(wrong[0] + more)
    return ListFile(path, stamp, found, lines)


@attrs.frozen(eq=False)
class Prepared:
    """The lists of all listeners, by name, and the files that they were made from."""

    lists: Mapping[str, AccessList]
    files: Mapping[Path, ListFile]


def prepared(wanted: Mapping[str, AccessRules]) -> Prepared:
    """Read and compile the lists of all listeners. Blocks. Raises AccessError."""
    files = {path: read_file(path) for rules in wanted.values() for path in rules.files}
    compiled = _compiled(wanted.values(), files)
    return Prepared({name: compiled[rules] for name, rules in wanted.items()}, files)


def _compiled(wanted: Iterable[AccessRules], files: Mapping[Path, ListFile]) -> dict[AccessRules, AccessList]:
    """Listeners that go by the same rules share one list."""
    return {rules: AccessList.compiled(rules, files) for rules in set(wanted)}


@attrs.define(eq=False)
class AccessLists:
    """The lists in force. A reload prepares, which may fail, and turns, which cannot.

    A file that changes is read again once it has stood still from one look of the watch to the next, for
    half of a list that is being written would hold, too. While it is broken or missing, its last good
    contents stay in force.
    """

    threads: IThreads
    watch: FileWatch
    log: Log
    _now: Prepared = attrs.field(factory=lambda: Prepared({}, {}), init=False)
    _settling: Settling = attrs.field(init=False)

    @_settling.default
    def _make_settling(self) -> Settling:
        return Settling(self.watch, self._try_again)

    async def prepare(self, wanted: Mapping[str, AccessRules]) -> Prepared:
        """What turn() takes, read afresh. Raises AccessError, MailFailure; then nothing has changed."""
        return await self.threads.run(partial(prepared, dict(wanted)))

    def turn(self, wanted: Prepared) -> None:
        """From now on these lists hold, and their files are watched."""
        for path in self._now.files.keys() - wanted.files.keys():
            self.watch.forget(_key(path))
        self._settling.clear()
        self._now = wanted
        for path, file in wanted.files.items():
            self._watch(path, file.stamp)

    @property
    def lists(self) -> Mapping[str, AccessList]:
        """By the name of the listener."""
        return self._now.lists

    def decide(self, listener: str, address: IPAddress) -> Decision:
        """Whether *address* may connect to *listener*, as it is now. KeyError: there is no such listener."""
        return self._now.lists[listener].decide(address)

    def _watch(self, path: Path, stamp: Stamp | None) -> None:
        self.watch.watch(_key(path), [path], partial(self._changed, path), {path: stamp})

    async def _changed(self, path: Path) -> None:
        try:
            if await self._settling.stands_still(path, self.threads):
                await self._read_again(path)
        except AccessError as error:
            self.log.error("access.file_kept", file=path, reason=str(error))
        except MailFailure as failure:
            self.log.warning("access.file_delayed", file=path, reason=failure.reason)
            self.watch.clock.callLater(self.watch.interval, self._try_again, path)

    def _try_again(self, path: Path) -> None:
        if path in self._now.files:
            self._watch(path, UNLIKE_ANY)

    async def _read_again(self, path: Path) -> None:
        file = await self.threads.run(partial(read_file, path))
        if path not in self._now.files:
            return  # a reload has dropped it meanwhile
        self._now = now = attrs.evolve(self._now, files={**self._now.files, path: file})
        concerned = {each.rules for each in now.lists.values() if path in each.rules.files}
        compiled = await self.threads.run(partial(_compiled, concerned, now.files))
        if all(self._now.files.get(each) is now.files[each] for rules in concerned for each in rules.files):
            lists = {name: compiled.get(each.rules, each) for name, each in self._now.lists.items()}
            self._now = attrs.evolve(self._now, lists=lists)
            self.log.info("access.file_read", file=path, entries=len(file.entries))


def _key(path: Path) -> tuple[str, Path]:
    return "access", path
