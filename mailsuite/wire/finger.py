"""RFC 4146 on the wire: the fifteen octets of a knock, and who recognises them.

The protocol borrows finger's port and nothing else of finger (RFC 4146 section 3): the server sends one
line and closes, the client answers nothing. The line names nobody and takes no parameters.
"""

from __future__ import annotations

import enum

import attrs

PORT = 79
"""The finger port (RFC 1288 section 2.1), which RFC 4146 section 3 borrows."""
KNOCK = b"nm_notifyuser\r\n"
"""Everything that a server ever says (RFC 4146 section 3)."""

_COMPLETE = (KNOCK, b"nm_notifyuser\n")
_AT_END = (*_COMPLETE, b"nm_notifyuser")


class Heard(enum.Enum):
    """What a connection turned out to be."""

    KNOCK = "knock"
    NOISE = "noise"


@attrs.define
class KnockReader:
    """Judges what one connection says, octet by octet; keeps no more than fifteen of them.

    A knock is ``nm_notifyuser`` ended by CRLF, by a bare LF or by the end of the connection. It is heard
    as soon as its line is complete: what may follow changes nothing, however it is cut into pieces.
    Anything else is noise from the first wrong octet on.
    """

    _octets: bytes = attrs.field(default=b"", init=False)
    _heard: Heard | None = attrs.field(default=None, init=False)

    def feed(self, data: bytes) -> Heard | None:
        """Take the next octets; answer the judgement, or None while there is none yet."""
        if self._heard is None:
            self._octets += data[: len(KNOCK) - len(self._octets)]
            if self._octets.startswith(_COMPLETE):
                self._heard = Heard.KNOCK
            elif not any(line.startswith(self._octets) for line in _COMPLETE):
                self._heard = Heard.NOISE
        return self._heard

    def end(self) -> Heard:
        """The other side has closed: answer the judgement."""
        if self._heard is None:
            self._heard = Heard.KNOCK if self._octets in _AT_END else Heard.NOISE
        return self._heard
