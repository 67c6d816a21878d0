"""Where each key of a TOML document stands.

tomllib tells a line for syntax errors only. This walks a document that tomllib has accepted, notes the line
of each key, table and array element, and leaves all judging of values to tomllib.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import Final

import attrs

KeyPath = tuple[str | int, ...]
"""Names of tables and keys; a number is the index of an array element."""

_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # the content may end in one or two quotes
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of each key, table and array element of *text*, which tomllib accepts.

    A table that several headers mention stands where it is named first.
    """
    return _Walk(text.replace("\r\n", "\n")).document()


@attrs.define
class _Walk:
    """One walk over a document: a position, and what was found before it."""

    text: str
    at: int = 0
    found: dict[KeyPath, int] = attrs.field(factory=dict)
    elements: dict[KeyPath, int] = attrs.field(factory=dict)
    """How often a ``[[header]]`` was met."""
    newlines: list[int] = attrs.field(init=False)

    @newlines.default
    def _find_newlines(self) -> list[int]:
        return [found.start() for found in re.finditer("\n", self.text)]

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip_blank()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip_blank()
        return self.found

    def _skip_blank(self) -> None:
        self.at = self._match_end(_BLANK)

    def _match_end(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        return found.end() if found else self.at

    def _note(self, path: KeyPath) -> None:
        self.found.setdefault(path, bisect.bisect_left(self.newlines, self.at) + 1)

    def _header(self) -> KeyPath:
        """``[a.b]`` or ``[[a.b]]``; what is an array by its headers means its last element."""
        is_array = self.text.startswith("[[", self.at)
        brackets = 2 if is_array else 1
        self.at += brackets
        path: KeyPath = ()
        parts = self._key()
        for number, part in enumerate(parts, 1):
            path += (part,)
            self._note(path)
            if is_array and number == len(parts):
                self.elements[path] = self.elements.get(path, 0) + 1
            if path in self.elements:
                path += (self.elements[path] - 1,)
                self._note(path)
        self.at += brackets
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for part in self._key():
            path += (part,)
            self._note(path)
        self.at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        """A dotted key, and the blanks after it."""
        parts: list[str] = []
        while True:
            self._skip_blank()
            end = self._match_end(_STRING)
            if end > self.at:
                parts.append(tomllib.loads(f"key = {self.text[self.at : end]}")["key"])
            else:
                end = self._match_end(_BARE_KEY)
                parts.append(self.text[self.at : end])
            self.at = end
            self._skip_blank()
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        first = self.text[self.at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in "\"'":
            self.at = self._match_end(_STRING)
        else:
            self.at = self._match_end(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        index = 0
        while self._next_element("]"):
            self._note((*path, index))
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        while self._next_element("}"):
            self._pair(path)

    def _next_element(self, closing: str) -> bool:
        """Step over the opening bracket or the comma; False when *closing* was met, and is passed."""
        self._skip_blank()
        if self.text[self.at] != closing:
            self.at += 1
            self._skip_blank()
        if self.text[self.at] == closing:
            self.at += 1
            return False
        return True
