"""``/etc/aliases`` as sendmail, Postfix and Exim read it: text in, aliases and refusals out.

What is mail for a program or a file is refused with its line: nobody here gives mail to either because a file
of another server says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import attrs

from mailsuite.accounts.aliases import MAX_TARGETS, AliasResult, ImportedAlias
from mailsuite.config.kinds_routing import DISCARD, DISCARDS

MAX_INCLUDES: Final = 5
"""Lists that include lists, in a row."""
INCLUDE: Final = ":include:"

_ENTRY: Final = re.compile(r'\s*("(?:\\.|[^"\\])*"|[^\s:"]+)\s*:(.*)', re.DOTALL)
_VALUE: Final = re.compile(r'\s*((?:"(?:\\.|[^"\\])*"|[^",])*)\s*(?:,|$)', re.DOTALL)
_QUOTED: Final = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)

Include = Callable[[Path], str]
"""The text of another file. Raises OSError."""


class LineRefused(ValueError):
    """This entry cannot be taken; the message says why, in words for a person."""


@attrs.frozen
class AliasFile:
    """Reads such files. Names without a domain are in *domain*; *include* reads what they include."""

    domain: str
    include: Include

    def read(self, text: str) -> tuple[list[ImportedAlias], list[AliasResult]]:
        """The aliases, and what cannot be taken."""
        aliases: list[ImportedAlias] = []
        refused: list[AliasResult] = []
        for number, entry in _entries(text):
            address = ""
            try:
                name, values = _name_and_values(entry)
                address = self._address(name)
                targets = self._targets(values, 0)
                if not targets:
                    raise LineRefused("it leads to nobody")
                if len(targets) > 1 and set(targets) & DISCARDS:
                    targets = tuple(target for target in targets if target not in DISCARDS) or (DISCARD,)
                aliases.append(ImportedAlias(number, address, targets))
            except LineRefused as error:
                refused.append(AliasResult(number, address, "refused", str(error)))
        return aliases, refused

    def _address(self, text: str) -> str:
        return text if "@" in text else f"{text}@{self.domain}"

    def _targets(self, values: str, depth: int) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for value in _split(values):
            found.update(dict.fromkeys(self._target(value, depth)))
            if len(found) > MAX_TARGETS:
                raise LineRefused(f"it leads to more than {MAX_TARGETS} addresses")
        return tuple(found)

    def _target(self, value: str, depth: int) -> tuple[str, ...]:
        if value.startswith("|"):
            raise LineRefused(f"{value}: mail is not given to programs here")
        if value in DISCARDS:
            return (DISCARD,)
        if value.startswith("/"):
            raise LineRefused(f"{value}: mail is not written to files here")
        if value.lower().startswith(INCLUDE):
            return self._included(Path(value[len(INCLUDE) :].strip()), depth)
        if value.startswith(":"):
            raise LineRefused(f"{value} is not known here")
        return (self._address(value.removeprefix("\\")),)

    def _included(self, path: Path, depth: int) -> tuple[str, ...]:
        """The addresses in a file, one or more on a line."""
        if depth == MAX_INCLUDES:
            raise LineRefused(f"{path}: more than {MAX_INCLUDES} lists that include one another")
        try:
            text = self.include(path)
        except OSError as error:
            raise LineRefused(f"{path}: {error.strerror or error}") from error
        found: dict[str, None] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip().startswith("#"):
                continue
            try:
                found.update(dict.fromkeys(self._targets(line, depth + 1)))
            except LineRefused as error:
                raise LineRefused(f"{path}:{number}: {error}") from error
        return tuple(found)


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Each with the number of its first line. What begins with a blank goes on with the line before, and
    comments between them change nothing."""
    number, entry = 0, ""
    for here, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t" and entry:
            entry += "\n" + line
            continue
        if entry:
            yield number, entry
        number, entry = here, line
    if entry:
        yield number, entry


def _name_and_values(entry: str) -> tuple[str, str]:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise LineRefused("it is not of the form  name: address, address")
    return _unquoted(found[1]), found[2]


def _split(values: str) -> Iterator[str]:
    """What stands between commas outside quotes."""
    place = 0
    while place < len(values):
        found = _VALUE.match(values, place)
        if found is None:
            raise LineRefused("a quotation mark is not closed")
        place = found.end()
        if value := _unquoted(found[1].strip()):
            yield value


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), text)
