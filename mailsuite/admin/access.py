"""``/v1/access`` of the control API: would this address get in?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.web.server import Request

from mailsuite.admin.bans import ban_document
from mailsuite.admin.resources import ApiError, Desk, Document, JsonResource, bad_request
from mailsuite.model.access import parse_network
from mailsuite.model.account import IPAddress
from mailsuite.model.ban import Ban
from mailsuite.policy.access import AccessList
from mailsuite.policy.access_files import AccessLists
from mailsuite.policy.bans import Bans


def access_document(
    address: IPAddress, services: Mapping[str, str], lists: Mapping[str, AccessList], ban: Ban | None
) -> Document:
    """What each listener of *services*, which says whose it is, would do with a connection from *address*."""
    listeners = [_verdict(address, name, service, lists[name], ban) for name, service in services.items()]
    return {
        "address": str(address),
        "allowed": ban is None and all(each["verdict"] == "allowed" for each in listeners),
        "ban": None if ban is None else ban_document(ban),
        "listeners": listeners,
    }


def _verdict(
    address: IPAddress, name: str, service: str, list_: AccessList, ban: Ban | None
) -> dict[str, Any]:
    decision = list_.decide(address)
    listed = "allowed" if decision.allowed else "denied"
    return {
        "listener": name,
        "service": service,
        "verdict": listed if ban is None else "banned",
        "entry": decision.entry or None,
        "place": decision.place,
    }


class Access(JsonResource):
    """``GET /v1/access?address=192.0.2.7``, with ``&listener=pop3s`` for one listener alone."""

    def __init__(
        self, desk: Desk, lists: AccessLists, bans: Bans, services: Callable[[], Mapping[str, str]]
    ) -> None:
        """*services* says of each open listener, by its name, which service it is of."""
        super().__init__(desk, {})
        self._lists = lists
        self._bans = bans
        self._services = services

    def render(self, request: Request) -> Any:
        """What a resource made for this one question answers."""
        asked = {name: values[-1] for name, values in (request.args or {}).items()}

        async def answer(body: Document) -> tuple[int, Document]:
            return 200, self._judge(_text(asked, b"address"), _text(asked, b"listener"))

        return JsonResource(self._desk, {"GET": answer}).render(request)

    def _judge(self, text: str, listener: str) -> Document:
        try:
            network = parse_network(text)
        except ValueError as error:
            raise bad_request(f"address: {error}") from error
        if network.prefixlen != network.max_prefixlen:
            raise bad_request(f"address: {text} is a network; ask about one address")
        address, lists = network.network_address, self._lists.lists
        services = {name: service for name, service in self._services().items() if name in lists}
        if listener and listener not in services:
            raise ApiError(404, {"error": unknown_listener(listener, services)})
        wanted = {listener: services[listener]} if listener else services
        return access_document(address, wanted, lists, self._bans.find(address))


def unknown_listener(name: str, known: Mapping[str, str]) -> str:
    """That there is none of that name, and which there are."""
    return f"there is no open listener {name!r}; there are: {', '.join(known) or 'none'}"


def _text(asked: Mapping[bytes, bytes], name: bytes) -> str:
    return asked.get(name, b"").decode("utf-8", "replace").strip("[]")
