"""An open maildir: what a POP3 session holds."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import partial

import attrs
from zope.interface import implementer

from mailsuite.durable.descriptor import Descriptor, run_owned
from mailsuite.durable.files import temporary_failure
from mailsuite.interfaces import IMaildrop, IThreads
from mailsuite.model.address import Address
from mailsuite.model.failure import MessageGone
from mailsuite.model.message import MessageRef
from mailsuite.observe.log import Log
from mailsuite.store.maildir.body import FileBody, open_body, open_body_cached
from mailsuite.store.maildir.contents import Contents, Outcome
from mailsuite.store.maildir.scan import MAX_TRIES, NotRegular


@implementer(IMaildrop)
@attrs.define(eq=False)
class Maildrop:
    """Holds the lock until release(). Finds files again that other programs have renamed."""

    account: Address
    messages: tuple[MessageRef, ...]
    _contents: Contents
    _lock: Descriptor
    _threads: IThreads
    _turn: IThreads
    """Where the UPDATE state goes: what changes views takes turns."""
    _log: Log
    _doubt: Callable[[], None] = lambda: None
    """Called, in a thread, when the UPDATE state has changed how much there is."""

    async def open(self, ref: MessageRef) -> FileBody:
        """What is in memory is opened at once: a thread would cost more than all else that RETR does."""
        path = self._contents.where.path(ref.key)
        cached = None if self._lock.closed else open_body_cached(path, ref, self._threads)
        if cached is not None:
            return cached
        try:
            return await run_owned(self._threads, partial(self._open, ref), FileBody.close)
        except NotRegular as error:
            raise MessageGone(str(error)) from error
        except OSError as error:
            raise temporary_failure(error) from error

    async def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        try:
            outcome = await self._turn.run(partial(self._update, deleted, retrieved))
        except OSError as error:
            raise temporary_failure(error) from error
        for problem in outcome.failed:
            self._log.error("store.update_failed", account=self.account, reason=str(problem))
        for problem in outcome.postponed:
            self._log.warning("store.removal_postponed", account=self.account, reason=str(problem))
        for problem in outcome.unreadable:
            self._log.error("store.view_unreadable", account=self.account, reason=str(problem))
        return len(outcome.failed)

    async def release(self) -> None:
        """A call that is at work in a thread keeps the lock until it has ended."""
        self._lock.close()

    # In a thread.

    def _open(self, ref: MessageRef) -> FileBody:
        where = self._contents.where
        with self._lock.borrowed():
            for _ in range(MAX_TRIES):
                try:
                    return open_body(where.path(ref.key), ref, self._threads)
                except FileNotFoundError:
                    where.look_again()
                    if not where.is_somewhere(ref.key):
                        raise MessageGone(ref.key) from None
        raise OSError(errno.EBUSY, "renamed again and again", ref.key)

    def _update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> Outcome:
        with self._lock.borrowed():
            try:
                outcome = self._contents.update(deleted, retrieved)
            except BaseException:
                self._doubt()
                raise
            if outcome.changed:
                self._doubt()
            return outcome
