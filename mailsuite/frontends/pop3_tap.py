"""What the log shows of a POP3 session that is watched: commands and responses, or all octets."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.observe.log import Log
from mailsuite.observe.protocol_log import CLOSE_LEVELS, Level
from mailsuite.wire.pop3.masking import escaped, masked, may_be_secretive

MAX_EVENTS = 2000
"""Lines of the log that one session may fill; about half a megabyte."""
MAX_KEPT = 4096
"""Octets of a line that is not complete yet, the first ones: they say whether it is secret. A session ends
long before, unless ``on_overlong_command`` is ``"error"``."""
PIECE_OCTETS = 64
"""So many in one line of the log: it cuts fields at 300 characters, and an octet may need four."""

_STATUS = (b"+OK", b"-ERR")
_CHALLENGE = b"+ "


@attrs.define(eq=False)
class ProtocolTap:
    """Never shows a secret: of what the client says nothing but commands, masked, whatever is asked for.

    Each line of a client has one answer. What comes behind a PASS, APOP or AUTH before that one has its own
    may be its secret, also where the command is refused, before the login and after it.
    """

    _log: Log
    _level: Callable[[], Level]
    """Asked each time: whoever watches may have enough."""
    _logged_in: Callable[[], bool]
    _exchanging: Callable[[], bool]
    """Whether the next line is the response to a challenge."""
    _leave: Callable[[], None]
    """Called when nobody watches any more."""
    _rest: bytes = attrs.field(default=b"", init=False)
    _unanswered: int = attrs.field(default=0, init=False)
    """Lines of the client that have no answer yet."""
    _secretive: int = attrs.field(default=0, init=False)
    """So many answers are missing up to that of the last line behind which secrets may come."""
    _left: int = attrs.field(default=MAX_EVENTS, init=False)

    def received(self, data: bytes) -> None:
        if self._level() not in CLOSE_LEVELS:
            self._leave()
            return
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:MAX_KEPT]
        for line in lines:
            self._event("pop3.command", line=masked(line, self._exchanging() or self._secretive > 0))
            self._unanswered += 1
            if may_be_secretive(line):
                self._secretive = self._unanswered

    def said(self, data: bytes) -> None:
        whole = self._level() == "raw" and self._logged_in()
        if whole:
            self.streamed(data)
        for line in data.split(b"\r\n"):
            if not line.startswith((*_STATUS, _CHALLENGE)):
                continue
            self._unanswered = max(0, self._unanswered - 1)
            self._secretive = max(0, self._secretive - 1)
            if not whole:
                self._event("pop3.reply", line=line if line.startswith(_STATUS) else "+ ***")

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
