"""Kinds of values: how a setting's TOML value is checked, and what it becomes.

A kind turns what tomllib read into a typed value (parse), and back into what would stand in the file
(write). Its words are those of the error messages, of `config explain` and of the reference page.
"""

from __future__ import annotations

import abc
import difflib
import enum
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

T = TypeVar("T")

MAX_SHOWN_CHARACTERS = 60
"""A wrong value is quoted in the message up to here."""
MAX_DECIMAL_BITS = 10_000
"""A longer integer is written in hexadecimal: beyond 4300 digits Python makes no decimal text."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class BadValue(ValueError):
    """The value cannot be taken; the message says why, in words for a person."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where something known is near, else nothing."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def toml_text(value: object) -> str:
    """*value* as it would stand in the file, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_text(item)}" for key, item in value.items()) + " }"
    if isinstance(value, int) and value.bit_length() > MAX_DECIMAL_BITS:
        return hex(value)
    return str(value)


def _escaped(character: str) -> str:
    """A character within a basic string; what does not print is told by its number."""
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def shown(raw: object) -> str:
    """A wrong value as a message may quote it: short, printable, on one line."""
    if isinstance(raw, dict):
        return "a table"
    if isinstance(raw, list):
        return "a list"
    text = toml_text(raw)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"


class Kind(abc.ABC, Generic[T]):
    """What all kinds have in common; each says its word, what it expects, and how to parse."""

    @property
    @abc.abstractmethod
    def word(self) -> str:
        """The name of the type, for explain and the reference page."""

    @property
    def range(self) -> str:
        """The limits in words; empty where there are none beyond the type."""
        return ""

    @property
    @abc.abstractmethod
    def expects(self) -> str:
        """What should have been written, with an example, for error messages."""

    @abc.abstractmethod
    def parse(self, raw: object, base: Path) -> T:
        """The typed value. A relative path is relative to *base*. Raises BadValue."""

    def write(self, value: T) -> object:
        """What would stand in the TOML file for *value*."""
        return value

    def from_text(self, text: str) -> object:
        """What an environment variable or ``--set`` means: the text itself, or a quoted TOML string."""
        if text[:1] in {'"', "'"}:
            found = _toml_value(text)
            return found if isinstance(found, str) else text
        return text

    def refuse(self, raw: object, why: str = "") -> BadValue:
        return BadValue(f"{shown(raw)} {why or 'is wrong here'}: expected {self.expects}")


def _toml_value(text: str) -> Any:
    """One TOML value out of *text*, None where it is none."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    return document["value"] if len(document) == 1 else None


class _NotText(Kind[T]):
    """A kind whose TOML value is no string, so that text from outside is read as TOML."""

    def from_text(self, text: str) -> object:
        found = _toml_value(text)
        return text if found is None else found


@attrs.frozen
class Boolean(_NotText[bool]):
    """``true`` or ``false``."""

    @property
    def word(self) -> str:
        return "boolean"

    @property
    def expects(self) -> str:
        return "true or false, without quotes"

    def parse(self, raw: object, base: Path) -> bool:
        if isinstance(raw, bool):
            return raw
        raise self.refuse(raw)


@attrs.frozen
class Integer(_NotText[int]):
    """A whole number within limits."""

    minimum: int
    maximum: int
    example: int = 100

    @property
    def word(self) -> str:
        return "integer"

    @property
    def range(self) -> str:
        return f"{self.minimum} to {self.maximum}"

    @property
    def expects(self) -> str:
        return f"a whole number from {self.range}, for example {self.example}"

    def parse(self, raw: object, base: Path) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise self.refuse(raw)
        if not self.minimum <= raw <= self.maximum:
            raise self.refuse(raw, "is out of range")
        return raw


def port(minimum: int = 1) -> Integer:
    """A TCP port; 0, where it is allowed, lets the kernel choose."""
    return Integer(minimum, 65535, example=995)


def printable(raw: object, kind: Kind[Any]) -> str:
    """*raw* as a string without control characters or lone surrogates. Raises BadValue."""
    if not isinstance(raw, str):
        raise kind.refuse(raw, "has no quotes" if isinstance(raw, int | float) else "is wrong here")
    if _CONTROL.search(raw):
        raise kind.refuse(raw, "has a control character")
    if _SURROGATE.search(raw):
        raise kind.refuse(raw, "is not UTF-8")
    return raw


