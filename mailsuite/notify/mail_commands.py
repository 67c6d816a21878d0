"""Subscriptions by mail: whoever has logged in to submit writes to notify@ their domain, and the answer is in
their mailbox (features row N-17).

The order is the subject, or the first words of the text. It has the rights of the password that the mail was
submitted with: a device password needs to be one for notices. No secret is sent either way: what needs one is
done elsewhere.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs

from mailsuite.accounts.refusal import RegistryError, bad
from mailsuite.delivery.arrivals import Arrivals, Mail
from mailsuite.delivery.commands import Order
from mailsuite.delivery.message_facts import message_facts
from mailsuite.interfaces import IAccountDirectory, IMailStore
from mailsuite.model.address import Address
from mailsuite.model.device import Scope
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.notice import Level
from mailsuite.model.rate import Rate
from mailsuite.model.reply import TOO_MANY_ORDERS
from mailsuite.model.subscription import OWN_PASSWORD
from mailsuite.notify.mail_letter import answer
from mailsuite.notify.office import Caller, Office
from mailsuite.notify.outgoing.budgets import Budgets
from mailsuite.notify.wishes import Document
from mailsuite.observe.log import Log

ORDERS: Final = Rate(30, 3600.0)
"""Of one account; ten at once."""
BURST: Final = 10
LEVELS: Final = tuple(level.word for level in Level)
SECRET: Final = frozenset({"webhook"})
"""Channels that make a secret, which nobody could be told."""
HELP: Final = (
    "Write one of these into the subject:",
    "",
    "  list                          what you are told by",
    "  add CHANNEL TARGET [LEVEL]    for example: add ntfy https://ntfy.example.com/my-topic count",
    "  confirm CODE                  with the code that the target was sent",
    "  off, on                       stop and go on; off ID and on ID for one of them",
    "  remove ID                     for good",
    "  help                          this",
    "",
    f"A level is one of {', '.join(LEVELS)}. Mail is never told of by mail, and no secret is taken or sent:",
    "for a web hook, Gotify or Pushover ask whoever runs this server.",
)
_ANSWER: Final = re.compile(r"(?:\s*(?:re|aw|fwd?|wg)\s*:)+", re.IGNORECASE)


@attrs.define(eq=False)
class MailCommands:
    """One for a server; implements delivery's Commands."""

    office: Office
    directory: IAccountDirectory
    store: IMailStore
    arrivals: Arrivals
    hostname: str
    local: str | None
    """What stands before the @ of the addresses that are obeyed, and may change; None: none is."""
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    _orders: Budgets[Address] = attrs.field(init=False)

    @_orders.default
    def _make_orders(self) -> Budgets[Address]:
        return Budgets(ORDERS, BURST, self.seconds)

    # What is an order

    async def takes(self, recipient: Address, account: Address, device: str) -> bool:
        """An account or an alias of that name comes first."""
        wanted = recipient.canonical
        if wanted.local != self.local or await self.directory.domain(wanted.domain) is None:
            return False
        if await self.directory.account(wanted) or await self.directory.alias(wanted):
            return False
        if not await self._may(account, device):
            return False
        if not self._orders.take(account):
            raise TemporaryFailure(TOO_MANY_ORDERS)
        return True

    async def _may(self, account: Address, device: str) -> bool:
        if device == OWN_PASSWORD:
            return True
        devices = await self.directory.devices(account)
        return any(each.id == device and Scope.NOTIFY in each.scopes for each in devices)

    async def obey(self, order: Order) -> None:
        facts = message_facts(order.beginning, order.sender, Level.PREVIEW)
        if facts.auto:  # a program answers ours; to answer that would be the beginning of a loop
            self.log.info("notify.order_ignored", account=order.account, device=order.device)
            return
        verb, words = _order_in(facts.subject, facts.preview)
        try:
            lines = await self._verbs[verb](Caller(order.account, order.device), words)
        except RegistryError as error:
            lines = [f"That cannot be done: {error.text}."]
        self.log.info("notify.ordered", account=order.account, device=order.device, order=verb)
        await self._answer(order, verb, lines)

    async def _answer(self, order: Order, verb: str, lines: Sequence[str]) -> None:
        octets = answer(
            order.account,
            order.recipient.canonical,
            lines,
            hostname=self.hostname,
            id=f"notify-{secrets.token_hex(8)}",
            seconds=self.seconds(),
            about=verb,
        )
        delivery = self.store.begin(order.account)
        delivery.write(octets)
        stored = await self.store.deliver([delivery])
        await self.arrivals.tell(stored, Mail(octets, None))

    # What can be ordered

    @property
    def _verbs(self) -> dict[str, Callable[[Caller, list[str]], Awaitable[Sequence[str]]]]:
        return {
            "list": self._list,
            "add": self._add,
            "confirm": self._confirm,
            "remove": self._remove,
            "off": self._off,
            "on": self._on,
            "help": self._help,
        }

    async def _help(self, caller: Caller, words: list[str]) -> Sequence[str]:
        return HELP

    async def _list(self, caller: Caller, words: list[str]) -> Sequence[str]:
        documents = await self.office.of(caller)
        if not documents:
            return ("You are told by nothing yet.", "", *HELP)
        return [line for each in documents for line in (*_described(each), "")]

    async def _add(self, caller: Caller, words: list[str]) -> Sequence[str]:
        if len(words) < 2:
            raise bad("say by which channel and where to: add ntfy https://ntfy.example.com/my-topic")
        channel, target, *rest = words
        if channel in SECRET:
            raise bad(f"a {channel} has a secret, which is never sent by mail")
        wish: Document = {"channel": channel, "target": target.strip("<>")}
        if rest and rest[0].lower() in LEVELS:
            wish["level"] = rest[0].lower()
        made = (await self.office.subscribe(caller, wish)).document
        if made["state"] != "unverified":
            return ("You are told by this from now on:", "", *_described(made))
        if made["reason"]:
            return (*_described(made), "", "Nothing is sent there before that is mended.")
        return (*_described(made), "", "A code was sent there. Send it here as:", "", "  confirm CODE")

    async def _confirm(self, caller: Caller, words: list[str]) -> Sequence[str]:
        if not words:
            raise bad("say the code, too: confirm CODE")
        *named, code = words[:2]
        unverified = [each["id"] for each in await self.office.of(caller) if each["state"] == "unverified"]
        ids = named if named and named[0].startswith("sub_") else unverified
        if len(ids) != 1:
            raise bad("say which one: confirm ID CODE" if ids else "there is nothing to confirm")
        if ids is unverified:
            code = words[0]
        document = await self.office.confirm(caller, ids[0], code)
        return ("You are told by this from now on:", "", *_described(document))

    async def _remove(self, caller: Caller, words: list[str]) -> Sequence[str]:
        if not words:
            raise bad("say which one: remove ID")
        return ("This is removed:", "", *_described(await self.office.remove(caller, words[0])))

    async def _off(self, caller: Caller, words: list[str]) -> Sequence[str]:
        return await self._set(caller, words, "active", "paused")

    async def _on(self, caller: Caller, words: list[str]) -> Sequence[str]:
        return await self._set(caller, words, "paused", "active")

    async def _set(self, caller: Caller, words: list[str], before: str, after: str) -> Sequence[str]:
        """One, or all that are in the state *before*."""
        if words and words[0].startswith("sub_"):
            ids = [words[0]]
        else:
            ids = [each["id"] for each in await self.office.of(caller) if each["state"] == before]
        changed = [await self.office.change(caller, id, {"state": after}) for id in ids]
        if not changed:
            return (f"There is nothing {before}.",)
        return [line for each in changed for line in (*_described(each), "")]


def _order_in(*texts: str) -> tuple[str, list[str]]:
    """The verb and what follows, of the first of *texts* that begins with one; else help."""
    verbs = ("list", "add", "confirm", "remove", "off", "on", "help")
    for text in texts:
        words = _ANSWER.sub("", text, count=1).split()
        if words and words[0].lower() in verbs:
            return words[0].lower(), words[1:]
    return "help", []


def _described(each: Document) -> tuple[str, ...]:
    """A subscription, without what is secret of it."""
    name = f' "{each["name"]}"' if each["name"] else ""
    reason = f": {each['reason']}" if each["reason"] else ""
    return (
        f"{each['id']}{name}",
        f"  {each['channel']} to {each['host']}, tells: {each['told']}, {each['state']}{reason}",
    )
