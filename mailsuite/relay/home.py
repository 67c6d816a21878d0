"""Mail of the queue that is ours: what its sender has held back until now, and what was sent back here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery import trace
from mailsuite.delivery.arrivals import Arrivals, Mail
from mailsuite.delivery.envelope import is_for_several, led_on
from mailsuite.delivery.header import HeaderLimits
from mailsuite.delivery.passed import Passed
from mailsuite.delivery.transaction import Transaction
from mailsuite.delivery.ways import Routes
from mailsuite.interfaces import IDeliveries, IOutboundQueue
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope, OutboundRecipient
from mailsuite.model.facts import Copy, Route, RouteKind
from mailsuite.model.failure import MailFailure
from mailsuite.model.outbound import Fate, Lease, Outcome, QueuedMessage, QueuedRecipient, fate_of
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.policy.recipients import REFUSALS
from mailsuite.relay.content import Content


@attrs.frozen(eq=False)
class Home:
    """Delivers each recipient by itself, by the routes and quotas of the moment."""

    queue: IOutboundQueue
    store: IDeliveries
    router: Routes
    arrivals: Arrivals
    """Are told of what came into a maildrop."""
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    max_hops: Callable[[], int] = lambda: HeaderLimits().hops
    """Servers that a message has passed at most; with more it goes in a circle."""

    async def ours(self, lease: Lease) -> tuple[QueuedRecipient, ...]:
        """Recipients whose domain is ours by now. Fails as the router does."""
        known: dict[str, bool] = {}
        for each in lease.recipients:
            address = each.recipient.address
            if address.domain not in known:
                known[address.domain] = (await self.router.route(address)).kind is not RouteKind.REMOTE
        return tuple(each for each in lease.recipients if known[each.recipient.address.domain])

    async def bring(
        self,
        message: QueuedMessage,
        recipients: Iterable[QueuedRecipient],
        content: Content,
        outcomes: dict[int, Outcome],
    ) -> None:
        """Say in *outcomes* what became of each of these recipients. Raises nothing but its own cancellation,
        when the delivery that is under way has come to its end."""

        async def bring(recipient: QueuedRecipient) -> None:
            outcomes[recipient.number] = await self._bring(message, recipient, content)

        for each in recipients:
            await self._to_its_end(bring(each))

    async def _bring(self, message: QueuedMessage, recipient: QueuedRecipient, content: Content) -> Outcome:
        try:
            route = await self.router.route(recipient.recipient.address)
            refusal = REFUSALS.get(route.kind) or await self._circle(route, content)
            if refusal is not None:
                return self._outcome(refusal)
            await self._deliver(message, recipient, route, content)
            return self._outcome(replies.DELIVERED, onward=bool(route.remotes) and not is_for_several(route))
        except MailFailure as failure:
            return self._outcome(failure.reply)
        except Exception:
            self.log.failure("relay.failed", Failure(), id=message.id)
            return self._outcome(replies.INTERNAL_ERROR)

    async def _circle(self, route: Route, content: Content) -> Reply | None:
        """The refusal of what has been in one of these maildrops before, or has passed too many servers."""
        passed = Passed.of_message(await content.first())
        circles = passed.hops > self.max_hops() or any(
            passed.has_been_at(copy.recipient) for copy in route.copies
        )
        return replies.MAIL_LOOP if circles else None

    async def _deliver(
        self, message: QueuedMessage, recipient: QueuedRecipient, route: Route, content: Content
    ) -> None:
        named = recipient.recipient.address

        def head(copy: Copy) -> bytes:
            original = trace.original_to(named, copy.account)
            return trace.return_path(message.sender) + original + trace.delivered_to(copy.recipient)

        async with Transaction(self.store, self.log) as transaction:
            transaction.begin(route.copies, head)
            if route.remotes:
                sender = await self.router.passed_on_as(message.sender, named.domain)
                onward = self._onward(message, sender, recipient, route)
                transaction.begin_outbound(self.queue, onward, b"")
            content.rewind()
            while piece := await content.read():
                transaction.write(piece)
                await transaction.drained()
        stored = await transaction.commit()
        if stored:
            recipients = {copy.account: copy.recipient for copy in route.copies}
            mail = Mail(await content.first(), message.sender, message.account, recipients)
            await self.arrivals.tell(stored, mail)

    def _onward(
        self, message: QueuedMessage, sender: Address | None, recipient: QueuedRecipient, route: Route
    ) -> OutboundEnvelope:
        """To where an alias or a forward leads. The id is the same whenever this is tried again, so that it
        is in the queue once."""
        named, said = recipient.recipient.address, recipient.recipient.parameters
        parameters = led_on(said, named, is_for_several(route))
        return OutboundEnvelope(
            f"{message.id}-{recipient.number}",
            sender,
            tuple(OutboundRecipient(each, parameters) for each in route.remotes),
            message.parameters,
            message.account,
            self.seconds(),
            vouched=message.vouched,
        )

    def _outcome(self, reply: Reply, onward: bool = False) -> Outcome:
        """*onward*: somebody elsewhere gets it in the place of the recipient, and what they say is told."""
        fate = fate_of(reply, Fate.RELAYED if onward else Fate.DELIVERED)
        return Outcome(fate, reply, at=self.seconds(), notices_passed_on=onward)

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for the end of *work*. Who is cancelled meanwhile hears of it then: a delivery that nobody has
        seen the end of would be repeated."""
        tasks = Tasks(lambda failure: self.log.failure("relay.failed", failure))
        tasks.start(work)
        cancelled = None
        while len(tasks):
            try:
                await tasks.finished()
            except CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
