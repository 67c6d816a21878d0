"""Our maildrops for twisted.mail, which knows a mailbox as ``twisted.mail.interfaces.IMailboxPOP3``."""

from __future__ import annotations

import tempfile
import weakref
from functools import partial
from typing import IO, Any, overload

from twisted.internet.defer import Deferred
from twisted.mail.interfaces import IMailboxPOP3
from zope.interface import implementer

from mailsuite.interfaces import IMaildrop, IThreads
from mailsuite.model.message import MessageRef

SPOOL_OCTETS = 262_144
"""A message up to this size is handed out in memory, a larger one in a temporary file."""


@implementer(IMailboxPOP3)
class MaildropMailbox:
    """A maildrop of ours, as twisted.mail knows mailboxes.

    Nothing is removed before sync(), which fires when it is durable. Whoever has opened the maildrop calls
    release() at the end.
    """

    def __init__(self, maildrop: IMaildrop, threads: IThreads) -> None:
        self._maildrop = maildrop
        self._threads = threads
        self._marked: dict[int, MessageRef] = {}
        self._gone: set[int] = set()
        self._spools: weakref.WeakSet[Any] = weakref.WeakSet()

    @overload
    def listMessages(self) -> list[int]: ...

    @overload
    def listMessages(self, i: int) -> int: ...

    def listMessages(self, i: int | None = None) -> int | list[int]:
        """Octets as RETR sends them (RFC 1939 section 11), 0 for a message that is marked as deleted."""
        if i is not None:
            return self._size(self._checked(i))
        return [self._size(index) for index in range(len(self._maildrop.messages))]

    def getMessage(self, i: int) -> Deferred[IO[bytes]]:
        """Fires with the text, its lines ended by LF as twisted.mail wants it; or fails with MailFailure."""
        return Deferred.fromCoroutine(self._text(self._present(i)))

    def getUidl(self, i: int) -> bytes:
        return self._maildrop.messages[self._checked(i)].uidl.encode("ascii")

    def deleteMessage(self, i: int) -> None:
        ref = self._present(i)
        self._marked[i] = ref

    def undeleteMessages(self) -> None:
        self._marked.clear()

    def sync(self) -> Deferred[None]:
        """Remove what is marked. What could not be removed stays marked, and is tried again next time."""
        return Deferred.fromCoroutine(self._remove())

    def release(self) -> Deferred[None]:
        """Give the lock back, and close the texts that were handed out. Any number of times."""
        for spool in list(self._spools):
            spool.close()
        return Deferred.fromCoroutine(self._maildrop.release())

    def _checked(self, i: int) -> int:
        if not 0 <= i < len(self._maildrop.messages):
            raise ValueError(f"there is no message {i}")
        return i

    def _present(self, i: int) -> MessageRef:
        if self._checked(i) in self._marked or i in self._gone:
            raise ValueError(f"message {i} is deleted")
        return self._maildrop.messages[i]

    def _size(self, i: int) -> int:
        return 0 if i in self._marked or i in self._gone else self._maildrop.messages[i].size

    async def _text(self, ref: MessageRef) -> IO[bytes]:
        body = await self._maildrop.open(ref)
        spool: Any = tempfile.SpooledTemporaryFile(max_size=SPOOL_OCTETS)  # noqa: SIM115 - it is handed out
        try:
            held = b""
            while chunk := await body.read():
                text = held + chunk
                held = b"\r" if text.endswith(b"\r") else b""
                lines = text[: len(text) - len(held)].replace(b"\r\n", b"\n")
                await self._threads.run(partial(spool.write, lines))
            spool.write(held)
            spool.seek(0)
        except BaseException:
            spool.close()
            raise
        finally:
            body.close()
        self._spools.add(spool)
        return spool  # type: ignore[no-any-return]

    async def _remove(self) -> None:
        marked = dict(self._marked)
        if marked and not await self._maildrop.update(tuple(marked.values()), ()):
            self._gone.update(marked)
            for i in marked:
                self._marked.pop(i, None)
