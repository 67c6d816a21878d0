"""Whether the header of a message that comes in pieces is UTF-8 beyond ASCII."""

from __future__ import annotations

import attrs

from mailsuite.wire.pop3.downgrade import is_internationalized

MAX_HEADER_OCTETS = 256 * 1024
"""A header beyond is taken for one of ASCII; as much as a delivery keeps in memory anyway."""


@attrs.define(eq=False)
class HeaderProbe:
    """Looks at the header while it passes. It is kept only until it has ended."""

    complete: bool = attrs.field(default=False, init=False)
    """Nothing more needs to be fed."""
    _kept: bytearray = attrs.field(factory=lambda: bytearray(b"\r\n"), init=False)
    """With a line end before it, so that an empty header is no special case."""
    _is_utf8: bool = attrs.field(default=False, init=False)

    def feed(self, data: bytes) -> None:
        """The next octets of the message."""
        start = max(0, len(self._kept) - 3)
        self._kept += data
        end = self._kept.find(b"\r\n\r\n", start)
        if end >= 0:
            self._judge(bytes(self._kept[:end]))
        elif len(self._kept) > MAX_HEADER_OCTETS:
            self._judge(b"")

    def _judge(self, header: bytes) -> None:
        self.complete = True
        self._kept.clear()
        self._is_utf8 = is_internationalized(header)

    @property
    def is_utf8(self) -> bool:
        """By what has passed; a message may be all header."""
        return self._is_utf8 if self.complete else is_internationalized(bytes(self._kept))
