"""Where log lines go: a stream, a file that may be rotated, the journal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

import attrs
from twisted.logger import ILogObserver, LogLevel, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.observe.log import Log

FLUSH_SECONDS = 0.2
"""How long an ordinary line may wait to be written together with others."""

_PRIORITY = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}
"""What systemd's journal reads in front of a line (sd-daemon(3))."""


@attrs.define
class Stream:
    """Gathers lines and writes them together; a warning or an error is written at once.

    *later* schedules a flush (the reactor's callLater). Only the reactor's thread writes here.
    """

    file: TextIO
    later: Callable[[float, Callable[[], object]], object]
    journal: bool = False
    _lines: list[str] = attrs.field(factory=list, init=False)

    def __call__(self, line: str, urgent: bool) -> None:
        if self.journal:
            line = _PRIORITY.get(line.split(" ", 2)[1], "") + line
        self._lines.append(line)
        if urgent:
            self.flush()
        elif len(self._lines) == 1:
            self.later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what is waiting. A log that cannot be written never stops mail."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            self.file.write("\n".join(lines) + "\n")
            self.file.flush()
        except (OSError, ValueError):
            return

    def reopen(self, to: str) -> None:
        """Write elsewhere from now on; the same file anew, after it was rotated. Raises OSError."""
        file = _open(to)
        self.close()
        self.file, self.journal = file, to == "journal"

    def close(self) -> None:
        self.flush()
        if self.file not in {sys.stderr, sys.stdout}:
            self.file.close()


def open_stream(to: str, later: Callable[[float, Callable[[], object]], object]) -> Stream:
    """*to* is ``stderr``, ``journal`` or a file's path (made with mode 0640). Raises OSError."""
    return Stream(_open(to), later, journal=to == "journal")


def _open(to: str) -> TextIO:
    if to in {"stderr", "journal"}:
        return sys.stderr
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    return os.fdopen(descriptor, "a", encoding="utf-8")


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
