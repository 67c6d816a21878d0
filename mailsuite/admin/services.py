"""``/v1/services``: each service, stopped and started alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.admin.resources import (
    ApiError,
    Desk,
    Document,
    JsonResource,
    bad_request,
    flag_field,
    text_field,
)
from mailsuite.admin.status import describe_service
from mailsuite.config.schema import Config
from mailsuite.services.control import ServerStopping, ServiceError, Services, UnknownService
from mailsuite.services.errors import SERVICES

ACTIONS: Final = ("start", "stop", "restart")


class AllServices(JsonResource):
    """All services, and each as a child by its name."""

    def __init__(self, desk: Desk, services: Services, config: Callable[[], Config]) -> None:
        """*config* answers the configuration in force."""
        super().__init__(desk, {"GET": self._list})
        self._services = services
        self._config = config

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        return _Service(self._desk, self._services, self._config, path.decode("utf-8", "replace"))

    async def _list(self, body: Document) -> tuple[int, Document]:
        config = self._config()
        return 200, {"services": [describe_service(self._services, name, config) for name in SERVICES]}


class _Service(JsonResource):
    """GET: how it is. POST ``{"action": "stop"}`` answers when no connection is taken any more, a restart
    when the service runs again; ``"now": true`` ends the sessions at once. ``sessions_before`` says how many
    there were."""

    def __init__(self, desk: Desk, services: Services, config: Callable[[], Config], name: str) -> None:
        super().__init__(desk, {"GET": self._show, "POST": self._act})
        self._services = services
        self._config = config
        self._name = name

    async def _show(self, body: Document) -> tuple[int, Document]:
        try:
            return 200, {"service": describe_service(self._services, self._name, self._config())}
        except UnknownService as error:
            raise ApiError(404, {"error": str(error)}) from error

    async def _act(self, body: Document) -> tuple[int, Document]:
        action, now = text_field(body, "action"), flag_field(body, "now")
        try:
            before = await self._done(action, now)
        except UnknownService as error:
            raise ApiError(404, {"error": str(error)}) from error
        except ServerStopping as error:
            raise ApiError(503, {"error": str(error)}) from error
        except ServiceError as error:
            raise ApiError(409, {"error": str(error)}) from error
        _, shown = await self._show({})
        return 200, {**shown, "sessions_before": before}

    async def _done(self, action: str, now: bool) -> int:
        match action:
            case "stop":
                return await self._services.stop(self._name, now)
            case "restart":
                return await self._services.restart(self._name, now)
            case "start":
                await self._services.start(self._name)
                return self._services.status(self._name).sessions
        raise bad_request(f"action is none of {', '.join(ACTIONS)}")
