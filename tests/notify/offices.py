"""A channel and a desk that write down what they are to do: what an office needs around it."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.notice import Level, Notice
from mailsuite.model.subscription import Attempt, ChannelTerms, Subscription

NOON = 1_700_000_000.0
TERMS = ChannelTerms(Level.SENDER, 5.0, each=False, retries=(), lifetime=90 * 86400.0)


@implementer(INotifyChannel)
@attrs.define
class Hook:
    """A channel that remembers what it sent."""

    name: str = "hook"
    terms: ChannelTerms = TERMS
    sent: list[str] = attrs.field(factory=list)
    answers: bool = False
    """The target gives the code back at once."""
    fails: Exception | None = None
    waits: Deferred[None] | None = None

    def prepare(self, subscription: Subscription, by_admin: bool = False) -> Subscription:
        if subscription.target == "https://a.example/hook/for-administrators" and not by_admin:
            raise ValueError("target: only an administrator chooses that")
        if not subscription.target.startswith("https://"):
            raise ValueError("target: expected a URL that begins with https://")
        secrets = (b"k" * 24,)
        return attrs.evolve(subscription, target_key="a.example:443", secrets=secrets)

    async def tell(self, subscription: Subscription, notice: Notice) -> int:
        raise NotImplementedError

    async def verify(self, subscription: Subscription, code: str) -> bool:
        self.sent.append(code)
        if self.waits is not None:
            await self.waits
        if self.fails is not None:
            raise self.fails
        return self.answers

    async def stop(self) -> None:
        raise NotImplementedError


@attrs.define
class Desk:
    """Writes down what is to be told."""

    told: list[tuple[str, int]] = attrs.field(factory=list)

    async def tell_now(self, id: str) -> Attempt:
        self.told.append((id, 0))
        return Attempt(id, 0, NOON, 0.038, "ok", 200)

    async def replay(self, id: str, seq: int) -> Attempt:
        self.told.append((id, seq))
        return Attempt(id, seq, NOON, 0.038, "ok", 200)
