"""What the log shows of a POP3 session that is watched: commands and responses, or all octets."""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from mailsuite.observe.log import Log
from mailsuite.observe.protocol_log import CLOSE_LEVELS, Level
from mailsuite.wire.pop3.masking import escaped, masked

MAX_EVENTS = 2000
"""Lines of the log that one session may fill; about half a megabyte."""
MAX_KEPT = 4096
"""Octets of a line that is not complete yet; the core ends a session long before."""
PIECE_OCTETS = 64
"""So many in one line of the log: it cuts fields at 300 characters, and an octet may need four."""

_SECRETIVE = re.compile(rb"\W*(PASS|APOP|AUTH)\b", re.IGNORECASE)
_STATUS = (b"+OK", b"-ERR")
_CHALLENGE = b"+ "


@attrs.define(eq=False)
class ProtocolTap:
    """Never shows a secret: before the login nothing but known commands, masked, whatever is asked for."""

    _log: Log
    _level: Callable[[], Level]
    """Asked each time: whoever watches may have enough."""
    _logged_in: Callable[[], bool]
    _exchanging: Callable[[], bool]
    """Whether the next line is the response to a challenge."""
    _rest: bytes = attrs.field(default=b"", init=False)
    _responses_follow: bool = attrs.field(default=False, init=False)
    """An AUTH came in, and what follows it may be its secret; likewise a PASS, to be on the safe side."""
    _left: int = attrs.field(default=MAX_EVENTS, init=False)

    def received(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-MAX_KEPT:]
        for line in lines:
            self._event("pop3.command", line=self._shown(line.removesuffix(b"\r")))

    def _shown(self, line: bytes) -> str:
        """A line of the client as anybody may see it."""
        may_be_secret = _SECRETIVE.match(line) is not None
        if not self._logged_in():
            if self._exchanging() or self._responses_follow:
                return masked(line, True)
            self._responses_follow = may_be_secret
        elif self._level() == "raw" and not may_be_secret:
            return escaped(line)
        return masked(line, False)

    def said(self, data: bytes) -> None:
        if self._level() == "raw" and self._logged_in():
            self.streamed(data)
            return
        for line in data.split(b"\r\n"):
            if line.startswith(_STATUS):
                self._responses_follow = False
                self._event("pop3.reply", line=line)
            elif line.startswith(_CHALLENGE):
                self._event("pop3.reply", line="+ ***")

    def streamed(self, data: bytes) -> None:
        if self._level() != "raw":
            return
        for start in range(0, len(data), PIECE_OCTETS):
            if not self._event("pop3.octets", octets=escaped(data[start : start + PIECE_OCTETS])):
                return

    def _event(self, name: str, **fields: object) -> bool:
        """Write it, if there is still something to be shown."""
        if not self._left or self._level() not in CLOSE_LEVELS:
            return False
        self._left -= 1
        self._log.info(name, **fields)
        if not self._left:
            self._log.info("pop3.log_ends", events=MAX_EVENTS)
        return True
