"""Where mail goes, by the configuration in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import attrs

from mailsuite.delivery.route_archive import Archives, Wanted
from mailsuite.delivery.router import Router
from mailsuite.model.address import Address
from mailsuite.model.facts import Route


class Routes(Protocol):
    """A Router, or what stands for the one of the moment."""

    async def route(self, recipient: Address) -> Route: ...

    async def passed_on_as(self, sender: Address | None, domain: str) -> Address | None: ...


class Archiving(Protocol):
    """Archives, or what stands for those of the moment."""

    def of(self, account: Address | None, recipients: Iterable[Address]) -> Mapping[Address, Wanted]: ...


@attrs.define(eq=False)
class Ways:
    """Both, for sessions that may outlast a reload: whoever changes the fields changes what they go by."""

    router: Router
    archives: Archives

    async def route(self, recipient: Address) -> Route:
        return await self.router.route(recipient)

    async def passed_on_as(self, sender: Address | None, domain: str) -> Address | None:
        return await self.router.passed_on_as(sender, domain)

    def of(self, account: Address | None, recipients: Iterable[Address]) -> Mapping[Address, Wanted]:
        return self.archives.of(account, recipients)
