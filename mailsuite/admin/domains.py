"""``/v1/domains`` of the control API."""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.accounts.quotas import quota_document
from mailsuite.accounts.registry import Registry
from mailsuite.admin.deleted import usage_document
from mailsuite.admin.resources import Desk, Document, JsonResource, text_field
from mailsuite.delivery.pools import members_of, pool_of
from mailsuite.interfaces import IMailStore
from mailsuite.model.account import Domain
from mailsuite.model.retention import Usage


class Domains(JsonResource):
    """All domains whose mail is ours, and each as a child by its name."""

    def __init__(self, desk: Desk, registry: Registry, store: IMailStore) -> None:
        super().__init__(desk, {"GET": self._list, "POST": self._add})
        self._registry = registry
        self._store = store

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        return _Domain(self._desk, self._registry, self._store, path.decode("utf-8", "replace"))

    async def _list(self, body: Document) -> tuple[int, Document]:
        return 200, {"domains": await self._registry.domains()}

    async def _add(self, body: Document) -> tuple[int, Document]:
        domain = await self._registry.add_domain(text_field(body, "name"))
        self._desk.log.info("domain.added", domain=domain["name"])
        return 201, {"domain": domain}


class _Domain(JsonResource):
    def __init__(self, desk: Desk, registry: Registry, store: IMailStore, name: str) -> None:
        super().__init__(desk, {"GET": self._show, "PATCH": self._change})
        self._registry = registry
        self._store = store
        self._name = name

    async def _show(self, body: Document) -> tuple[int, Document]:
        """With how much mail all its accounts have, and those of the domains that share its quota; one after
        the other."""
        domain = await self._registry.domain(self._name)
        directory = self._registry.directory
        shared = await pool_of(directory, domain["name"])
        usages = [await self._store.usage(account) for account in await members_of(directory, shared)]
        usage = Usage(
            sum(each.messages for each in usages),
            sum(each.octets for each in usages),
            sum(each.deleted_messages for each in usages),
            sum(each.deleted_octets for each in usages),
        )
        total = (await directory.domain(shared) or Domain(shared)).total_quota
        return 200, {
            "domain": domain,
            "usage": usage_document(usage),
            "total_quota": quota_document(total),
            "percent": total.percent(usage.octets, usage.messages),
            "shared": shared,
        }

    async def _change(self, body: Document) -> tuple[int, Document]:
        fields = {name: value for name, value in body.items() if value is not None}
        domain = await self._registry.change_domain(self._name, fields)
        self._desk.log.info("domain.changed", domain=domain["name"])
        return 200, {"domain": domain}
