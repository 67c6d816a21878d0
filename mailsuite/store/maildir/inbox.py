"""The messages in new and cur: found wherever other programs have renamed them, removed, marked as seen.

All blocks: for a thread.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence

import attrs

from mailsuite.durable.directories import Directories
from mailsuite.model.quota import UNLIMITED, Quota
from mailsuite.model.retention import MaildropRules
from mailsuite.store.maildir.beside import Beside
from mailsuite.store.maildir.listings import Listings
from mailsuite.store.maildir.names import delivered_at, with_seen
from mailsuite.store.maildir.replacing import ReplacingFiles
from mailsuite.store.maildir.scan import MAX_TRIES, Listing, Sizes, locate
from mailsuite.store.maildir.trash import Trash, unique_of
from mailsuite.store.maildir.views import Views

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@attrs.frozen
class Maildir:
    """One maildir, and what all that work on it need."""

    path: str
    files: ReplacingFiles
    directories: Directories
    beside: Beside
    listings: Listings
    rules_now: Callable[[], MaildropRules]
    now: Callable[[], float]
    """Seconds since the epoch."""
    deleted_quota_now: Callable[[], Quota] = lambda: UNLIMITED

    @property
    def rules(self) -> MaildropRules:
        """What is in force at this moment."""
        return self.rules_now()

    @property
    def sizes(self) -> Sizes:
        return self.listings.sizes

    def listing(self) -> Listing:
        """All that is in new and cur."""
        return self.listings.scan(self.path)

    @property
    def trash(self) -> Trash:
        return Trash(self.path, self.files, self.beside)

    @property
    def views(self) -> Views:
        return Views(self.path, self.files, self.beside)

    @property
    def trash_begins(self) -> float:
        """What was deleted at this time or before cannot be brought back any more."""
        return self.now() - self.rules.keep_deleted

    def delivered_at(self, key: str) -> float | None:
        """When a message came, in seconds since the epoch: by its name, or what the file itself says; None
        where it is gone."""
        if (at := delivered_at(unique_of(key))) is not None:
            return at
        try:
            return os.stat(os.path.join(self.path, key), follow_symlinks=False).st_mtime
        except FileNotFoundError:
            return None


@attrs.define(eq=False)
class Whereabouts:
    """Where messages are: as they were listed, or where they were when we last had to look again, since
    other programs rename many at a time."""

    maildir: str
    look: Callable[[], dict[str, str]]
    """Unique parts, and paths below the maildir."""
    _moved: dict[str, str] = attrs.field(factory=dict, init=False)

    def path(self, key: str) -> str:
        return os.path.join(self.maildir, self._moved.get(unique_of(key), key))

    def look_again(self) -> None:
        self._moved = self.look()

    def is_somewhere(self, key: str) -> bool:
        """Whether it was anywhere, at the last look."""
        return unique_of(key) in self._moved


@attrs.define(eq=False)
class Inbox:
    """Removes messages, and marks them."""

    maildir: Maildir
    where: Whereabouts

    @classmethod
    def of(cls, maildir: Maildir) -> Inbox:
        return cls(maildir, Whereabouts(maildir.path, lambda: locate(maildir.path)))

    def remove(self, keys: Sequence[str], insist: bool = False) -> dict[str, OSError]:
        """Into the trash, or for good where nothing is kept; durable when it returns. Answers which could
        not be removed; what is gone already counts as removed. Raises OSError where it may not be durable.

        Where the disk has no room for the trash, who *insists* has it removed for good: a full disk is what
        somebody deletes mail for.

        In rounds: one look tells of all that other programs have renamed or taken, be it thousands.
        """
        failed: dict[str, OSError] = {}
        touched: dict[str, None] = {}
        left = keys
        for _ in range(MAX_TRIES):
            missing = self._take_away(left, touched, failed, insist)
            left = self._found_again(missing, failed) if missing else []
        failed |= {key: OSError(errno.EBUSY, "renamed again and again", key) for key in left}
        sources = {os.path.join(self.maildir.path, name) for name in ("new", "cur")}
        for directory in sorted(touched, key=lambda path: (path in sources, path)):  # the new place first
            self.maildir.files.sync_directory(directory)
        if touched.keys() - sources:
            self._bound_trash()
        return failed

    def _bound_trash(self) -> None:
        """Forget the oldest of what is deleted, where that is more than is kept; as far as it can be done,
        for the next deletion tries again."""
        quota, trash = self.maildir.deleted_quota_now(), self.maildir.trash
        if quota.is_unlimited:
            return
        with contextlib.suppress(OSError):
            trash.forget(trash.beyond(quota))

    def _take_away(
        self, keys: Iterable[str], touched: dict[str, None], failed: dict[str, OSError], insist: bool
    ) -> list[str]:
        """Answers the messages whose files are not where we knew them to be."""
        missing = []
        at, keeps = int(self.maildir.now()), self.maildir.rules.keep_deleted > 0
        for key in keys:
            path = self.where.path(key)
            try:
                if keeps and stat.S_ISREG(os.lstat(path).st_mode):
                    touched[self._put(path, at, insist)] = None
                else:
                    self.maildir.files.unlink(path)
                touched[os.path.dirname(path)] = None
            except FileNotFoundError:
                missing.append(key)
            except OSError as error:
                failed[key] = error
        return missing

    def _put(self, path: str, at: int, insist: bool) -> str:
        """Into the trash; answers the directory to sync."""
        try:
            return self.maildir.trash.put(path, at)
        except OSError as error:
            if not insist or error.errno not in NO_ROOM:
                raise
        self.maildir.files.unlink(path)
        return os.path.dirname(path)

    def _found_again(self, missing: Sequence[str], failed: dict[str, OSError]) -> list[str]:
        """Look where they are now. What is nowhere is gone, and counts as removed."""
        self.maildir.trash.look_again()
        try:
            self.where.look_again()
        except OSError as error:
            failed |= dict.fromkeys(missing, error)
            return []
        return [key for key in missing if self.where.is_somewhere(key)]

    def mark_seen(self, keys: Iterable[str]) -> None:
        """As far as it can be done: a mark that is lost in a crash, or not possible, loses nothing."""
        if not self.maildir.rules.mark_seen:
            return
        cur = os.path.join(self.maildir.path, "cur")
        for key in keys:
            path = self.where.path(key)
            name = with_seen(os.path.basename(path))
            if name is not None:
                with contextlib.suppress(OSError):
                    self.maildir.files.move(path, os.path.join(cur, name))
