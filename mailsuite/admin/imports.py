"""``/v1/accounts/import`` of the control API: accounts of another server, some at a time."""

from __future__ import annotations

import attrs

from mailsuite.accounts.importing import Importer, account_from_json
from mailsuite.accounts.registry import Registry
from mailsuite.admin.resources import Desk, Document, JsonResource, bad_request, flag_field

MAX_ACCOUNTS = 100
"""In one request. Each plain password takes an argon2 run, and the client waits for all of them."""


class AccountImport(JsonResource):
    """``POST {"accounts": [...], "overwrite": false, "dry_run": false}`` -> ``{"results": [...]}``, one
    result for each account, in their order."""

    def __init__(self, desk: Desk, registry: Registry) -> None:
        super().__init__(desk, {"POST": self._take})
        self._registry = registry

    async def _take(self, body: Document) -> tuple[int, Document]:
        accounts = body.get("accounts")
        if not isinstance(accounts, list):
            raise bad_request("accounts is no list")
        if len(accounts) > MAX_ACCOUNTS:
            raise bad_request(f"these are more than {MAX_ACCOUNTS} accounts; send them in several requests")
        rehearse = flag_field(body, "dry_run")
        importer = Importer(self._registry, flag_field(body, "overwrite"), rehearse)
        results = await importer.take([account_from_json(account) for account in accounts])
        for result in results:
            if not rehearse and result.outcome in {"made", "changed"}:
                self._desk.log.info("account.imported", account=result.address, outcome=result.outcome)
        return 200, {"results": [attrs.asdict(result) for result in results]}
