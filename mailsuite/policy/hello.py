"""Whether a client is who it says in HELO or EHLO (rows S-A19, M-26)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from typing import ClassVar, Final, Literal

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule, IResolver
from mailsuite.model.account import IPAddress
from mailsuite.model.device import IPNetwork
from mailsuite.model.facts import Accept, ConnectionFacts, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import HELLO_IS_OURS, HELLO_MISMATCH
from mailsuite.observe.log import Log
from mailsuite.policy.reverse import BUDGET

JUDGED_SERVICE: Final = "smtp"
"""Other servers alone; what users' programs and our own parts say in HELO means nothing."""

OnMismatch = Literal["off", "log", "reject"]


@attrs.frozen
class HelloRules:
    """What the configuration says."""

    on_mismatch: OnMismatch = "log"
    reject_own_name: bool = True
    own_names: frozenset[str] = frozenset()
    """Ours, in lower case."""
    trusted: tuple[IPNetwork, ...] = ()
    """Who may say anything: this machine, and the networks that we relay for."""


@implementer(IPolicyRule)
@attrs.frozen
class Hello:
    """Refuses, if it is to, who takes our own name or address, or one that does not belong to its own.

    A name belongs to the client where it has the client's address; the confirmed name of the address
    (policy/reverse.py) is such a name, and is not looked for again. What the domain name system cannot tell
    within *budget* seconds counts in favour of the client. RFC 5321 section 4.1.4 allows to look, and to
    refuse nobody for it: so a mismatch is logged, unless the rules say otherwise.
    """

    resolver: IResolver
    clock: IReactorTime
    log: Log
    rules: HelloRules = HelloRules()
    own_addresses: Callable[[], Collection[IPAddress]] = frozenset
    """Those of this machine that are known here; those that our names have are looked up."""
    budget: float = BUDGET
    name: str = "hello"
    asked_at: ClassVar = frozenset({Stage.HELLO})

    async def check(self, facts: StageFacts) -> Verdict:
        client = facts.connection
        if facts.stage is not Stage.HELLO or not client.helo or self._is_spared(client):
            return Accept()
        try:
            judging = Deferred.fromCoroutine(self._judge(client))
            return await judging.addTimeout(self.budget, self.clock)
        except (DeferredTimeout, MailFailure):
            return Accept()

    def _is_spared(self, client: ConnectionFacts) -> bool:
        return (
            client.service != JUDGED_SERVICE
            or client.account is not None
            or client.peer in self.own_addresses()
            or any(client.peer in network for network in self.rules.trusted)
        )

    async def _judge(self, client: ConnectionFacts) -> Verdict:
        """Raises MailFailure where the domain name system cannot tell."""
        rules = self.rules
        name = client.helo.removesuffix(".").lower()
        literal = address_in(name)
        if literal == client.peer:
            return Accept()
        if rules.reject_own_name and await self._is_ours(name, literal):
            self._tell("smtp.hello_own_name", client)
            return Refuse(HELLO_IS_OURS)
        if rules.on_mismatch == "off" or await self._belongs(name, literal, client):
            return Accept()
        self._tell("smtp.hello_mismatch", client, refused=rules.on_mismatch == "reject")
        return Refuse(HELLO_MISMATCH) if rules.on_mismatch == "reject" else Accept()

    async def _is_ours(self, name: str, literal: IPAddress | None) -> bool:
        if literal is None:
            return name in self.rules.own_names
        if literal in self.own_addresses():
            return True
        for own in sorted(self.rules.own_names):
            try:
                if literal in (await self.resolver.addresses(own, literal.version)).records:
                    return True
            except MailFailure:
                continue
        return False

    async def _belongs(self, name: str, literal: IPAddress | None, client: ConnectionFacts) -> bool:
        if literal is not None:
            return False  # the client's own was let pass before
        if name == client.host:
            return True
        return client.peer in (await self.resolver.addresses(name, client.peer.version)).records

    def _tell(self, event: str, client: ConnectionFacts, **fields: object) -> None:
        self.log.info(
            event,
            session=client.session,
            listener=client.listener,
            peer=client.peer,
            helo=client.helo,
            host=client.host,
            **fields,
        )


def address_in(helo: str) -> IPAddress | None:
    """The address that a client introduced itself by: a literal of RFC 5321 section 4.1.3, or what many
    write for it, without brackets or without the tag. None where it is a name, or no address after all."""
    text = helo.lower()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        address = ipaddress.ip_address(text.removeprefix("ipv6:"))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
