"""Recipient -> route: whose maildrops, elsewhere, or nowhere.

Only the account directory says what is local. The local part is never taken apart for a way to other servers:
no percent hack, no bang path, no source route (RFC 5321 sections 3.6.1 and C), so there is nothing in it to
relay by. What a name stands for is routing_names.py's, where that leads in the end routing_walk.py's.

No message is lost on the way by aliases and forwards (features rows L-03 to L-05, L-09, S-A12):

- Whoever can be reached gets one copy, however many ways lead there.
- Where a way goes in a circle, is too long, or ends at somebody who is unknown, off, or elsewhere while
  nobody sends mail there, the message goes to all others; ``dead_end`` says who leads to nobody.
- Where nobody is left, the recipient is refused for now: the sender keeps the message, and hears of it if
  nobody mends the way for days.
"""

from __future__ import annotations

import attrs

from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.delivery.routing_names import Names, RoutingRules
from mailsuite.delivery.routing_walk import Walk
from mailsuite.delivery.routing_words import Words
from mailsuite.delivery.srs import SenderRewriting
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.facts import Route, RouteKind
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import EXPANSION_TOO_LONG
from mailsuite.model.turns import Turn, go_on

__all__ = ["Router", "RoutingRules"]


@attrs.frozen
class Router:
    """Routes by what the directory holds at this moment.

    *admin* reads the mail of the roles that have no account and no alias of their own
    (docs/adr/0010-role-addresses.md); *hostname* is the domain of the bare ``<postmaster>``. Without *limits*
    a catch-all takes all that comes.
    """

    directory: IAccountDirectory
    hostname: str
    admin: Address | None = None
    rules: RoutingRules = attrs.field(factory=RoutingRules)
    limits: CatchAllLimits | None = None
    turn: Turn = go_on
    """Between the steps of a long way."""
    rewriting: SenderRewriting | None = None
    """None: senders stay, and none comes back."""

    async def route(self, recipient: Address) -> Route:
        """Where mail for *recipient* goes; one more for a catch-all counts. Fails as the directory does, and
        raises TemporaryFailure where the recipient leads to more addresses than one may."""
        return await self._walk(recipient, self.limits, None)

    async def explain(self, recipient: Address) -> Route:
        """The same with all steps, and nothing counts. Fails as the directory does alone."""
        words = Words()
        try:
            route = await self._walk(recipient, None, words)
        except TemporaryFailure as failure:
            if failure.reply is not EXPANSION_TOO_LONG:
                raise
            words.say(failure.reason)
            route = Route(RouteKind.LOOP, dead_end=recipient)
        return attrs.evolve(route, steps=words.steps)

    async def passed_on_as(self, sender: Address | None, domain: str) -> Address | None:
        """The reverse-path of what an address in *domain* leads to another server: another one where that
        domain is ours, and the sender's is not. Fails as the directory does."""
        if sender is None or self.rewriting is None or not self.rules.rewrites:
            return sender
        if not await self._is_ours(domain) or await self._is_ours(sender.domain):
            return sender
        return self.rewriting.rewritten(sender, domain)

    async def _is_ours(self, domain: str) -> bool:
        return bool(domain) and await self.directory.domain(domain) is not None

    async def _walk(self, recipient: Address, limits: CatchAllLimits | None, words: Words | None) -> Route:
        names = Names(self.directory, self.rules, self.admin, limits, self.rewriting)
        bare = recipient.canonical == POSTMASTER
        if bare:
            recipient = Address(recipient.local, self.hostname)
        return await Walk(names, words, self.turn).route(recipient, bare)
