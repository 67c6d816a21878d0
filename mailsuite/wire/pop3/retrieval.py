"""The answer to RETR and TOP while it is being sent (RFC 1939 sections 5 and 7; features row P-23)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import attrs

from mailsuite.model import response as say
from mailsuite.model.response import Response
from mailsuite.wire.pop3.events import Retrieve
from mailsuite.wire.pop3.multiline import DotStuffer, HeaderEnd, TopLimiter
from mailsuite.wire.pop3.settings import NO_NULS, WHOLE_HEADERS


@attrs.define
class Retrieval:
    """One message on its way out: wire form in, what the client reads out.

    Of the *quirks* of old programs two change the text, both as Dovecot's workarounds of these names do:

    - ``outlook-no-nuls``: NUL, at which Outlook hangs, goes out as 0x80. Sizes stay what they are.
    - ``oe-ns-eoh``: a message that is all header gets the empty line behind it that Outlook Express and
      Netscape wait for. Nobody knows of such a message before it was read, so that STAT, LIST and the
      first line of RETR go on to agree with each other, and the text has two octets more than they say.
    """

    _asked: Retrieve
    _quirks: AbstractSet[str] = frozenset()
    _stuffer: DotStuffer = attrs.field(factory=DotStuffer, init=False)
    _limiter: TopLimiter | None = attrs.field(init=False)
    _header: HeaderEnd = attrs.field(factory=HeaderEnd, init=False)

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
        changed = not self._quirks.isdisjoint((NO_NULS, WHOLE_HEADERS))
        return self._limiter is not None or self._asked.ref.dot_lines or changed

    def feed(self, data: bytes) -> bytes:
        if WHOLE_HEADERS in self._quirks:
            self._header.feed(data)
        if NO_NULS in self._quirks:
            data = data.replace(b"\0", b"\x80")
        return self._stuffer.feed(data if self._limiter is None else self._limiter.feed(data))

    def finish(self) -> bytes:
        """The end of the answer."""
        if WHOLE_HEADERS not in self._quirks or self._header.found:
            return self._stuffer.finish()
        missing = b"\r\n" if self._stuffer.after_line_end else b"\r\n\r\n"
        return self._stuffer.feed(missing) + self._stuffer.finish()
