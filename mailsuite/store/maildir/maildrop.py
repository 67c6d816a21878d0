"""An open maildir: what a POP3 session holds."""

from __future__ import annotations

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
from mailsuite.store.maildir.scan import NotRegular, locate


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
            try:
                return open_body(self._path(ref), ref, self._threads)
            except FileNotFoundError:
                if not self._look_again(ref):
                    raise MessageGone(ref.key) from None
            try:
                return open_body(self._path(ref), ref, self._threads)
            except FileNotFoundError:
                raise MessageGone(ref.key) from None

    def _expunge(self, refs: Sequence[MessageRef]) -> list[OSError]:
        failed: list[OSError] = []
        touched: set[str] = set()
        with self._lock.borrowed():
            for ref in refs:
                try:
                    path = self._remove(ref)
                except OSError as error:
                    failed.append(error)
                else:
                    if path:
                        touched.add(os.path.dirname(path))
            for directory in sorted(touched):
                self._files.sync_directory(directory)
        return failed

    def _remove(self, ref: MessageRef) -> str:
        """Unlink the message; the path it had, or "" where it is gone already."""
        for _ in range(2):
            path = self._path(ref)
            try:
                self._files.unlink(path)
            except FileNotFoundError:
                if not self._look_again(ref):
                    return ""
            else:
                return path
        return ""

    def _path(self, ref: MessageRef) -> str:
        return os.path.join(self._maildir, self._moved.get(_unique(ref), ref.key))

    def _look_again(self, ref: MessageRef) -> bool:
        """Find out where the messages are now; whether *ref* is among them."""
        self._moved = locate(self._maildir)
        return _unique(ref) in self._moved


def _unique(ref: MessageRef) -> str:
    return unique_part(os.path.basename(ref.key))
