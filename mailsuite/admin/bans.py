"""``/v1/bans`` of the control API."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.admin.resources import ApiError, Desk, Document, JsonResource, bad_request, text_field
from mailsuite.config.kinds import BadValue, Text
from mailsuite.config.measures import YEAR, Duration
from mailsuite.model.access import parse_network
from mailsuite.model.ban import Ban
from mailsuite.model.device import IPNetwork
from mailsuite.policy.bans import Bans, Exempt

UNTIL_RESTART: Final = "until-restart"
"""In the place of a duration."""
_LENGTH: Final = Duration(minimum=1.0, maximum=10 * YEAR)
_DETAIL: Final = Text(200)


def ban_document(ban: Ban) -> Document:
    """A ban as JSON; the shape is part of the control API."""
    return {
        "network": network_text(ban.network),
        "reason": ban.reason,
        "since": ban.since,
        "until": ban.until,
        "times": ban.times,
        "detail": ban.detail,
    }


def network_text(network: IPNetwork) -> str:
    """``192.0.2.7`` or ``2001:db8::/64``: a network of one without its length."""
    alone = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if alone else str(network)


class BanList(JsonResource):
    """All bans that hold, and each as a child by its network."""

    def __init__(self, desk: Desk, bans: Bans) -> None:
        super().__init__(desk, {"GET": self._list, "POST": self._add})
        self._bans = bans

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        return _Ban(self._desk, self._bans, path.decode("utf-8", "replace"))

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"bans": [ban_document(ban) for ban in self._bans.list()]}

    async def _add(self, body: Document) -> tuple[int, Document]:
        network = _network(text_field(body, "network"))
        seconds = _seconds(text_field(body, "for", "24h"))
        try:
            detail = _DETAIL.parse(text_field(body, "detail", ""), Path("/"))
        except BadValue as error:
            raise bad_request(f"detail: {error}") from error
        try:
            ban = self._bans.add(network, seconds, detail)
        except Exempt as error:
            raise ApiError(409, {"error": str(error)}) from error
        return 201, {"ban": ban_document(ban)}


class _Ban(JsonResource):
    def __init__(self, desk: Desk, bans: Bans, network: str) -> None:
        super().__init__(desk, {"DELETE": self._lift})
        self._bans = bans
        self._network = network

    async def _lift(self, body: Document) -> tuple[int, Document]:
        network = _network(self._network)
        ban = await self._bans.lift(network)
        if ban is None:
            raise ApiError(404, {"error": self._why_not(network)})
        return 200, {"ban": ban_document(ban)}

    def _why_not(self, network: IPNetwork) -> str:
        name = network_text(network)
        wider = self._bans.find(network.network_address)
        if wider is None or not _covers(wider.network, network):
            return f"{name} is not banned"
        return f"{name} is banned with all of {wider.network}, which can be lifted as a whole only"


def _covers(outer: IPNetwork, inner: IPNetwork) -> bool:
    return outer.version == inner.version and outer.prefixlen <= inner.prefixlen


def _network(text: str) -> IPNetwork:
    try:
        return parse_network(text)
    except ValueError as error:
        raise bad_request(str(error)) from error


def _seconds(text: str) -> float | None:
    if text == UNTIL_RESTART:
        return None
    try:
        return _LENGTH.parse(text, Path("/"))
    except BadValue as error:
        raise bad_request(f'{error}, or "{UNTIL_RESTART}"') from error
