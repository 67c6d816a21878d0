"""Where log lines go: standard error, a file that may be rotated, the journal."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import attrs
from twisted.logger import ILogObserver, LogLevel, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.observe.log import URGENT, Log

FLUSH_SECONDS = 0.2
"""How long an ordinary line may wait to be written together with others."""
MAX_WAITING_LINES = 1000
"""So many are written at once; about 200 KB."""
STANDARD_ERROR = 2

_PRIORITY = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}
"""What systemd's journal reads in front of a line (sd-daemon(3))."""


@attrs.frozen
class Target:
    """An open descriptor to which lines are written."""

    descriptor: int = STANDARD_ERROR
    journal: bool = False
    """Each line begins with its priority."""

    @classmethod
    def open(cls, to: str) -> Target:
        """*to* is ``stderr``, ``journal`` or a file's path (made with mode 0640). Raises OSError."""
        if to in {"stderr", "journal"}:
            return cls(journal=to == "journal")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
        return cls(os.open(to, flags, 0o640))

    def write(self, data: bytes) -> None:
        """A log that cannot be written never stops mail: what does not fit is lost."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.descriptor, view) :]
        except OSError:
            return

    def close(self) -> None:
        if self.descriptor != STANDARD_ERROR:
            os.close(self.descriptor)


@attrs.define(eq=False)
class Stream:
    """Gathers lines and writes them together; a warning or an error is written at once.

    *later* schedules a flush (the reactor's callLater). Only the reactor's thread writes here.
    """

    later: Callable[[float, Callable[[], object]], object]
    target: Target = attrs.field(factory=Target)
    _lines: list[str] = attrs.field(factory=list, init=False)
    _scheduled: bool = attrs.field(default=False, init=False)

    def __call__(self, line: str, level: str) -> None:
        self._lines.append(_PRIORITY[level] + line if self.target.journal else line)
        if level in URGENT or len(self._lines) >= MAX_WAITING_LINES:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            self.later(FLUSH_SECONDS, self._flush_in_time)

    def _flush_in_time(self) -> None:
        self._scheduled = False
        self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        lines, self._lines = self._lines, []
        if lines:
            self.target.write(("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))

    def turn(self, target: Target) -> None:
        """Write there from now on: elsewhere, or the same file anew after it was rotated."""
        self.flush()
        self.target.close()
        self.target = target

    def close(self) -> None:
        """Write what is waiting, and go back to standard error."""
        self.turn(Target())


@implementer(ILogObserver)
@attrs.frozen
class TwistedObserver:
    """Brings what Twisted itself logs (a lost failure, a crash in a callback) into our log."""

    log: Log

    def __call__(self, event: dict[str, Any]) -> None:
        failure = event.get("log_failure")
        if isinstance(failure, Failure):
            self.log.failure("twisted.failure", failure, text=formatEvent(event))
            return
        level = event.get("log_level", LogLevel.info)
        if level in {LogLevel.critical, LogLevel.error}:
            self.log.error("twisted.error", text=formatEvent(event))
        elif level == LogLevel.warn:
            self.log.warning("twisted.warning", text=formatEvent(event))
        else:
            self.log.debug("twisted.message", text=formatEvent(event))
