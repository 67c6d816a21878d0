"""Durations and sizes, numbers that carry their unit in the file (``"10m"``, ``"50MiB"``); and days."""

from __future__ import annotations

import datetime
import math
import re
from pathlib import Path
from typing import Final

import attrs

from mailsuite.config.kinds import BadValue, Kind, printable, shown
from mailsuite.model.retention import Retention

_NUMBER_AND_UNIT = re.compile(r"([0-9]{1,15})[ \t]*([A-Za-z]+)")

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_OCTETS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

YEAR = 365 * _SECONDS["d"]


def duration_text(seconds: float) -> str:
    """``600.0`` as ``10m``: the largest unit that gives a whole number; one day is ``24h``."""
    milliseconds = round(seconds * 1000)
    for unit, factor in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % factor == 0 and (unit != "d" or milliseconds > factor):
            return f"{milliseconds // factor}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def size_text(octets: int) -> str:
    """``65536`` as ``64KiB``."""
    for unit, factor in reversed(_OCTETS.items()):
        if octets and octets % factor == 0:
            return f"{octets // factor}{unit}"
    return "0B"


@attrs.frozen
class Duration(Kind[float]):
    """A span of time; seconds as a float."""

    minimum: float = 1.0
    maximum: float = YEAR

    @property
    def word(self) -> str:
        return "duration"

    @property
    def range(self) -> str:
        return f"{duration_text(self.minimum)} to {duration_text(self.maximum)}"

    @property
    def expects(self) -> str:
        return f'a duration from {self.range}, for example "30s", "10m" or "2h"'

    def parse(self, raw: object, base: Path) -> float:
        if isinstance(raw, int) and not isinstance(raw, bool):
            if self.minimum <= raw <= self.maximum:
                raise BadValue(f'{shown(raw)} has no unit; did you mean "{shown(raw)}s"?')
            raise self.refuse(raw, "has no unit")
        found = _NUMBER_AND_UNIT.fullmatch(printable(raw, self).strip())
        if not found or found[2] not in _SECONDS:
            raise self.refuse(raw, "is no duration")
        seconds = int(found[1]) * _SECONDS[found[2]]
        if not self.minimum <= seconds <= self.maximum:
            raise self.refuse(raw, "is out of range")
        return seconds

    def write(self, value: float) -> object:
        return duration_text(value)


@attrs.frozen
class DurationOr(Kind[float | None]):
    """A span of time in seconds, or a word that stands for None."""

    other: str
    minimum: float = 1.0
    maximum: float = YEAR

    @property
    def _duration(self) -> Duration:
        return Duration(self.minimum, self.maximum)

    @property
    def word(self) -> str:
        return self._duration.word

    @property
    def range(self) -> str:
        return f'{self._duration.range}, or "{self.other}"'

    @property
    def expects(self) -> str:
        return f'{self._duration.expects}, or "{self.other}"'

    def parse(self, raw: object, base: Path) -> float | None:
        if raw == self.other:
            return None
        try:
            return self._duration.parse(raw, base)
        except BadValue as error:
            raise BadValue(f'{error}, or "{self.other}"') from error

    def write(self, value: float | None) -> object:
        return self.other if value is None else duration_text(value)


NEVER: Final = "never"
AT_RETRIEVAL: Final = "retrieval"


@attrs.frozen
class DeleteAfter(Kind[float]):
    """How long mail stays, in seconds; infinity: for ever; 0: until it was retrieved and QUIT has come."""

    retrieval: bool = True
    """Whether that last one can be said."""

    @property
    def _duration(self) -> Duration:
        return Duration(_SECONDS["d"], 100 * YEAR)

    @property
    def _words(self) -> str:
        return f'"{NEVER}" or "{AT_RETRIEVAL}"' if self.retrieval else f'"{NEVER}"'

    @property
    def word(self) -> str:
        return self._duration.word

    @property
    def range(self) -> str:
        return f"{self._duration.range}, or {self._words}"

    @property
    def expects(self) -> str:
        return f'a duration from {self._duration.range}, for example "30d", or {self._words}'

    def parse(self, raw: object, base: Path) -> float:
        if raw == NEVER:
            return math.inf
        if raw == AT_RETRIEVAL and self.retrieval:
            return 0.0
        try:
            return self._duration.parse(raw, base)
        except BadValue as error:
            raise BadValue(f"{error}, or {self._words}") from error

    def write(self, value: float) -> object:
        if value == math.inf:
            return NEVER
        return duration_text(value) if value else AT_RETRIEVAL


def retention(read: float, unread: float) -> Retention:
    """What two values of DeleteAfter mean."""
    return Retention(*(None if value == math.inf else value for value in (read, unread)))


@attrs.frozen
class Size(Kind[int]):
    """An amount of data; octets."""

    minimum: int
    maximum: int

    @property
    def word(self) -> str:
        return "size"

    @property
    def range(self) -> str:
        return f"{size_text(self.minimum)} to {size_text(self.maximum)}"

    @property
    def expects(self) -> str:
        return f'a size from {self.range}, for example "64KiB" or "25MiB"'

    def parse(self, raw: object, base: Path) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool):
            if self.minimum <= raw <= self.maximum:
                raise BadValue(f'{shown(raw)} has no unit; did you mean "{size_text(raw)}"?')
            raise self.refuse(raw, "has no unit")
        found = _NUMBER_AND_UNIT.fullmatch(printable(raw, self).strip())
        if not found:
            raise self.refuse(raw, "is no size")
        if found[2] not in _OCTETS:
            near = [unit for unit in _OCTETS if unit[0].lower() == found[2][0].lower()]
            instead = f'; did you mean "{found[1]}{near[0]}"?' if near else ""
            raise BadValue(f"{self.refuse(raw, 'has an unknown unit')}{instead}")
        octets = int(found[1]) * _OCTETS[found[2]]
        if not self.minimum <= octets <= self.maximum:
            raise self.refuse(raw, "is out of range")
        return octets

    def write(self, value: int) -> object:
        return size_text(value)


@attrs.frozen
class Day(Kind[datetime.date]):
    """A day, as a TOML date or in quotes."""

    @property
    def word(self) -> str:
        return "day"

    @property
    def expects(self) -> str:
        return 'a day, for example "2027-01-31"'

    def parse(self, raw: object, base: Path) -> datetime.date:
        if isinstance(raw, datetime.datetime):
            raise self.refuse(raw, "has a time of day")
        if isinstance(raw, datetime.date):
            return raw
        text = printable(raw, self)
        if not _DAY.fullmatch(text):
            raise self.refuse(raw, "is no day")
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            raise self.refuse(raw, "is in no calendar") from None

    def write(self, value: datetime.date) -> object:
        return value.isoformat()
