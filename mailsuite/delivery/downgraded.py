"""A maildrop as a client sees it that has not said UTF8 (RFC 6856 section 2.1, RFC 6858)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IMaildrop, IMessageBody
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure, NeedsUtf8
from mailsuite.model.message import MessageRef
from mailsuite.wire.pop3.downgrade import surrogate

Policy = Literal["downgrade", "refuse"]

MAX_HEADER_OCTETS: Final = 256 * 1024
"""A header beyond is given as it is; the store's probe knows none that is longer."""
MAX_MEASURED: Final = 2000
"""Messages whose header is read at the login, to list them by the size they have here. Of those beyond, the
newest, the first line of RETR alone tells the exact size."""
PIECE_OCTETS: Final = 64 * 1024


@implementer(IMaildrop)
@attrs.define(eq=False)
class Downgraded:
    """Another maildrop, where messages with a UTF-8 header are given with one of ASCII, or refused.

    Bodies are passed on as they are. All else is the other maildrop's: lock, removals, failures.
    """

    _maildrop: IMaildrop
    _policy: Policy
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
        return await _opened(self._maildrop, self._original(ref))

    async def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        return await self._maildrop.update(
            tuple(map(self._original, deleted)), tuple(map(self._original, retrieved))
        )

    async def release(self) -> None:
        await self._maildrop.release()

    def _original(self, ref: MessageRef) -> MessageRef:
        return self._originals.get(ref.uidl, ref)


async def downgraded(maildrop: IMaildrop, policy: Policy) -> IMaildrop:
    """*maildrop* for a client without UTF8; itself where it has nothing that such a client may not see.

    A header that cannot be read now leaves its message listed as it is stored.
    """
    if not any(ref.utf8_header for ref in maildrop.messages):
        return maildrop
    if policy == "refuse":
        return Downgraded(maildrop, policy, maildrop.messages, {})
    messages, originals = list(maildrop.messages), dict[str, MessageRef]()
    for index, ref in enumerate(messages):
        if not ref.utf8_header:
            continue
        if len(originals) >= MAX_MEASURED:
            break
        messages[index] = attrs.evolve(ref, size=await _size(maildrop, ref), dot_lines=True)
        originals[ref.uidl] = ref
    return Downgraded(maildrop, policy, tuple(messages), originals)


async def _size(maildrop: IMaildrop, ref: MessageRef) -> int:
    try:
        body = await _opened(maildrop, ref)
    except MailFailure:
        return ref.size
    body.close()
    return body.size


async def _opened(maildrop: IMaildrop, ref: MessageRef) -> Surrogate:
    """Raises as the maildrop and the body do."""
    body = await maildrop.open(ref)
    try:
        return await _surrogate(body)
    except BaseException:
        body.close()
        raise


async def _surrogate(body: IMessageBody) -> Surrogate:
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
    header = start[:end] if end >= 0 else b""
    shown = surrogate(header) + start[len(header) :]
    return Surrogate(body, body.size - len(start) + len(shown), shown)


@implementer(IMessageBody)
@attrs.define(eq=False)
class Surrogate:
    """A message with another header. What was read for it comes first, then the rest."""

    _body: IMessageBody
    size: int
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
