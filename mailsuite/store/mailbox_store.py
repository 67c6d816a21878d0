"""Any mailbox of twisted.mail (``IMailboxPOP3``) behind our POP3.

Its texts have lines that end with LF, ours with CRLF; its sizes are anybody's guess, ours are what is sent.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import maybeDeferred
from twisted.mail.interfaces import IMailboxPOP3
from zope.interface import implementer

from mailsuite.interfaces import IMaildrop, IMessageBody, IThreads
from mailsuite.model.address import Address
from mailsuite.model.failure import MaildropInUse, MessageGone, PermanentFailure, TemporaryFailure
from mailsuite.model.message import MessageRef
from mailsuite.model.reply import NO_SUCH_ACCOUNT, STORE_UNAVAILABLE
from mailsuite.model.view import View
from mailsuite.store.mailbox_uidls import Doubled, fit, hashed, text_of
from mailsuite.store.maildir.wireform import to_crlf

MAX_SIZES = 100_000
"""Sizes that are remembered, so that a login does not read all mail again."""
_READ_CHARACTERS = 8_191
"""Of a file at once: four octets each at most, and conversion doubles at most, so that it fits into the
64 KiB of IMessageBody."""
CLASSIC = View()

OpenMailbox = Callable[[Address], Awaitable[tuple[IMailboxPOP3, Callable[[], object]]]]
"""Opens a mailbox; answers it, and what is called at the end of the session, as twisted.cred's realms do."""


class MailboxStore:
    """Any IMailboxPOP3 behind our POP3: what the realm needs of an IMailStore, one session at a time each.

    Mailboxes are asked in the reactor's thread, as twisted.mail asks them; their files are read in others.
    There is no trash, and a device cannot have a view of its own: both raise PermanentFailure.
    """

    def __init__(self, open_mailbox: OpenMailbox, threads: IThreads) -> None:
        self._open_mailbox = open_mailbox
        self._threads = threads
        self._sizes = Sizes()
        self._doubled = Doubled()
        self._held: set[Address] = set()

    async def open_maildrop(self, account: Address, view: View = CLASSIC) -> MailboxMaildrop:
        """Open and measure. Raises MaildropInUse, PermanentFailure, and whatever the mailbox raises.

        All is read once to measure it, and what was not there the last time later on.
        """
        if view != CLASSIC:
            raise PermanentFailure(NO_SUCH_ACCOUNT, "a mailbox of twisted.mail has no trash and no views")
        if account in self._held:
            raise MaildropInUse
        self._held.add(account)
        try:
            mailbox, logout = await self._open_mailbox(account)
            drop = MailboxMaildrop(
                account,
                mailbox,
                self._threads,
                self._sizes,
                self._doubled,
                partial(self._end, account, logout),
            )
            try:
                await drop.list()
            except BaseException:
                await drop.release()
                raise
        except BaseException:
            self._held.discard(account)
            raise
        return drop

    async def _end(self, account: Address, logout: Callable[[], object]) -> None:
        try:
            await maybeDeferred(logout)
        finally:
            self._held.discard(account)


class Sizes:
    """Remembers how many octets a message has in wire form; the last ones asked for."""

    def __init__(self) -> None:
        self._sizes: OrderedDict[tuple[Address, str], int] = OrderedDict()

    def get(self, account: Address, uidl: str) -> int | None:
        if (account, uidl) in self._sizes:
            self._sizes.move_to_end((account, uidl))
        return self._sizes.get((account, uidl))

    def put(self, account: Address, uidl: str, size: int) -> None:
        self._sizes[account, uidl] = size
        if len(self._sizes) > MAX_SIZES:
            self._sizes.popitem(last=False)

    def forget(self, account: Address, uidl: str) -> None:
        self._sizes.pop((account, uidl), None)


