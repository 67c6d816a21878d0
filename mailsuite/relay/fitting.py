"""The form in which a message goes by a session: as it is, or in lines of seven bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import attrs

from mailsuite.interfaces import IThreads
from mailsuite.model.envelope import BodyType
from mailsuite.observe.log import Log
from mailsuite.relay.content import READ_OCTETS, Content
from mailsuite.relay.session import RelaySession
from mailsuite.relay.seven_bit import MAX_OCTETS, in_lines, seven_bit
from mailsuite.wire.smtp.client.letter import Letter


class Readable(Protocol):
    """A message from its beginning, as often as it takes."""

    def rewind(self) -> None: ...

    async def read(self) -> bytes: ...


@attrs.define(eq=False)
class Octets:
    """One that is in memory."""

    octets: bytes
    _place: int = attrs.field(default=0, init=False)

    def rewind(self) -> None:
        self._place = 0

    async def read(self) -> bytes:
        piece = self.octets[self._place : self._place + READ_OCTETS]
        self._place += len(piece)
        return piece


@attrs.define(eq=False)
class Fitting:
    """Of one message. What is encoded anew is so once, for all servers that need it."""

    content: Content
    threads: IThreads
    log: Log
    _encoded: Octets | None = attrs.field(default=None, init=False)
    _is_looked_at: bool = attrs.field(default=False, init=False)

    async def of(self, letter: Letter, session: RelaySession) -> tuple[Letter, Readable]:
        """What goes by this session in the place of *letter*. Where there is no such thing it is the letter
        as it is, and the session will say that it cannot go. Fails as reading and threads do."""
        offered = session.core.extensions
        is_binary = letter.body is BodyType.BINARY
        goes = offered.binary and offered.chunking and offered.pipelining if is_binary else offered.eight_bit
        if letter.body is BodyType.SEVEN_BIT or goes:
            return letter, self.content
        if not self._is_looked_at:
            self._encoded = await self._encode(in_lines if is_binary else seven_bit)
            self._is_looked_at = True
        if self._encoded is None:
            return letter, self.content
        self.log.info("relay.encoded", id=self.content.message.id, host=session.host)
        size = len(self._encoded.octets)
        return attrs.evolve(letter, body=BodyType.SEVEN_BIT, size=size), self._encoded

    async def _encode(self, form: Callable[[bytes], bytes | None]) -> Octets | None:
        if self.content.message.size > MAX_OCTETS:
            return None
        self.content.rewind()
        pieces = []
        while piece := await self.content.read():
            pieces.append(piece)
        octets = await self.threads.run(partial(form, b"".join(pieces)))
        return None if octets is None else Octets(octets)
