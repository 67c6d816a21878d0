"""What is wrong with a configuration, and where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

Severity = Literal["error", "warning"]


@attrs.frozen
class Place:
    """Where a value was written: a file and a line, or an environment variable, or ``--set``."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


DEFAULT = Place("default")
"""The place of a value that nobody wrote."""


@attrs.frozen
class Problem:
    """One thing that is wrong, in words for a person. An error keeps the configuration from being used."""

    place: Place
    severity: Severity
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.severity} {self.text}"


class ConfigurationError(Exception):
    """A configuration with errors was to be used. Says all of them, one on a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(report(problems)))
        self.problems = tuple(problems)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once; those of a file by line, the files in the order of their first problem."""
    unique = dict.fromkeys(problems)
    sources = {source: number for number, source in enumerate(dict.fromkeys(p.place.source for p in unique))}
    return tuple(sorted(unique, key=lambda p: (sources[p.place.source], p.place.line or 0)))


def report(problems: Sequence[Problem]) -> list[str]:
    """One line for each problem, in columns."""
    places = [_printable(f"{problem.place}:") for problem in problems]
    width = max(map(len, places), default=0)
    return [
        f"{place:<{width}}  {problem.severity:<7}  {_printable(problem.text)}"
        for place, problem in zip(places, problems, strict=True)
    ]


def _printable(text: str) -> str:
    """One line that any terminal takes: a file name may hold anything."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def summary(problems: Sequence[Problem]) -> str:
    """``2 errors, 1 warning``; empty where all is well."""
    counts = ((sum(p.severity == kind for p in problems), kind) for kind in ("error", "warning"))
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for count, kind in counts if count)
