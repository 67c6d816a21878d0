"""NotifyMail as the control API shows it, and one notice by every way that an account is told by."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred, gatherResults

from mailsuite.accounts.refusal import RegistryError
from mailsuite.admin.resources import Document
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.subscription import Cursor, SubscriptionState
from mailsuite.notify.office import STREAM, Caller, Office
from mailsuite.notify.own_knocks import Knocked, KnockState, OwnKnocks

NOTIFYMAIL: Final = "notifymail"
UNTRIED: Final = frozenset({SubscriptionState.UNVERIFIED.value, SubscriptionState.DEAD.value})
"""States in which a target is sent nothing."""


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


def state_document(state: KnockState) -> Document:
    """An account's own NotifyMail. Times are seconds since the epoch."""
    cursor = state.cursor or Cursor("")
    return {
        "enabled": state.enabled,
        "state": state.state.value,
        "target": None if state.target is None else str(state.target),
        "untold": None if state.untold is None else state.untold.value,
        "suspended_until": state.suspended_until,
        "last_ok": cursor.last_ok or None,
        "last_try": cursor.last_try or None,
        "last_result": cursor.last_result,
        "last_login": state.last_login,
        "fails": cursor.fails,
        "sent": cursor.sent,
        "useful": cursor.useful,
    }


async def try_all(office: Office, knocks: OwnKnocks, caller: Caller) -> list[Document]:
    """All at the same time, in the order in which they are listed; NotifyMail comes first."""
    subscriptions = [each for each in await office.of(caller) if each["channel"] != STREAM]
    trials = [Deferred.fromCoroutine(_knock(knocks, caller.account))]
    trials += [Deferred.fromCoroutine(_try_one(office, caller, each)) for each in subscriptions]
    found: list[Document | None] = await gatherResults(trials, consumeErrors=True)
    return [each for each in found if each is not None]


async def _knock(knocks: OwnKnocks, account: Address) -> Document | None:
    try:
        knocked = await knocks.knock(account)
    except MailFailure as failure:
        return result(NOTIFYMAIL, "", " ".join(failure.reply.text))
    return None if knocked is None else _knocked(knocked)


def _knocked(knocked: Knocked) -> Document:
    where = "" if knocked.target is None else str(knocked.target)
    ms = None if knocked.took is None else round(knocked.took * 1000.0, 1)
    return result(NOTIFYMAIL, where, knocked.result, ms=ms)


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
