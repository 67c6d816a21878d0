"""What the commands that import have in common: pieces of the size of a request, and the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

import attrs
import click

from mailsuite.cli.terminal import clean, note, print_json

MAX_OCTETS: Final = 32 * 1024
"""Of one request: half of what the control API takes."""

Item = TypeVar("Item")


class Outcome(Protocol):
    """What became of one line: an attrs class."""

    @property
    def line(self) -> int: ...

    @property
    def address(self) -> str: ...

    @property
    def outcome(self) -> str: ...

    @property
    def reason(self) -> str: ...


def in_requests(items: Sequence[Item], to_json: Callable[[Item], object], most: int) -> Iterator[list[Item]]:
    """The items, so many at a time as one request takes; *most* at the most."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        octets = len(json.dumps(to_json(item)))
        if chunk and (len(chunk) == most or size + octets > MAX_OCTETS):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += octets
    if chunk:
        yield chunk


@attrs.frozen
class Report:
    """How an import is told of."""

    what: str
    """The name of the results in JSON."""
    outcomes: Sequence[str]
    """All that can become of a line, in the order in which they are counted."""
    dry_run: bool
    as_json: bool
    quiet: bool

    def tell(self, results: Sequence[Outcome], told: Collection[str]) -> None:
        """Print it; of the outcomes in *told*, line by line why, where there is a reason."""
        counts = Counter(result.outcome for result in results)
        if self.as_json:
            print_json(self._document(results, counts))
            return
        for result in results:
            if result.reason and result.outcome in told:
                who = f"{clean(result.address)} " if result.address else ""
                note(f"line {result.line}: {who}{result.outcome}: {clean(result.reason)}")
        if not self.quiet:
            there = (outcome for outcome in self.outcomes if counts[outcome])
            said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in there) or "0 made"
            rehearsed = ". This was a rehearsal; nothing has changed." if self.dry_run else "."
            click.echo(f"{said}{rehearsed}")

    def _document(self, results: Sequence[Any], counts: Counter[str]) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "counts": {outcome: counts[outcome] for outcome in self.outcomes},
            self.what: [attrs.asdict(result) for result in results],
        }
