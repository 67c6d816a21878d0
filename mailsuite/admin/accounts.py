"""``/v1/accounts`` and ``/v1/domains`` of the control API."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.accounts.registry import Registry, RegistryError
from mailsuite.admin.resources import (
    ApiError,
    Desk,
    Document,
    JsonResource,
    bad_request,
    optional_text,
    text_field,
)

Result = TypeVar("Result")

_STATUS = {"bad-request": 400, "read-only": 403, "not-found": 404, "exists": 409, "unavailable": 503}


async def _asked(answer: Awaitable[Result]) -> Result:
    """Ask the registry; what it refuses becomes an HTTP status."""
    try:
        return await answer
    except RegistryError as error:
        raise ApiError(_STATUS[error.kind], {"error": error.text}) from error


def _preference(body: Document) -> Document | None:
    value = body.get("notifymail")
    if value is not None and not isinstance(value, dict):
        raise bad_request("notifymail is no object")
    return value


class Accounts(JsonResource):
    """All accounts, and each as a child by its address."""

    def __init__(self, desk: Desk, registry: Registry) -> None:
        super().__init__(desk, {"GET": self._list, "POST": self._add})
        self._registry = registry

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        return _Account(self._desk, self._registry, path.decode("utf-8", "replace"))

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"accounts": await _asked(self._registry.accounts())}

    async def _add(self, body: Document) -> tuple[int, Document]:
        account, generated = await _asked(
            self._registry.add_account(
                text_field(body, "address"),
                text_field(body, "name", ""),
                optional_text(body, "password"),
                _preference(body),
            )
        )
        self._desk.log.info("account.added", account=account["address"])
        return 201, {"account": account, "generated": generated}


class _Account(JsonResource):
    def __init__(self, desk: Desk, registry: Registry, address: str) -> None:
        super().__init__(desk, {"GET": self._show, "PATCH": self._change, "DELETE": self._remove})
        self._registry = registry
        self._address = address
        self.putChild(b"password", JsonResource(desk, {"PUT": self._set_password}))

    async def _show(self, body: Document) -> tuple[int, Document]:
        return 200, await self._account()

    async def _account(self) -> dict[str, Any]:
        return {"account": await _asked(self._registry.account(self._address))}

    async def _change(self, body: Document) -> tuple[int, Document]:
        await _asked(
            self._registry.change_account(self._address, optional_text(body, "name"), _preference(body))
        )
        self._desk.log.info("account.changed", account=self._address)
        return 200, await self._account()

    async def _remove(self, body: Document) -> tuple[int, Document]:
        await _asked(self._registry.remove_account(self._address))
        self._desk.log.info("account.removed", account=self._address)
        return 200, {}

    async def _set_password(self, body: Document) -> tuple[int, Document]:
        account, generated = await _asked(
            self._registry.set_password(self._address, optional_text(body, "password"))
        )
        self._desk.log.info("account.password", account=account["address"])
        return 200, {"account": account, "generated": generated}


class Domains(JsonResource):
    """All domains whose mail is ours."""

    def __init__(self, desk: Desk, registry: Registry) -> None:
        super().__init__(desk, {"GET": self._list, "POST": self._add})
        self._registry = registry

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"domains": await _asked(self._registry.domains())}

    async def _add(self, body: Document) -> tuple[int, Document]:
        domain = await _asked(self._registry.add_domain(text_field(body, "name")))
        self._desk.log.info("domain.added", domain=domain["name"])
        return 201, {"domain": domain}