@implementer(IMaildrop)
@attrs.define(eq=False)
class MailboxMaildrop:
    """A mailbox of twisted.mail, as an open maildrop."""

    account: Address
    _mailbox: IMailboxPOP3
    _threads: IThreads
    _sizes: Sizes
    _doubled: Doubled
    _end: Callable[[], Awaitable[None]]
    messages: tuple[MessageRef, ...] = attrs.field(default=(), init=False)
    _released: bool = attrs.field(default=False, init=False)

    async def list(self) -> None:
        """Fill ``messages``. Raises whatever the mailbox raises."""
        sizes = await maybeDeferred(self._mailbox.listMessages)
        present = [index for index, size in enumerate(sizes) if size]  # 0: deleted
        found = [text_of(await maybeDeferred(self._mailbox.getUidl, index)) for index in present]
        doubled = self._doubled.all_of(self.account, found)
        refs: list[MessageRef] = []
        seen: set[str] = set()
        for index, text in zip(present, found, strict=True):
            if text in doubled:
                self._sizes.forget(self.account, text)
                size, content = await self._threads.run(partial(_fingerprint, await self._text(index)))
                uidl = hashed(f"{content} {text}", seen)
            else:
                uidl = fit(text, seen)
                size = await self._measured(index, uidl)
            seen.add(uidl)
            refs.append(MessageRef(uidl, size, str(index)))
        self.messages = tuple(refs)

    async def open(self, ref: MessageRef) -> MailboxBody:
        wrong = partial(self._sizes.forget, self.account, ref.uidl)
        return MailboxBody(ref.size, await self._text(int(ref.key)), self._threads, wrong)

    async def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        """There is no mark for what was retrieved. Raises TemporaryFailure where sync() fails."""
        left = 0
        for ref in deleted:
            try:
                await maybeDeferred(self._mailbox.deleteMessage, int(ref.key))
            except (ValueError, IndexError, OSError):
                left += 1
        try:
            await maybeDeferred(self._mailbox.sync)
        except OSError as error:
            raise TemporaryFailure(STORE_UNAVAILABLE, f"sync(): {error.strerror}") from error
        return left

    async def release(self) -> None:
        if not self._released:
            self._released = True
            await self._end()

    async def _measured(self, index: int, uidl: str) -> int:
        size = self._sizes.get(self.account, uidl)
        if size is None:
            text = await self._text(index)
            size = await self._threads.run(partial(_measure, text))
            self._sizes.put(self.account, uidl, size)
        return size

    async def _text(self, index: int) -> WireText:
        try:
            file = await maybeDeferred(self._mailbox.getMessage, index)
        except (ValueError, IndexError, FileNotFoundError) as error:
            raise MessageGone(str(error)) from error
        except OSError as error:
            raise TemporaryFailure(STORE_UNAVAILABLE, f"getMessage(): {error.strerror}") from error
        return WireText(file)


@implementer(IMessageBody)
@attrs.define(eq=False)
class MailboxBody:
    """A message of twisted.mail opened for reading."""

    size: int
    _text: WireText
    _threads: IThreads
    _wrong: Callable[[], None]
    """Called when there is not as much as was measured once."""
    descriptor: int = attrs.field(default=-1, init=False)
    _answered: int = attrs.field(default=0, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def read(self) -> bytes:
        if self._closed:
            raise RuntimeError("read after close()")
        try:
            chunk = await self._threads.run(self._text.read)
        except OSError as error:
            raise TemporaryFailure(STORE_UNAVAILABLE, f"read(): {error.strerror}") from error
        self._answered += len(chunk)
        if self._answered > self.size or (not chunk and self._answered < self.size):
            self._wrong()
            raise TemporaryFailure(
                STORE_UNAVAILABLE, f"the message had {self.size} octets, and has others now"
            )
        return chunk

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._text.close()


@attrs.define(eq=False)
class WireText:
    """A file of any line ends in wire form: every line ends with CRLF, the last one too. Blocks."""

    file: Any
    """Of octets, or of characters: then its octets where it has some below, and UTF-8 otherwise."""
    _last: bytes = attrs.field(default=b"\n", init=False)

    def read(self) -> bytes:
        """The next octets, at most 64 KiB; b"" at the end."""
        raw = getattr(self.file, "buffer", self.file).read(_READ_CHARACTERS)
        octets = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else raw
        if octets:
            chunk = to_crlf(octets, self._last == b"\r")
            self._last = octets[-1:]
            return chunk
        missing = b"" if self._last == b"\n" else b"\r\n"
        self._last = b"\n"
        return missing

    def close(self) -> None:
        close = getattr(self.file, "close", None)
        if close is not None:
            close()


def _measure(text: WireText) -> int:
    try:
        return sum(map(len, iter(text.read, b"")))
    finally:
        text.close()


def _fingerprint(text: WireText) -> tuple[int, str]:
    """How many octets there are, and a hash of them."""
    octets, content = 0, hashlib.sha256()
    try:
        for chunk in iter(text.read, b""):
            octets += len(chunk)
            content.update(chunk)
    finally:
        text.close()
    return octets, content.hexdigest()
