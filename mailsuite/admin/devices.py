"""``/v1/devices``, and ``devices`` below each account, of the control API."""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.admin.resources import Desk, Document, JsonResource


class AllDevices(JsonResource):
    """The device passwords of all accounts."""

    def __init__(self, desk: Desk, devices: DeviceRegistry) -> None:
        super().__init__(desk, {"GET": self._list})
        self._devices = devices

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"devices": await self._devices.all_devices()}


class AccountDevices(JsonResource):
    """Those of one account, and each as a child by its name."""

    def __init__(self, desk: Desk, devices: DeviceRegistry, address: str) -> None:
        super().__init__(desk, {"GET": self._list, "POST": self._add})
        self._devices = devices
        self._address = address

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        return _Device(self._desk, self._devices, self._address, path.decode("utf-8", "replace"))

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"devices": await self._devices.devices(self._address)}

    async def _add(self, body: Document) -> tuple[int, Document]:
        fields = {name: value for name, value in body.items() if value is not None}
        device, password = await self._devices.add_device(self._address, fields)
        self._desk.log.info(
            "device.added",
            account=device["account"],
            device=device["id"],
            name=device["name"],
            mechanisms=" ".join(device["mechanisms"]),
        )
        return 201, {"device": device, "generated": password}


class _Device(JsonResource):
    def __init__(self, desk: Desk, devices: DeviceRegistry, address: str, name: str) -> None:
        super().__init__(desk, {"GET": self._show, "DELETE": self._remove})
        self._devices = devices
        self._address = address
        self._name = name

    async def _show(self, body: Document) -> tuple[int, Document]:
        return 200, {"device": await self._devices.device(self._address, self._name)}

    async def _remove(self, body: Document) -> tuple[int, Document]:
        device = await self._devices.remove_device(self._address, self._name)
        self._desk.log.info(
            "device.removed", account=device["account"], device=device["id"], name=device["name"]
        )
        return 200, {"device": device}
