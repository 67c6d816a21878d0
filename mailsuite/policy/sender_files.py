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
from mailsuite.model.sender_list import SenderEntry, SenderList, parse_sender
from mailsuite.observe.log import Log
from mailsuite.policy.list_files import UNLIKE_ANY, Settling, entries
from mailsuite.policy.sender_lists import SenderRules, compiled

MAX_FORMER: Final = 4
"""Rules out of force whose lists are kept: our own limit, for a list may be large. Sessions that outlive more
reloads than these are rare (max_session)."""


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
    senders: list[SenderEntry] = []
    for number, text in entries(path, SenderListError):
        try:
            senders.append(parse_sender(text))
        except AddressSyntaxError as error:
            raise SenderListError(f"{path}:{number}: {error}") from error
    return SenderFile(stamp, tuple(senders))


@attrs.frozen(eq=False)
class PreparedSenders:
    """The lists of all doors by their rules, and the files that they were made from."""

    lists: Mapping[SenderRules, SenderList]
    files: Mapping[Path, SenderFile]

    def list_of(self, rules: SenderRules) -> SenderList:
        """The list of *rules*, which must be one of them."""
        return self.lists[rules]


def prepared(wanted: Iterable[SenderRules]) -> PreparedSenders:
    """Read and compile all lists. Blocks. Raises SenderListError."""
    rules = frozenset(wanted)
    files = {path: read_sender_file(path) for each in rules for path in each.files}
    return PreparedSenders(_compiled(rules, files), files)


def _compiled(
    rules: Iterable[SenderRules], files: Mapping[Path, SenderFile]
) -> dict[SenderRules, SenderList]:
    senders = {path: file.entries for path, file in files.items()}
    return {each: compiled(each, senders) for each in rules}


@attrs.define(eq=False)
class SenderLists:
    """The lists in force. A reload prepares, which may fail, and turns, which cannot.

    A file that changes is read again once it stands still; while it is broken or missing, its last good
    contents stay in force.
    """

    threads: IThreads
    watch: FileWatch
    log: Log
    _now: PreparedSenders = attrs.field(factory=lambda: PreparedSenders({}, {}), init=False)
    _former: Mapping[SenderRules, SenderList] = attrs.field(factory=dict, init=False)
    """Of the last rules that a reload has taken out of force, the latest at the end, as they stood then."""
    _settling: Settling = attrs.field(init=False)

    @_settling.default
    def _make_settling(self) -> Settling:
        return Settling(self.watch, self._try_again)

    async def prepare(self, wanted: Iterable[SenderRules]) -> PreparedSenders:
        """What turn() takes, read afresh. Raises SenderListError, MailFailure; then nothing has changed."""
        return await self.threads.run(partial(prepared, tuple(wanted)))

    def turn(self, wanted: PreparedSenders) -> None:
        """From now on these lists hold, and their files are watched."""
        for path in self._now.files.keys() - wanted.files.keys():
            self.watch.forget(_key(path))
        self._settling.clear()
        known = {**self._former, **self._now.lists}
        former = [rules for rules in known if rules not in wanted.lists]
        self._former = {rules: known[rules] for rules in former[-MAX_FORMER:]}
        self._now = wanted
        for path, file in wanted.files.items():
            self._watch(path, file.stamp)

    def list_of(self, rules: SenderRules) -> SenderList:
        """The list of *rules* as it is now; of rules that are in force no more, as it was when a reload took
        them away, for sessions that outlive it. Of rules that nobody knows, or that were forgotten since,
        what stands in the settings themselves."""
        found = self._now.lists.get(rules) or self._former.get(rules)
        return found or compiled(attrs.evolve(rules, block_files=(), accept_files=()), {})

    async def _changed(self, path: Path) -> None:
        try:
            if not await self._settling.stands_still(path, self.threads):
                return
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
            self._watch(path, UNLIKE_ANY)

    def _watch(self, path: Path, stamp: Stamp | None) -> None:
        self.watch.watch(_key(path), [path], partial(self._changed, path), {path: stamp})


def _key(path: Path) -> tuple[str, Path]:
    return "senders", path