@attrs.frozen
class Text(Kind[str]):
    """Free text on one line."""

    maximum: int
    pattern: str = ""
    """A regular expression for the whole text; empty: anything printable."""
    like: str = ""
    """An example, for the message."""

    @property
    def word(self) -> str:
        return "text"

    @property
    def range(self) -> str:
        return f"up to {self.maximum} characters"

    @property
    def expects(self) -> str:
        example = f", for example {toml_text(self.like)}" if self.like else ""
        return f"a text in quotes of {self.range}{example}"

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if len(text) > self.maximum:
            raise self.refuse(raw, "is too long")
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise self.refuse(raw)
        return text


@attrs.frozen
class OneOf(Kind[T]):
    """One of several words."""

    words: tuple[T, ...]

    @property
    def word(self) -> str:
        return "word"

    @property
    def range(self) -> str:
        return ", ".join(toml_text(word) for word in self.words)

    @property
    def expects(self) -> str:
        return f"one of {self.range}"

    def parse(self, raw: object, base: Path) -> T:
        for word in self.words:
            if isinstance(raw, str) and raw == word:
                return word
        near = suggestion(raw, [str(word) for word in self.words]) if isinstance(raw, str) else ""
        raise BadValue(f"{self.refuse(raw)}{near}")


E = TypeVar("E", bound=enum.Enum)


@attrs.frozen
class Member(Kind[E]):
    """One of an enumeration of the model, written by its value."""

    members: type[E]

    @property
    def _words(self) -> OneOf[str]:
        return OneOf(tuple(str(member.value) for member in self.members))

    @property
    def word(self) -> str:
        return "word"

    @property
    def range(self) -> str:
        return self._words.range

    @property
    def expects(self) -> str:
        return self._words.expects

    def parse(self, raw: object, base: Path) -> E:
        return self.members(self._words.parse(raw, base))

    def write(self, value: E) -> object:
        return value.value


@attrs.frozen
class ListOf(_NotText[tuple[T, ...]]):
    """A list of one kind; nothing stands in it twice."""

    item: Kind[T]
    minimum: int = 0
    example: str = ""

    @property
    def word(self) -> str:
        return f"list of {self.item.word}"

    @property
    def range(self) -> str:
        least = f"at least {self.minimum}" if self.minimum else ""
        return ", ".join(
            part for part in (least, f"each: {self.item.range}" if self.item.range else "") if part
        )

    @property
    def expects(self) -> str:
        example = f", for example {self.example}" if self.example else ""
        return f"a {self.word} in square brackets{example}"

    def parse(self, raw: object, base: Path) -> tuple[T, ...]:
        if not isinstance(raw, list):
            raise self.refuse(raw)
        if len(raw) < self.minimum:
            raise BadValue(f"the list is too short: expected at least {self.minimum}{self._such_as}")
        items: list[T] = []
        for element in raw:
            item = self.item.parse(element, base)
            if item in items:
                raise BadValue(f"{shown(element)} stands twice in the list")
            items.append(item)
        return tuple(items)

    @property
    def _such_as(self) -> str:
        return f", for example {self.example}" if self.example else ""

    def write(self, value: tuple[T, ...]) -> object:
        return [self.item.write(item) for item in value]

    def from_text(self, text: str) -> object:
        """A TOML list, or the elements with commas between them."""
        found = super().from_text(text)
        if isinstance(found, list):
            return found
        return [self.item.from_text(part.strip()) for part in text.split(",") if part.strip()]


@attrs.frozen
class OrNone(Kind[T | None]):
    """Another kind, or ``""`` for "not set"."""

    kind: Kind[T]

    @property
    def word(self) -> str:
        return self.kind.word

    @property
    def range(self) -> str:
        return self.kind.range

    @property
    def expects(self) -> str:
        return self.kind.expects

    def parse(self, raw: object, base: Path) -> T | None:
        return None if raw == "" else self.kind.parse(raw, base)

    def write(self, value: T | None) -> object:
        return "" if value is None else self.kind.write(value)

    def from_text(self, text: str) -> object:
        return text if text == "" else self.kind.from_text(text)
