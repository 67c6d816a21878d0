"""An open maildir: what a POP3 session holds."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from functools import partial

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IMaildrop, IThreads
from mailsuite.model.address import Address
from mailsuite.model.failure import MessageGone
from mailsuite.model.message import MessageRef
from mailsuite.observe.log import Log
from mailsuite.store.maildir.body import FileBody, open_body
from mailsuite.store.maildir.descriptor import Descriptor, run_owned
from mailsuite.store.maildir.files import Files, temporary_failure
from mailsuite.store.maildir.names import unique_part
from mailsuite.store.maildir.scan import MAX_TRIES, NotRegular, locate


@implementer(IMaildrop)
@attrs.define(eq=False)
class Maildrop:
    """Holds the lock until release(). Finds files again that other programs have renamed."""

    account: Address
    messages: tuple[MessageRef, ...]
    _maildir: str
    _lock: Descriptor
    _threads: IThreads
    _files: Files
    _log: Log
    _moved: dict[str, str] = attrs.field(factory=dict, init=False)
    """Where messages were when we last had to look again: other programs rename many at a time."""

    async def open(self, ref: MessageRef) -> FileBody:
        try:
            return await run_owned(self._threads, partial(self._open, ref), FileBody.close)
        except NotRegular as error:
            raise MessageGone(str(error)) from error
        except OSError as error:
            raise temporary_failure(error) from error

    async def expunge(self, refs: Sequence[MessageRef]) -> int:
        try:
            failed = await self._threads.run(partial(self._expunge, refs))
        except OSError as error:
            raise temporary_failure(error) from error
        for problem in failed:
            self._log.error("store.expunge_failed", account=self.account, reason=str(problem))
        return len(failed)

    async def release(self) -> None:
        """A call that is at work in a thread keeps the lock until it has ended."""
        self._lock.close()

    # In a thread.

    def _open(self, ref: MessageRef) -> FileBody:
        with self._lock.borrowed():
            for _ in range(MAX_TRIES):
                try:
                    return open_body(self._path(ref), ref, self._threads)
                except FileNotFoundError:
                    self._moved = locate(self._maildir)
                    if _unique(ref) not in self._moved:
                        raise MessageGone(ref.key) from None
        raise _outrun(ref)

    def _expunge(self, refs: Sequence[MessageRef]) -> list[OSError]:
        """In rounds: one look tells of all that other programs have renamed or taken, be it thousands."""
        failed: list[OSError] = []
        touched: set[str] = set()
        left = refs
        with self._lock.borrowed():
            for _ in range(MAX_TRIES):
                missing = self._unlink(left, touched, failed)
                left = self._found_again(missing, failed) if missing else []
            failed += map(_outrun, left)
            for directory in sorted(touched):
                self._files.sync_directory(directory)
        return failed

    def _unlink(
        self, refs: Sequence[MessageRef], touched: set[str], failed: list[OSError]
    ) -> list[MessageRef]:
        """Answers the messages whose files are not where we knew them to be."""
        missing = []
        for ref in refs:
            path = self._path(ref)
            try:
                self._files.unlink(path)
                touched.add(os.path.dirname(path))
            except FileNotFoundError:
                missing.append(ref)
            except OSError as error:
                failed.append(error)
        return missing

    def _found_again(self, missing: Sequence[MessageRef], failed: list[OSError]) -> list[MessageRef]:
        """Look where they are now. What is nowhere is gone, and counts as removed."""
        try:
            self._moved = locate(self._maildir)
        except OSError as error:
            failed += [error] * len(missing)
            return []
        return [ref for ref in missing if _unique(ref) in self._moved]

    def _path(self, ref: MessageRef) -> str:
        return os.path.join(self._maildir, self._moved.get(_unique(ref), ref.key))


def _unique(ref: MessageRef) -> str:
    return unique_part(os.path.basename(ref.key))


def _outrun(ref: MessageRef) -> OSError:
    return OSError(errno.EBUSY, "renamed again and again", ref.key)
