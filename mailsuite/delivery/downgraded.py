"""A maildrop as a client sees it that has not said UTF8 (RFC 6856 section 2.1, RFC 6858)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IMaildrop, IMessageBody, IThreads
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure, NeedsUtf8
from mailsuite.model.message import MessageRef
from mailsuite.wire.pop3.downgrade import surrogate

Policy = Literal["downgrade", "refuse"]

MAX_HEADER_OCTETS: Final = 64 * 1024
"""A header beyond is given as it is. Programs write 4 KiB, and Postfix reads 100 KiB (header_size_limit)."""
MAX_MEASURED_OCTETS: Final = 1024 * 1024
"""Of headers that are read at one login, to list messages by the size they have here. Of those beyond, the
newest, the first line of RETR alone tells the exact size."""
LEAST_OCTETS: Final = 512
"""A header counts for so many at least: to open a message costs, too."""
MAX_AT_ONCE: Final = 4096
"""Octets of a header that is rewritten right away, in 2 ms at worst; a longer one goes to a thread."""
PIECE_OCTETS: Final = 64 * 1024


@implementer(IMaildrop)
@attrs.define(eq=False)
class Downgraded:
    """Another maildrop, where messages with a UTF-8 header are given with one of ASCII, or refused.

    Bodies are passed on as they are. All else is the other maildrop's: lock, removals, failures.
    """

    _maildrop: IMaildrop
    _policy: Policy
    _threads: IThreads
    messages: tuple[MessageRef, ...]
    _originals: dict[str, MessageRef]
    """Those that are listed otherwise than the other maildrop lists them, by UIDL."""

    @property
    def account(self) -> Address:
        return self._maildrop.account

    async def open(self, ref: MessageRef) -> IMessageBody:
        """Raises NeedsUtf8, and as the other maildrop does."""
        if not ref.utf8_header:
            return await self._maildrop.open(ref)
        if self._policy == "refuse":
            raise NeedsUtf8
        return await _opened(self._maildrop, self._original(ref), self._threads)

    async def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        return await self._maildrop.update(
            tuple(map(self._original, deleted)), tuple(map(self._original, retrieved))
        )

    async def release(self) -> None:
        await self._maildrop.release()

    def _original(self, ref: MessageRef) -> MessageRef:
        return self._originals.get(ref.uidl, ref)


async def downgraded(maildrop: IMaildrop, policy: Policy, threads: IThreads) -> IMaildrop:
    """*maildrop* for a client without UTF8; itself where it has nothing that such a client may not see.

    A header that cannot be read now leaves its message listed as it is stored. Long ones are rewritten in
    *threads*.
    """
    if not any(ref.utf8_header for ref in maildrop.messages):
        return maildrop
    if policy == "refuse":
        return Downgraded(maildrop, policy, threads, maildrop.messages, {})
    messages, originals = list(maildrop.messages), dict[str, MessageRef]()
    left = MAX_MEASURED_OCTETS
    for index, ref in enumerate(messages):
        if not ref.utf8_header:
            continue
        if left <= 0:
            break
        size, header = await _measured(maildrop, ref, threads)
        left -= max(header, LEAST_OCTETS)
        messages[index] = attrs.evolve(ref, size=size, dot_lines=True)
        originals[ref.uidl] = ref
    return Downgraded(maildrop, policy, threads, tuple(messages), originals)


async def _measured(maildrop: IMaildrop, ref: MessageRef, threads: IThreads) -> tuple[int, int]:
    """The octets of a message as it is shown, and of its header that were read for that."""
    try:
        body = await _opened(maildrop, ref, threads)
    except MailFailure:
        return ref.size, 0
    body.close()
    return body.size, body.header


async def _opened(maildrop: IMaildrop, ref: MessageRef, threads: IThreads) -> Surrogate:
    """Raises as the maildrop, the body and the threads do."""
    body = await maildrop.open(ref)
    try:
        return await _surrogate(body, threads)
    except BaseException:
        body.close()
        raise


async def _surrogate(body: IMessageBody, threads: IThreads) -> Surrogate:
    """Read as far as the header goes."""
    start, end = b"", -1
    while end < 0 and len(start) <= MAX_HEADER_OCTETS:
        piece = await body.read()
        if not piece:
            end = len(start)
            break
        searched = max(0, len(start) - 3)
        start += piece
        found = start.find(b"\r\n\r\n", searched)
        end = found + 2 if found >= 0 else -1
    if not 0 <= end <= MAX_HEADER_OCTETS:
        return Surrogate(body, body.size, MAX_HEADER_OCTETS, start)
    shown = await _rewritten(start[:end], threads) + start[end:]
    return Surrogate(body, body.size - len(start) + len(shown), end, shown)


async def _rewritten(header: bytes, threads: IThreads) -> bytes:
    """Raises TemporaryFailure where no thread takes it."""
    if len(header) <= MAX_AT_ONCE:
        return surrogate(header)
    return await threads.run(partial(surrogate, header))


@implementer(IMessageBody)
@attrs.define(eq=False)
class Surrogate:
    """A message with another header. What was read for it comes first, then the rest."""

    _body: IMessageBody
    size: int
    header: int
    """So many octets of the stored header were looked at."""
    _start: bytes
    descriptor: int = attrs.field(default=-1, init=False)

    async def read(self) -> bytes:
        if self._start:
            piece, self._start = self._start[:PIECE_OCTETS], self._start[PIECE_OCTETS:]
            return piece
        return await self._body.read()

    def close(self) -> None:
        self._start = b""
        self._body.close()
