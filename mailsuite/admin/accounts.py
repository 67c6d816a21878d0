"""``/v1/accounts`` of the control API."""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.accounts.refusal import asked_address
from mailsuite.accounts.registry import Registry
from mailsuite.admin.deleted import AccountDeleted
from mailsuite.admin.devices import AccountDevices
from mailsuite.admin.notices import Notices, owners_notices_resource
from mailsuite.admin.queue import Outbound, queue_resource
from mailsuite.admin.resources import (
    Desk,
    Document,
    JsonResource,
    bad_request,
    flag_field,
    optional_text,
    text_field,
)
from mailsuite.admin.usage import AllUsage, General, usage_of
from mailsuite.interfaces import IMailStore
from mailsuite.model.quota import UNLIMITED


def _preference(body: Document) -> Document | None:
    value = body.get("notifymail")
    if value is not None and not isinstance(value, dict):
        raise bad_request("notifymail is no object")
    return value


class Accounts(JsonResource):
    """All accounts, and each as a child by its address; *general* is the quota that holds for all."""

    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        devices: DeviceRegistry,
        store: IMailStore,
        *,
        outbound: Outbound,
        notices: Notices | None = None,
        general: General = lambda: UNLIMITED,
    ) -> None:
        super().__init__(desk, {"GET": self._list, "POST": self._add})
        self._registry = registry
        self._devices = devices
        self._store = store
        self._outbound = outbound
        self._notices = notices
        self._general = general
        self.putChild(b"usage", AllUsage(desk, registry.directory, store, general))

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        address = path.decode("utf-8", "replace")
        account = _Account(
            self._desk, self._registry, self._devices, self._store, address, general=self._general
        )
        account.putChild(b"queue", queue_resource(self._desk, self._outbound, address))
        if self._notices is not None:
            account.putChild(b"notices", owners_notices_resource(self._desk, self._notices, address))
        return account

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"accounts": await self._registry.accounts()}

    async def _add(self, body: Document) -> tuple[int, Document]:
        account, generated = await self._registry.add_account(
            text_field(body, "address"),
            text_field(body, "name", ""),
            optional_text(body, "password"),
            _preference(body),
            without_password=flag_field(body, "without_password"),
        )
        self._desk.log.info("account.added", account=account["address"])
        return 201, {"account": account, "generated": generated}


class _Account(JsonResource):
    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        devices: DeviceRegistry,
        store: IMailStore,
        address: str,
        *,
        general: General,
    ) -> None:
        super().__init__(desk, {"GET": self._show, "PATCH": self._change, "DELETE": self._remove})
        self._registry = registry
        self._devices = devices
        self._store = store
        self._general = general
        self._address = address
        self.putChild(b"deleted", AccountDeleted(desk, store, registry.directory, address))
        self.putChild(b"password", JsonResource(desk, {"PUT": self._set_password}))
        self.putChild(b"devices", AccountDevices(desk, devices, address))

    async def _show(self, body: Document) -> tuple[int, Document]:
        account = await self._registry.account(self._address)
        forwarders = await self._registry.forwarders(self._address)
        summary = await self._devices.summary(self._address)
        address, directory = asked_address(self._address), self._registry.directory
        usage = await usage_of(directory, self._store, address, self._general())
        return 200, {"account": account, "forwarders": forwarders, **summary, **usage}

    async def _change(self, body: Document) -> tuple[int, Document]:
        fields = {name: value for name, value in body.items() if value is not None}
        account = await self._registry.change_account(self._address, fields)
        self._desk.log.info(
            "account.changed", account=account["address"], state=account["state"], pop3=account["pop3"]
        )
        return 200, {"account": account}

    async def _remove(self, body: Document) -> tuple[int, Document]:
        await self._registry.remove_account(self._address)
        self._desk.log.info("account.removed", account=self._address)
        return 200, {}

    async def _set_password(self, body: Document) -> tuple[int, Document]:
        account, generated = await self._registry.set_password(self._address, optional_text(body, "password"))
        self._desk.log.info("account.password", account=account["address"])
        return 200, {"account": account, "generated": generated}
