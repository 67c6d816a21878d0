"""How much mail accounts have and may have: ``usage`` below ``/v1/accounts`` of the control API."""

from __future__ import annotations

from collections.abc import Callable

from mailsuite.accounts.quotas import quota_document
from mailsuite.accounts.refusal import in_words
from mailsuite.admin.deleted import usage_document
from mailsuite.admin.resources import Desk, Document, JsonResource
from mailsuite.interfaces import IAccountDirectory, IMailStore
from mailsuite.model.account import quota_in_force
from mailsuite.model.address import Address
from mailsuite.model.quota import Quota

General = Callable[[], Quota]
"""What holds where neither account nor domain says anything."""


async def usage_of(
    directory: IAccountDirectory, store: IMailStore, address: Address, general: Quota
) -> Document:
    """``usage`` and ``quota`` of one account, in octets and messages, and how many ``percent`` that is."""
    usage = await store.usage(address)
    account, domain = await directory.account(address), await directory.domain(address.domain)
    quota = quota_in_force(account, domain, general)
    return {
        "usage": usage_document(usage),
        "quota": quota_document(quota),
        "percent": quota.percent(usage.octets, usage.messages),
    }


class AllUsage(JsonResource):
    """GET goes over all accounts, one after the other."""

    def __init__(self, desk: Desk, directory: IAccountDirectory, store: IMailStore, general: General) -> None:
        super().__init__(desk, {"GET": self._tell})
        self._directory = directory
        self._store = store
        self._general = general

    async def _tell(self, body: Document) -> tuple[int, Document]:
        with in_words("the accounts"):
            accounts = await self._directory.accounts()
        general = self._general()
        found = [
            {
                "account": str(account.address),
                **await usage_of(self._directory, self._store, account.address, general),
            }
            for account in accounts
        ]
        return 200, {"accounts": found}
