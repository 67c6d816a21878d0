"""``/v1/aliases`` and ``/v1/route`` of the control API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.accounts.aliases import AliasRegistry, alias_from_json
from mailsuite.admin.hearings import HearingError, hearing_document
from mailsuite.admin.resources import Desk, Document, JsonResource, bad_request, flag_field, text_field
from mailsuite.config.schema import Config
from mailsuite.delivery.route_report import route_document
from mailsuite.delivery.router import Router
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.policy.hearing import Question
from mailsuite.policy.sender_lists import Lists

MAX_IMPORTED = 500
"""Aliases in one request."""


class AllAliases(JsonResource):
    """All aliases, each as a child by its address. ``GET ?target=ADDRESS``: those that lead there at once."""

    def __init__(self, desk: Desk, registry: AliasRegistry) -> None:
        super().__init__(desk, {"POST": self._add})
        self._registry = registry
        self.putChild(b"import", JsonResource(desk, {"POST": self._import}))

    def getChild(self, path: bytes, request: Request) -> Resource:
        return _Alias(self._desk, self._registry, path.decode("utf-8", "replace")) if path else self

    def render(self, request: Request) -> Any:
        """What a resource made for this one question answers."""
        asked = (request.args or {}).get(b"target", [])
        target = asked[-1].decode("utf-8", "replace") if asked else None

        async def list_(body: Document) -> tuple[int, Document]:
            return 200, {"aliases": await self._registry.aliases(target)}

        return JsonResource(self._desk, {"GET": list_, "POST": self._add}).render(request)

    async def _add(self, body: Document) -> tuple[int, Document]:
        done, made = await self._registry.add(text_field(body, "address"), _targets(body))
        alias = done["alias"]
        event = "alias.added" if made else "alias.changed"
        self._desk.log.info(event, alias=alias["address"], targets=len(alias["targets"]))
        return 201 if made else 200, {**done, "made": made}

    async def _import(self, body: Document) -> tuple[int, Document]:
        aliases = body.get("aliases")
        if not isinstance(aliases, list) or len(aliases) > MAX_IMPORTED:
            raise bad_request(f"aliases is no list of {MAX_IMPORTED} at most")
        dry_run = flag_field(body, "dry_run")
        results = await self._registry.take(
            map(alias_from_json, aliases), overwrite=flag_field(body, "overwrite"), dry_run=dry_run
        )
        for result in results:
            if not dry_run and result.outcome in {"made", "changed"}:
                self._desk.log.info("alias.imported", alias=result.address, outcome=result.outcome)
        return 200, {"results": [attrs.asdict(result) for result in results]}


class _Alias(JsonResource):
    def __init__(self, desk: Desk, registry: AliasRegistry, address: str) -> None:
        super().__init__(desk, {"GET": self._show, "DELETE": self._remove, "PATCH": self._remove_some})
        self._registry = registry
        self._address = address

    async def _show(self, body: Document) -> tuple[int, Document]:
        return 200, await self._registry.alias(self._address)

    async def _remove(self, body: Document) -> tuple[int, Document]:
        done = await self._registry.remove(self._address)
        self._desk.log.info("alias.removed", alias=self._address)
        return 200, done

    async def _remove_some(self, body: Document) -> tuple[int, Document]:
        """``{"remove": [...]}``: these targets."""
        targets = _targets(body, "remove")
        if not targets:
            raise bad_request("remove names no target")
        done = await self._registry.remove(self._address, targets)
        left = done["alias"]
        self._desk.log.info("alias.changed", alias=left["address"], targets=len(left["targets"]))
        return 200, done


def route_resource(
    desk: Desk, router: Callable[[], Router], config: Callable[[], Config], lists: Lists
) -> JsonResource:
    """``POST {"address": ...}``: where mail for an address goes, and by which steps; with ``"client"``, an IP
    address, what that client hears at each listener, or at ``"listener"`` alone. Nothing counts, and nothing
    changes."""

    async def route(body: Document) -> tuple[int, Document]:
        text = text_field(body, "address")
        try:
            address = Address.parse(text) if "@" in text else Address(text, "")
        except AddressSyntaxError as error:
            raise bad_request(f"{text!r} is no address: {error}") from error
        ways = router()
        route = await ways.explain(address)
        document = route_document(address, route)
        client, listener = text_field(body, "client", ""), text_field(body, "listener", "")
        if client:
            now = config()
            question = Question(address, route, ways.rules.sends, now.server.name, lists)
            try:
                heard = await hearing_document(now, question, client, listener)
            except HearingError as error:
                raise bad_request(str(error)) from error
            document["hearing"] = heard
        return 200, document

    return JsonResource(desk, {"POST": route})


def _targets(body: Document, name: str = "targets") -> list[str]:
    targets = body.get(name)
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
        raise bad_request(f"{name} is no list of texts")
    return targets
