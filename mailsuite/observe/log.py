"""Structured logs: an event name and fields, one line each, prepared once and written in batches.

Names are dotted and stable (``smtp.accepted``); fields carry the session or queue id. Passwords, bodies
and digests are never fields. Whatever a stranger sent is escaped and cut, so a log line is one line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import attrs
from twisted.python.failure import Failure

LEVELS = ("debug", "info", "warning", "error")
MAX_FIELD_CHARACTERS = 300
"""A field longer than this is cut; our own limit, enough for any address (RFC 5321 section 4.5.3.1)."""
MAX_TRACEBACK_CHARACTERS = 16_000

Format = Literal["text", "json"]


class Sink(Protocol):
    """Where finished lines go."""

    def __call__(self, line: str, urgent: bool) -> None: ...


def discard(line: str, urgent: bool) -> None:
    """The sink of a program that keeps no log."""


@attrs.define
class Manner:
    """How events are written; one for a log and all that were bound from it."""

    level: str
    format: Format


@attrs.frozen
class Log:
    """Writes events. bind() gives a log that adds fields of its own to each event."""

    sink: Sink = discard
    level: str = "info"
    format: Format = "text"
    clock: Callable[[], float] = time.time
    context: Mapping[str, object] = attrs.field(factory=dict)
    manner: Manner = attrs.field()

    @manner.default
    def _first_manner(self) -> Manner:
        return Manner(self.level, self.format)

    def bind(self, **fields: object) -> Log:
        return attrs.evolve(self, context={**self.context, **fields})

    def change(self, level: str, format: Format) -> None:
        """From now on this log, and all that were bound from it, write so."""
        self.manner.level, self.manner.format = level, format

    def debug(self, event: str, **fields: object) -> None:
        if self.manner.level == "debug":
            self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        if self.manner.level in {"debug", "info"}:
            self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        if self.manner.level != "error":
            self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("error", event, fields)

    def failure(self, event: str, failure: Failure, **fields: object) -> None:
        """A mistake of ours, with its traceback (which names code and lines, never values)."""
        traceback = failure.getTraceback(elideFrameworkCode=True, detail="brief")
        self._write("error", event, {**fields, "traceback": traceback[-MAX_TRACEBACK_CHARACTERS:]})

    def _write(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        now = self.clock()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        values = {**self.context, **fields}
        if self.manner.format == "json":
            record = {"time": stamp, "level": level, "event": event}
            record |= {name: _plain(value, name) for name, value in values.items()}
            line = json.dumps(record, ensure_ascii=False)
        else:
            line = f"{stamp} {level:<7} {event}"
            for name, value in values.items():
                line += f" {name}={_quoted(_plain(value, name))}"
        self.sink(line, level in {"warning", "error"})


def _plain(value: object, name: str) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    limit = MAX_TRACEBACK_CHARACTERS if name == "traceback" else MAX_FIELD_CHARACTERS
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[:limit] + "…"


def _quoted(value: Any) -> str:
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if value and value.isprintable() and not set(value) & {" ", '"', "=", "\\"}:
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())
