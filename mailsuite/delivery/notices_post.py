"""How what this server writes by itself gets to its readers: by the router and a transaction, like any other
mail, from the null reverse-path."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery import trace
from mailsuite.delivery.arrivals import Arrivals, Mail
from mailsuite.delivery.dsn import Notice
from mailsuite.delivery.shield import to_its_end
from mailsuite.delivery.transaction import Transaction
from mailsuite.delivery.ways import Routes
from mailsuite.interfaces import IDeliveries, IOutboundQueue
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope, OutboundRecipient, RecipientParameters
from mailsuite.model.facts import Copy, Route, RouteKind
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import FORWARDING_STRANDED, NO_REMOTE_DELIVERY, UNKNOWN_RECIPIENT
from mailsuite.observe.log import Log

_NEVER = RecipientParameters(frozenset({NotifyOn.NEVER}))
"""For what ends here, whatever becomes of it: nobody is told that it has failed."""


def _sends() -> bool:
    """Usually it does."""
    return True


@attrs.frozen
class Post:
    """Sends notices and letters."""

    queue: IOutboundQueue
    store: IDeliveries
    """Without quotas: that mail was not delivered must be said also to who has a full maildrop."""
    router: Routes
    hostname: str
    seconds: Callable[[], float]
    """Since the epoch."""
    tasks: Tasks
    """Owns commits under way; they outlive whoever waits for them."""
    log: Log
    arrivals: Arrivals
    """Are told of what came into a maildrop."""
    sends: Callable[[], bool] = _sends
    """Whether mail leaves for other servers at all."""

    async def send(self, to: Address, write: Callable[[bool], Notice], last: bool = False) -> Notice:
        """Send what *write* makes, which is told whether all servers on the way are ours; answers it when it
        is durable.

        *last*: whatever becomes of it then, nobody is told. Raises PermanentFailure where *to* leads to
        nobody, and fails as router, store and queue do.
        """
        route = _checked(await self.router.route(self._named(to)))
        if route.remotes and not self.sends():
            raise PermanentFailure(NO_REMOTE_DELIVERY)
        notice = write(not route.remotes)
        await to_its_end(self._deliver(notice, route, last), self.tasks)
        return notice

    async def is_ours(self, address: Address) -> bool:
        """Whether somebody of ours stands behind the address; whoever sent what we forwarded is not. Fails as
        the router does."""
        route = await self.router.route(self._named(address))
        return route.kind is RouteKind.LOCAL and not route.returns

    def _named(self, to: Address) -> Address:
        """As the router knows it: our host's name need not be a domain of ours, and has a postmaster."""
        return POSTMASTER if to == Address(POSTMASTER.local, self.hostname) else to

    async def _deliver(self, notice: Notice, route: Route, last: bool) -> None:
        async with Transaction(self.store, self.log) as transaction:
            transaction.begin(route.copies, lambda copy: _head(notice, copy))
            if route.remotes:
                transaction.begin_outbound(self.queue, self._envelope(notice, route, last), b"")
            transaction.write(notice.content)
            await transaction.drained()
        stored = await transaction.commit()
        if stored:
            await self.arrivals.tell(stored, Mail(notice.content, None))

    def _envelope(self, notice: Notice, route: Route, last: bool) -> OutboundEnvelope:
        recipients = tuple(
            OutboundRecipient(each, _NEVER) if last else OutboundRecipient(each) for each in route.remotes
        )
        return OutboundEnvelope(notice.id, None, recipients, notice.parameters, arrived=self.seconds())


def _checked(route: Route) -> Route:
    """Where it can go; raises where there is no way, or none for now."""
    if route.copies or route.remotes:
        return route
    if route.kind in (RouteKind.UNKNOWN, RouteKind.OFF):
        raise PermanentFailure(UNKNOWN_RECIPIENT)
    raise TemporaryFailure(FORWARDING_STRANDED)


def _head(notice: Notice, copy: Copy) -> bytes:
    return (
        trace.return_path(None)
        + trace.original_to(notice.to, copy.account)
        + trace.delivered_to(copy.recipient)
    )
