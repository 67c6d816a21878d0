"""``/notify/v1/devices``: a program on a user's computer gets a password of its own, so that nobody has to
leave the account's there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.accounts.refusal import RegistryError, bad
from mailsuite.frontends.http_core import Answer
from mailsuite.model.address import Address
from mailsuite.model.rate import Rate
from mailsuite.model.subscription import OWN_PASSWORD
from mailsuite.notify.outgoing.budgets import Budgets
from mailsuite.observe.log import Log
from mailsuite.web.answers import Document, Refused, document, problem
from mailsuite.web.site import Routes, Visit

SCOPES: Final = ("notify", "pop3")
"""What such a password may be used for, at most."""
CREATIONS: Final = Rate(10, 3600.0)
"""Of one account."""
MAX_SAME_NAMES: Final = 10


@attrs.define(eq=False)
class Devices:
    """Makes device passwords for whoever shows the account's own."""

    registry: DeviceRegistry
    now: Callable[[], float]
    """Seconds since the epoch."""
    log: Log
    _creations: Budgets[Address] = attrs.field(init=False)

    @_creations.default
    def _make_creations(self) -> Budgets[Address]:
        return Budgets(CREATIONS, CREATIONS.count, self.now)

    def routes(self) -> Routes:
        return {"/devices": {"POST": self.add}}

    async def add(self, visit: Visit) -> Answer:
        """The password is told this once."""
        caller = visit.caller
        if caller.device != OWN_PASSWORD:
            raise Refused(problem(403, "only the account's own password makes device passwords"))
        fields = _fields(visit.body)
        if not self._creations.take(caller.account):
            raise RegistryError("too-many", f"{caller.account} made {CREATIONS.count} devices within an hour")
        device, password = await self._add(caller.account, fields)
        self.log.info(
            "device.added",
            account=device["account"],
            device=device["id"],
            name=device["name"],
            mechanisms="",
        )
        return document(201, {"device": device, "password": password})

    async def _add(self, account: Address, fields: Document) -> tuple[Document, str]:
        """A computer that comes a second time gets a number behind its name."""
        name = fields["name"]
        for number in range(2, MAX_SAME_NAMES + 1):
            try:
                return await self.registry.add_device(str(account), fields)
            except RegistryError as error:
                if error.kind != "exists":
                    raise
            fields = {**fields, "name": f"{name} {number}"}
        raise bad(f"device.name: there are too many that are called {name!r}; remove those that are not used")


def _fields(body: Document) -> Document:
    """Raises RegistryError."""
    fields = {name: value for name, value in body.items() if value is not None}
    unknown = set(fields) - {"name", "scopes"}
    if unknown:
        raise bad(f"a device has no field {min(unknown)[:40]!r} here; it has name and scopes")
    name, scopes = fields.get("name"), fields.setdefault("scopes", list(SCOPES))
    if not isinstance(name, str):
        raise bad("device.name is missing" if name is None else "device.name: expected a text")
    if not isinstance(scopes, list) or not set(map(str, scopes)) <= set(SCOPES):
        raise bad(f"device.scopes: expected some of {', '.join(SCOPES)}")
    return fields
