"""``deleted`` below each account, and ``/v1/retention``, of the control API (features rows B-02, S-A21)."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mailsuite.accounts.refusal import asked_address, refused
from mailsuite.admin.resources import Desk, Document, JsonResource, bad_request, flag_field
from mailsuite.interfaces import IAccountDirectory, IMailStore
from mailsuite.model.address import Address
from mailsuite.model.reply import NO_SUCH_ACCOUNT
from mailsuite.model.retention import DAY, Deleted, Usage

MAX_DAYS_AHEAD = 36_500.0

Report = Callable[[float], Awaitable[Sequence[tuple[Address, Usage]]]]
"""What retention would remove that many seconds from now."""


class AccountDeleted(JsonResource):
    """What one account can have back.

    GET lists it, and says how much mail there is. POST brings back ``uidls``, or what was deleted ``since``
    (seconds since the epoch), or ``all``. DELETE forgets all of it for good.
    """

    def __init__(self, desk: Desk, store: IMailStore, directory: IAccountDirectory, address: str) -> None:
        super().__init__(desk, {"GET": self._list, "POST": self._restore, "DELETE": self._purge})
        self._store = store
        self._directory = directory
        self._name = address

    async def _list(self, body: Document) -> tuple[int, Document]:
        address = await self._address()
        deleted = await self._store.deleted(address)
        usage = await self._store.usage(address)
        return 200, {
            "account": str(address),
            "deleted": [_document(message) for message in deleted],
            "usage": usage_document(usage),
        }

    async def _restore(self, body: Document) -> tuple[int, Document]:
        wanted = _wanted(body)
        address = await self._address()
        uidls = [one.uidl for one in await self._store.deleted(address) if wanted(one)]
        restored = await self._store.undelete(address, uidls) if uidls else 0
        if restored:
            self._desk.log.info("mail.restored", account=address, messages=restored)
        return 200, {"account": str(address), "restored": restored}

    async def _purge(self, body: Document) -> tuple[int, Document]:
        address = await self._address()
        purged = await self._store.purge(address, math.inf)
        if purged:
            self._desk.log.info("mail.purged", account=address, messages=purged)
        return 200, {"account": str(address), "purged": purged}

    async def _address(self) -> Address:
        address = asked_address(self._name)
        if await self._directory.account(address) is None:
            raise refused(str(address), NO_SUCH_ACCOUNT)
        return address


class RetentionReport(JsonResource):
    """What retention would remove now, or some ``days`` from now; nothing is changed."""

    def __init__(self, desk: Desk, report: Report) -> None:
        super().__init__(desk, {"GET": self._tell, "POST": self._tell})
        self._report = report

    async def _tell(self, body: Document) -> tuple[int, Document]:
        days = _number(body, "days", 0.0)
        if not 0 <= days <= MAX_DAYS_AHEAD:
            raise bad_request(f"days is not within 0 and {MAX_DAYS_AHEAD:.0f}")
        found = await self._report(days * DAY)
        return 200, {
            "days": days,
            "accounts": [
                {"account": str(address), "messages": usage.messages, "octets": usage.octets}
                for address, usage in found
            ],
        }


def _wanted(body: Document) -> Callable[[Deleted], bool]:
    """Which deleted messages a request names. Raises ApiError where it does not say just one thing."""
    if len([name for name in ("uidls", "since", "all") if body.get(name) not in (None, False)]) != 1:
        raise bad_request("one of uidls, since and all says what comes back")
    if flag_field(body, "all"):
        return lambda message: True
    if body.get("since") is not None:
        since = _number(body, "since", 0.0)
        return lambda message: message.at >= since
    uidls = body["uidls"]
    if not isinstance(uidls, list) or not all(isinstance(uidl, str) for uidl in uidls):
        raise bad_request("uidls is no list of texts")
    named = frozenset(uidls)
    return lambda message: message.uidl in named


def _number(body: Document, name: str, default: float) -> float:
    value: Any = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise bad_request(f"{name} is no number")
    return float(value)


def _document(message: Deleted) -> Document:
    """Times are seconds since the epoch."""
    return {"uidl": message.uidl, "size": message.size, "at": message.at}


def usage_document(usage: Usage) -> Document:
    """As JSON; the shape is part of the control API."""
    return {
        "messages": usage.messages,
        "octets": usage.octets,
        "deleted_messages": usage.deleted_messages,
        "deleted_octets": usage.deleted_octets,
    }
