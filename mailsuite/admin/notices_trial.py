"""One notice by every way that an account is told by, and what came of each."""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.defer import Deferred, gatherResults

from mailsuite.accounts.refusal import RegistryError
from mailsuite.admin.resources import Document
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.subscription import SubscriptionState
from mailsuite.notify.office import STREAM, Caller, Office

UNTRIED: Final = frozenset({SubscriptionState.UNVERIFIED.value, SubscriptionState.DEAD.value})
"""States in which a target is sent nothing."""


class NotifyMail(Protocol):
    """The NotifyMail that an account asks for by its own setting. Raises MailFailure."""

    async def describe(self, account: Address) -> Document:
        """Where it goes, or why nowhere, and how it went."""

    async def test(self, account: Address) -> Document | None:
        """Knock now; what came of it, as result() tells it. None: the account wants none."""


def result(
    channel: str,
    host: str,
    said: str,
    *,
    id: str | None = None,
    name: str = "",
    code: int | None = None,
    ms: float | None = None,
) -> Document:
    """What came of one way: *said* is "ok", or what was wrong, in a few words."""
    return {
        "id": id,
        "channel": channel,
        "name": name,
        "host": host,
        "result": said,
        "code": code,
        "ms": ms,
    }


async def try_all(office: Office, notifymail: NotifyMail, caller: Caller) -> list[Document]:
    """All at the same time, in the order in which they are listed; NotifyMail comes first."""
    subscriptions = [each for each in await office.of(caller) if each["channel"] != STREAM]
    trials = [Deferred.fromCoroutine(_knock(notifymail, caller.account))]
    trials += [Deferred.fromCoroutine(_try_one(office, caller, each)) for each in subscriptions]
    found: list[Document | None] = await gatherResults(trials, consumeErrors=True)
    return [each for each in found if each is not None]


async def _knock(notifymail: NotifyMail, account: Address) -> Document | None:
    try:
        return await notifymail.test(account)
    except MailFailure as failure:
        return result("notifymail", "", " ".join(failure.reply.text))


async def _try_one(office: Office, caller: Caller, subscription: Document) -> Document | None:
    channel, host = subscription["channel"], subscription["host"]
    id, name = subscription["id"], subscription["name"]
    if subscription["state"] in UNTRIED:
        return result(channel, host, subscription["state"], id=id, name=name)
    try:
        attempt = await office.test(caller, id)
    except RegistryError as error:
        return result(channel, host, error.text, id=id, name=name)
    code, ms = attempt["code"], attempt["ms"]
    return result(channel, host, attempt["result"], id=id, name=name, code=code, ms=ms)
