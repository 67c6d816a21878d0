"""The octets between 354 and the final dot (RFC 5321 sections 2.3.8, 4.1.1.4 and 4.5.2), chunk by chunk.

Only CR LF . CR LF ends a message. A bare CR or LF, a line without end, or too many octets never end it:
they are noted, the octets are swallowed up to the true end, and the message is refused there as a whole.
So whatever a message holds, no two programs can disagree with us about where it ends and be taken for it.
"""

from __future__ import annotations

import re

import attrs

from mailsuite.wire.smtp.text import Text, with_crlf

END_OF_DATA = b"\r\n.\r\n"
_DOT_LINE = re.compile(rb"\n\.")
"""Where something is to be done about dots at all. On text this search is faster than that of bytes."""


@attrs.define
class BodyScanner(Text):
    """Finds the end of one message, unstuffs its dots, and says what is wrong with it.

    The outcome depends on the octets alone, not on the pieces in which they came; so does what scan()
    answers, joined, unless there is a defect.
    """

    ended: bool = attrs.field(default=False, init=False)
    rest: bytes = attrs.field(default=b"", init=False)
    """What came behind the end."""

    _held: bytes = attrs.field(default=b"\r\n", init=False)
    """The end of what came so far, where it may be the beginning of END_OF_DATA. In the beginning the
    line end of the DATA command, which is no part of the message."""
    _foreign: int = attrs.field(default=2, init=False)
    """How many octets in front are no part of the message."""

    def scan(self, data: bytes) -> bytes:
        """Take what has arrived; answer the message's next octets, none once it has a defect.

        Not to be called again once ``ended`` is True.
        """
        data = self._held + data
        # Encoded attachments have no dot at all, and looking for one octet is far faster.
        dots = b"." in data and _DOT_LINE.search(data) is not None
        end = data.find(END_OF_DATA) if dots else -1
        if end < 0:
            held = _possible_beginning(data)
            self._held = data[len(data) - held :]
            part = data[: len(data) - held]
        else:
            self.ended = True
            self.rest = data[end + len(END_OF_DATA) :]
            part = data[: end + 2]
        to_normalise = self.look_at(part)
        if dots:
            self.dot_lines = self.dot_lines or b"\r\n.." in part
            part = part.replace(b"\r\n.", b"\r\n")
        if self._foreign and part:
            part = part[self._foreign :]
            self._foreign = 0
        if self.normalise:
            # Only now: what was no CRLF on the wire has no stuffed dot behind it.
            part = with_crlf(part) if to_normalise else part
            self.look_for_dots(part)
        return self.count(part)


def _possible_beginning(data: bytes) -> int:
    """How many octets at the end of *data* may be the beginning of END_OF_DATA."""
    return next((n for n in (4, 3, 2, 1) if data.endswith(END_OF_DATA[:n])), 0)
