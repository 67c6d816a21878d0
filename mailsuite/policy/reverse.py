"""Forward-confirmed reverse DNS: the name that an address has, where the name has the address, too."""

from __future__ import annotations

import enum
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime

from mailsuite.interfaces import IResolver
from mailsuite.model.account import IPAddress
from mailsuite.model.failure import MailFailure

MAX_NAMES: Final = 10
"""Names of one address that are tried (the figure of RFC 7208 section 4.6.4)."""
BUDGET: Final = 5.0
"""Seconds for all of it."""


class Iprev(enum.Enum):
    """RFC 8601 section 2.7.3; the values are the words of Authentication-Results."""

    PASS = "pass"  # noqa: S105 - a word of the RFC
    FAIL = "fail"
    """There are names, and none of them has the address."""
    TEMPERROR = "temperror"
    PERMERROR = "permerror"
    """The address has no name."""


@attrs.frozen
class Confirmation:
    """What became of the check."""

    result: Iprev
    name: str = ""
    """The confirmed name; empty but for PASS."""
    claimed: str = ""
    """The first name that was found, confirmed or not: the owner of the address can write anything."""


async def confirm(
    resolver: IResolver, peer: IPAddress, clock: IReactorTime, budget: float = BUDGET
) -> Confirmation:
    """Look for a name of *peer* that has *peer*, for *budget* seconds at the most (RFC 8601 section 3).

    Whatever the DNS does is a result; nothing but a cancellation is raised for it.
    """
    search = _Search(resolver, peer)
    try:
        return await Deferred.fromCoroutine(search.run()).addTimeout(max(budget, 0.0), clock)
    except DeferredTimeout:
        return Confirmation(Iprev.TEMPERROR, claimed=search.claimed)


async def confirmed_name(resolver: IResolver, peer: IPAddress, clock: IReactorTime) -> str:
    """The confirmed name, empty where there is none or none can be known."""
    return (await confirm(resolver, peer, clock)).name


@attrs.define
class _Search:
    resolver: IResolver
    peer: IPAddress
    claimed: str = ""

    async def run(self) -> Confirmation:
        try:
            names = (await self.resolver.names(self.peer)).records[:MAX_NAMES]
        except MailFailure:
            return Confirmation(Iprev.TEMPERROR)
        if not names:
            return Confirmation(Iprev.PERMERROR)
        self.claimed = names[0]
        result = Iprev.FAIL
        for name in names:
            try:
                found = await self.resolver.addresses(name, self.peer.version)
            except MailFailure:
                result = Iprev.TEMPERROR  # it may be this one
                continue
            if self.peer in found.records:
                return Confirmation(Iprev.PASS, name, self.claimed)
        return Confirmation(result, claimed=self.claimed)
