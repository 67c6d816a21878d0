"""Texts that users write for their own notices: ``{count} new messages, the latest from {name}``.

A field is a name out of a closed set; ``{name|json}`` and ``{name|url}`` escape it, ``{{`` and ``}}`` are
braces. There is nothing else: no attributes, no formats, no conditions, and what stands in a value is never
read as a template. So nobody who writes one reaches more than the fields, and nobody who writes mail reaches
out of the place that a field has.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final
from urllib.parse import quote

import attrs

from mailsuite.model.display_text import LONG, one_line

MAX_TEMPLATE: Final = 2000
"""Characters."""
MAX_FIELDS: Final = 32

_TOKEN: Final = re.compile(r"\{\{|\}\}|\{([^{}|]*)(?:\|([^{}]*))?\}|[{}]")
_LENGTHS: Final = (LONG, 100, 50, 25)
"""Characters to which values are cut, in turn, until the result has room; then they are left out."""
_SHOWN: Final = 40
"""Characters of a wrong name that are repeated."""


def _as_json(value: str) -> str:
    """For within the quotes of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _as_url(value: str) -> str:
    """For one value within the path or the query of a URL."""
    return quote(value, safe="")


_ESCAPES: Final[Mapping[str, Callable[[str], str]]] = {"": str, "json": _as_json, "url": _as_url}


class BadTemplate(ValueError):
    """It is no template; the words say what is wrong with it, and where."""


@attrs.frozen
class _Field:
    name: str
    escape: str


@attrs.frozen
class Template:
    """A template that has been read."""

    limit: int
    """Octets of UTF-8 that a result never exceeds."""
    _parts: tuple[str | _Field, ...]

    @classmethod
    def parse(cls, text: str, names: Collection[str], limit: int, escape: str = "") -> Template:
        """Read *text*, in which the fields *names* may stand. Raises BadTemplate.

        *escape*: ``json`` or ``url`` where the whole text is one: each field that says nothing of it is
        escaped so too.
        """
        if len(text) > MAX_TEMPLATE:
            raise BadTemplate(f"a template has at most {MAX_TEMPLATE} characters")
        for each in text:
            if unicodedata.category(each) in ("Cc", "Cs") and each not in "\t\r\n":
                raise BadTemplate("a template has no control characters but tabs and line ends")
        parts = tuple(_read(text, names, escape))
        if sum(isinstance(part, _Field) for part in parts) > MAX_FIELDS:
            raise BadTemplate(f"a template has at most {MAX_FIELDS} fields")
        if sum(len(part.encode("utf-8")) for part in parts if isinstance(part, str)) > limit:
            raise BadTemplate(f"without its fields the template has more than {limit} octets already")
        return cls(limit, parts)

    def render(self, values: Mapping[str, str]) -> str:
        """The text with *values*, of which all names of the set must be there.

        Each value is made one line that is safe to show, of at most 200 characters; where the whole has too
        little room, all are cut alike, before they are escaped, so that what they stand in stays whole.
        """
        for length in _LENGTHS:
            text = "".join(self._rendered(values, length))
            if len(text.encode("utf-8")) <= self.limit:
                return text
        return "".join(part for part in self._parts if isinstance(part, str))

    def _rendered(self, values: Mapping[str, str], length: int) -> Iterator[str]:
        for part in self._parts:
            if isinstance(part, str):
                yield part
            else:
                yield _ESCAPES[part.escape](one_line(values[part.name], length))


def _read(text: str, names: Collection[str], escape: str) -> Iterator[str | _Field]:
    place = 0
    for found in _TOKEN.finditer(text):
        yield text[place : found.start()]
        place = found.end()
        token, name, own = found[0], found[1], found[2]
        where = f"at character {found.start() + 1}"
        if name is None:
            if len(token) == 1:
                raise BadTemplate(f"{where}: a single {token}; to have one in the text, write {token * 2}")
            yield token[0]
            continue
        if name not in names:
            known = ", ".join(sorted(names))
            raise BadTemplate(f"{where}: there is no field {name[:_SHOWN]!r}; there are: {known}")
        if own is not None and not (own and own in _ESCAPES):
            raise BadTemplate(f"{where}: after | comes json or url, not {own[:_SHOWN]!r}")
        yield _Field(name, own or escape)
    yield text[place:]
