"""``/v1/log/protocol`` of the control API: whose protocol is logged closely for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast, get_args

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.admin.resources import ApiError, Desk, Document, JsonResource, Missing, bad_request, text_field
from mailsuite.model.address import Address
from mailsuite.observe.protocol_log import (
    MAX_WATCH_SECONDS,
    WATCH_SECONDS,
    TooManyWatches,
    Watch,
    Watches,
    WatchLevel,
    Who,
    parse_who,
)

Find = Callable[[str], Awaitable[object]]
"""Raises RegistryError where there is no account of that address."""


class ProtocolLog(JsonResource):
    """``GET``; ``POST {"who", "level": "commands", "seconds": 900}``; and each watch as a child, by whom it
    is about, for ``DELETE``."""

    def __init__(self, desk: Desk, watches: Watches, find: Find) -> None:
        super().__init__(desk, {"GET": self._list, "POST": self._put_on})
        self._watches = watches
        self._find = find

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        return _Watched(self._desk, self._watches, path.decode("utf-8", "replace"))

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"watches": [_document(watch) for watch in self._watches.list()]}

    async def _put_on(self, body: Document) -> tuple[int, Document]:
        who, level = _who(text_field(body, "who")), text_field(body, "level", "commands")
        if level not in get_args(WatchLevel):
            raise bad_request(f"level is none of {', '.join(get_args(WatchLevel))}")
        seconds = body.get("seconds", WATCH_SECONDS)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise bad_request("seconds is no number")
        if not 0 < seconds <= MAX_WATCH_SECONDS:
            raise bad_request(f"seconds is not from 1 to {MAX_WATCH_SECONDS:.0f}")
        if isinstance(who, Address):
            await self._find(str(who))
        try:
            watch = self._watches.put_on(who, cast(WatchLevel, level), float(seconds))
        except TooManyWatches as error:
            raise ApiError(409, {"error": str(error)}) from error
        self._desk.log.info("log.watching", who=who, level=level, seconds=seconds)
        return 201, {"watch": _document(watch)}


class _Watched(JsonResource):
    def __init__(self, desk: Desk, watches: Watches, who: str) -> None:
        super().__init__(desk, {"DELETE": self._take_off})
        self._watches = watches
        self._who = who

    async def _take_off(self, body: Document) -> tuple[int, Document]:
        who = _who(self._who)
        if not self._watches.take_off(who):
            raise ApiError(404, {"error": f"{_spelled(who)} is not watched"})
        self._desk.log.info("log.watched", who=who)
        return 200, {"who": _spelled(who)}


def log_resource(desk: Desk, watches: Watches, find: Find) -> Missing:
    """``/v1/log``."""
    resource = Missing()
    resource.putChild(b"protocol", ProtocolLog(desk, watches, find))
    return resource


def _who(text: str) -> Who:
    try:
        return parse_who(text)
    except ValueError as error:
        raise bad_request(f"{text!r} is neither an account nor an IP address or network") from error


def _spelled(who: Who) -> str:
    """A network of one address as that address."""
    if isinstance(who, Address) or who.num_addresses > 1:
        return str(who)
    return str(who.network_address)


def _document(watch: Watch) -> Document:
    return {"who": _spelled(watch.who), "level": watch.level, "until": watch.until}
