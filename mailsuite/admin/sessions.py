"""``/v1/sessions``: who is there, and how to throw somebody out (features row S-A22)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any, Final

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.accounts.login_delay import Impatient, LoginDelay
from mailsuite.admin.resources import ApiError, Desk, Document, JsonResource
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.doors import Doors
from mailsuite.model.address import Address, AddressSyntaxError

KICKED: Final = "kicked"
"""Why the session ended, in the log."""

Session = SessionProtocol[Any]


class Sessions(JsonResource):
    """All sessions, and those of one session id, account or client address as a child of that name."""

    def __init__(self, desk: Desk, doors: Doors) -> None:
        super().__init__(desk, {"GET": self._list})
        self._doors = doors

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        return _SessionsOf(self._desk, self._doors, path.decode("utf-8", "replace"))

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"sessions": _described(self._doors.live())}


class _SessionsOf(JsonResource):
    """DELETE ends them at once; what they marked as deleted stays."""

    def __init__(self, desk: Desk, doors: Doors, who: str) -> None:
        super().__init__(desk, {"GET": self._list, "DELETE": self._kick})
        self._doors = doors
        self._who = who

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"sessions": _described(self._meant())}

    async def _kick(self, body: Document) -> tuple[int, Document]:
        meant = self._meant()
        if not meant:
            raise ApiError(404, {"error": f"there is no session of {self._who}"})
        ended = _described(meant)
        for session in meant:
            session.abort(KICKED)
        self._desk.log.info("sessions.kicked", who=self._who, ended=len(ended))
        return 200, {"sessions": ended}

    def _meant(self) -> list[Session]:
        is_meant = _meaning(self._who)
        return [session for session in self._doors.live() if is_meant(session)]


def _meaning(who: str) -> Callable[[Session], bool]:
    """A client address, an account with its @, or else a session's id."""
    try:
        address = ip_address(who)
    except ValueError:
        pass
    else:
        peer = getattr(address, "ipv4_mapped", None) or address
        return lambda session: session.peer == peer
    try:
        account = Address.parse(who).canonical
    except AddressSyntaxError:
        return lambda session: session.id == who.lower()
    return lambda session: session.account == account


def _described(sessions: Iterable[Session]) -> list[Document]:
    """The oldest first."""
    return [_describe(session) for session in sorted(sessions, key=lambda each: (each.opened_at, each.id))]


def _describe(session: Session) -> Document:
    view = session.view
    return {
        "id": session.id,
        "service": session.door.service,
        "listener": session.door.listener,
        "account": None if session.account is None else str(session.account),
        "device": session.device,
        "box": "" if view is None else view.box.value,
        "mechanism": session.mechanism,
        "address": str(session.peer),
        "port": session.peer_port,
        "tls": session.tls,
        "since": session.opened_at,
        "octets_in": session.octets_in,
        "octets_out": session.octets_out,
        "idle": round(session.idle, 3),
    }


def impatient_resource(desk: Desk, delay: LoginDelay) -> JsonResource:
    """``/v1/impatient``: programs that log in more often than LOGIN-DELAY lets them (features row B-09)."""

    async def tell(body: Document) -> tuple[int, Document]:
        now = delay.seconds()
        return 200, {"impatient": [_describe_impatient(each, now) for each in delay.impatient()]}

    return JsonResource(desk, {"GET": tell})


def _describe_impatient(program: Impatient, now: float) -> Document:
    return {
        "account": str(program.account),
        "device": program.device,
        "address": str(program.peer),
        "refusals": program.refusals,
        "interval": round(program.interval, 1),
        "ago": round(now - program.last, 1),
    }
