"""What is asked behind the question mark of a path: filters, and one page of many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.admin.resources import Action, Desk, Document, JsonResource, bad_request

COUNT: Final = 100
MAX_COUNT: Final = 1000
"""Things in one answer."""

Look = Callable[[Document], Awaitable[Document]]


class Question(JsonResource):
    """GET, with what stands behind the question mark: each field with its last value, but those of *many*
    as lists. *actions* are the other methods."""

    def __init__(
        self,
        desk: Desk,
        look: Look,
        actions: Mapping[str, Action] | None = None,
        *,
        many: Collection[str] = (),
    ) -> None:
        super().__init__(desk, {})
        self._look = look
        self._others = actions or {}
        self._many = many

    def getChild(self, path: bytes, request: Request) -> Resource:
        return super().getChild(path, request) if path else self

    def render(self, request: Request) -> Any:
        """What a resource made for this one question answers."""

        async def look(body: Document) -> tuple[int, Document]:
            return 200, await self._look(_fields(request.args or {}, self._many))

        return JsonResource(self._desk, {"GET": look, **self._others}).render(request)


def _fields(arguments: Mapping[bytes, list[bytes]], many: Collection[str]) -> Document:
    fields: Document = {}
    for raw, values in arguments.items():
        name = raw.decode("utf-8", "replace")
        texts = [value.decode("utf-8", "replace") for value in values]
        fields[name] = texts if name in many else texts[-1]
    return fields


def count_of(fields: Document) -> int:
    """How many are asked for; taken out of *fields*. Raises ApiError."""
    text = fields.pop("count", str(COUNT))
    count = int(text) if text.isascii() and text.isdecimal() and len(text) < len(str(MAX_COUNT)) + 1 else 0
    if not 0 < count <= MAX_COUNT:
        raise bad_request(f"count is no number from 1 to {MAX_COUNT}")
    return count


def nothing_else(fields: Document) -> None:
    """Raises ApiError where something is left of the question."""
    if fields:
        raise bad_request(f"nothing here is called {min(fields)!r}")
