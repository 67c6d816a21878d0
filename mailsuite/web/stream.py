"""``/notify/v1/stream``: stay connected and be told, by server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from mailsuite.accounts.refusal import bad
from mailsuite.frontends.http import HttpSession
from mailsuite.frontends.http_core import Answer, HttpRequest
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.notice import Kind, Level
from mailsuite.notify.stream import NAMES
from mailsuite.notify.streams import Streams, Wish
from mailsuite.notify.wishes import WANTED
from mailsuite.web.answers import Refused, problem
from mailsuite.web.site import Routes, Visit
from mailsuite.web.visitors import Visitors
from mailsuite.wire.sse import MEDIA_TYPE

FIELDS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""The last keeps nginx from holding events back."""
EVERYTHING: Final = "*"


def nobody_was_seen(account: Address, device: str, peer: IPAddress) -> None:
    """Where streams tell nothing about where users are."""


@attrs.frozen(eq=False)
class Outlet:
    """A request, as what a stream goes out by (notify/stream.py)."""

    session: HttpSession
    request: HttpRequest
    visitors: Visitors

    async def holds(self) -> bool:
        return await self.visitors.holds(self.session)

    @property
    def is_choked(self) -> bool:
        return self.session.is_choked

    @property
    def taken(self) -> int:
        return self.session.taken

    def send(self, data: bytes) -> None:
        if not self.request.startedWriting:
            self.request.begin(200, {"content-type": MEDIA_TYPE, **FIELDS})
        self.request.write(data)

    async def drained(self) -> bool:
        return await self.session.writable()

    def cut(self, reason: str) -> None:
        self.session.abort(reason)


@attrs.frozen
class StreamDoor:
    """The streams of one listener."""

    streams: Streams
    most: int
    """Of one account."""
    seen: Callable[[Address, str, IPAddress], None] = nobody_was_seen
    """Is told from where a stream comes; does not raise."""
    offered: Callable[[], bool] = lambda: True
    """Whether there are streams, at this moment."""

    def routes(self) -> Routes:
        return {"/stream": {"GET": self.open}}

    async def open(self, visit: Visit) -> Answer | None:
        """Until the client goes, or we do."""
        if not self.offered():
            raise Refused(problem(404, "there are no streams here"))
        wish = _wish(visit)
        session, request, caller = visit.session, visit.request, visit.caller
        if request.method == b"HEAD":
            return Answer(200, kind=MEDIA_TYPE, fields=FIELDS)
        outlet = Outlet(session, request, visit.visitors)
        stream = await self.streams.open(caller.account, caller.device, wish, outlet, self.most)
        self.seen(caller.account, caller.device, session.peer)
        session.on_leave(lambda: self.streams.dismiss(stream))
        session.log.info("notify.stream_opened", account=caller.account, device=caller.device)
        try:
            await stream.over
        finally:
            session.on_leave(None)
            self.streams.close(stream)
            session.log.info(
                "notify.stream_closed", account=caller.account, device=caller.device, told=stream.count
            )
        if not session.lost:
            request.finish()
        return None


def _wish(visit: Visit) -> Wish:
    """Raises RegistryError."""
    return Wish(
        kinds=_kinds(visit.asked("types")),
        level=_level(visit.asked("level")),
        wanted=_words("wanted", visit.asked("wanted"), WANTED),
        ping=_seconds(visit.asked("ping")),
        once=_once(visit.asked("closeafter")),
        after=visit.request.field("last-event-id").decode("utf-8", "replace"),
    )


def _words(name: str, text: str, known: tuple[str, ...]) -> frozenset[str]:
    words = frozenset(filter(None, text.split(",")))
    if not words <= set(known):
        raise bad(f"{name}: expected some of {', '.join(known)}, with commas between them")
    return words


def _kinds(text: str) -> frozenset[Kind]:
    if text in ("", EVERYTHING):
        return frozenset(Kind)
    words = _words("types", text, tuple(dict.fromkeys(NAMES.values())))
    return frozenset(kind for kind, name in NAMES.items() if name in words)


def _level(text: str) -> Level:
    try:
        return Level.of(text) if text else Level.SUBJECT
    except KeyError as error:
        raise bad(f"level: expected one of {', '.join(level.word for level in Level)}") from error


def _seconds(text: str) -> float:
    if not text:
        return 0.0
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise bad("ping: expected whole seconds")
    return float(text)


def _once(text: str) -> bool:
    if text not in ("", "no", "state"):
        raise bad('closeafter: expected "no" or "state"')
    return text == "state"
