"""Structured logs: an event name and fields, one line each, prepared once and written in batches.

Names are dotted and stable (``smtp.accepted``); fields carry the session or queue id. Passwords, bodies
and digests are never fields. Whatever a stranger sent is escaped and cut, so a log line is one line.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal, Protocol

import attrs
from twisted.python.failure import Failure

LEVELS = ("debug", "info", "warning", "error")
URGENT = frozenset({"warning", "error"})
"""Levels that somebody may be waiting to see."""
MAX_FIELD_CHARACTERS = 300
"""A field longer than this is cut; our own limit, enough for any address (RFC 5321 section 4.5.3.1)."""
MAX_TRACEBACK_CHARACTERS = 16_000

Format = Literal["text", "json"]

_TO_QUOTE = re.compile(r"[ \"=\\]")
"""What keeps a text from standing as it is in a line of text."""


_Plain = str | bool | int | float | None
"""What a line can hold."""


class Sink(Protocol):
    """Where finished lines go, each with its level."""

    def __call__(self, line: str, level: str, /) -> None: ...


def discard(line: str, level: str) -> None:
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
    context: Mapping[str, _Plain] = attrs.field(factory=dict)
    manner: Manner = attrs.field()

    @manner.default
    def _first_manner(self) -> Manner:
        return Manner(self.level, self.format)

    def bind(self, **fields: object) -> Log:
        return attrs.evolve(self, context={**self.context, **_all_plain(fields)})

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
        """A mistake of ours, with its traceback: code, lines, and what the exception itself says.

        Never the values of variables. An exception that we raise must not carry a secret.
        """
        traceback = failure.getTraceback(elideFrameworkCode=True, detail="brief")
        self._write("error", event, {**fields, "traceback": traceback[-MAX_TRACEBACK_CHARACTERS:]})

    def _write(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        now = self.clock()
        stamp = f"{_date_and_time(int(now))}.{int(now * 1000) % 1000:03d}Z"
        values = {**self.context, **_all_plain(fields)}
        write = _as_json if self.manner.format == "json" else _as_text
        self.sink(write(stamp, level, event, values), level)


@lru_cache(maxsize=1)
def _date_and_time(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _as_text(stamp: str, level: str, event: str, values: Mapping[str, _Plain]) -> str:
    line = f"{stamp} {level:<7} {event}"
    for name, value in values.items():
        line += f" {name}={_quoted(value)}"
    return line


def _as_json(stamp: str, level: str, event: str, values: Mapping[str, _Plain]) -> str:
    record = {**values, "time": stamp, "level": level, "event": event}
    return _json({name: record[name] for name in dict.fromkeys(("time", "level", "event", *values))})


def _json(value: object) -> str:
    """JSON on one line, escaped where it holds what no terminal should see (U+2028, U+202E, U+0085)."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def _all_plain(fields: Mapping[str, object]) -> dict[str, _Plain]:
    return {name: _plain(value, name) for name, value in fields.items()}


def _plain(value: object, name: str) -> _Plain:
    """What any field becomes; whatever it is, it is written."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    limit = MAX_TRACEBACK_CHARACTERS if name == "traceback" else MAX_FIELD_CHARACTERS
    text = _text(value).encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[:limit] + "…"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    try:
        return str(value)
    except Exception:  # a log is the last to fail
        return f"<{type(value).__name__} that cannot be shown>"


def _quoted(value: _Plain) -> str:
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if value and value.isprintable() and not _TO_QUOTE.search(value):
        return value
    return _json(value)
