"""The answer to RETR and TOP while it is being sent (RFC 1939 sections 5 and 7)."""

from __future__ import annotations

import attrs

from mailsuite.model import response as say
from mailsuite.model.response import Response
from mailsuite.wire.pop3.events import Retrieve
from mailsuite.wire.pop3.multiline import DotStuffer, TopLimiter


@attrs.define
class Retrieval:
    """One message on its way out: wire form in, what the client reads out."""

    _asked: Retrieve
    _stuffer: DotStuffer = attrs.field(factory=DotStuffer, init=False)
    _limiter: TopLimiter | None = attrs.field(init=False)

    @_limiter.default
    def _limiter_of_top(self) -> TopLimiter | None:
        return None if self._asked.lines is None else TopLimiter(self._asked.lines)

    def first_line(self, size: int) -> Response:
        """Before the text of a message of *size* octets."""
        return say.message_follows(size) if self._asked.lines is None else say.TOP_FOLLOWS

    @property
    def complete(self) -> bool:
        """A TOP has all it asked for."""
        return self._limiter is not None and self._limiter.enough

    @property
    def needs_feeding(self) -> bool:
        """The text cannot go out as it stands in the store."""
        return self._limiter is not None or self._asked.ref.dot_lines

    def feed(self, data: bytes) -> bytes:
        return self._stuffer.feed(data if self._limiter is None else self._limiter.feed(data))

    def finish(self) -> bytes:
        return self._stuffer.finish()
