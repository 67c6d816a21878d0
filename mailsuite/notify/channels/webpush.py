"""Web Push: the notice encrypted for the browser or phone that asked for it (RFC 8030, 8291, 8292).

UnifiedPush endpoints are such ones, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from cryptography.hazmat.primitives.asymmetric import ec
from zope.interface import implementer

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.failure import TargetGone
from mailsuite.model.notice import Kind, Level, Notice
from mailsuite.model.subscription import ChannelTerms, Subscription
from mailsuite.notify.channels.posting import (
    NOT_FOUND,
    Told,
    asked,
    read_target,
    settled_for_good,
    still_allowed,
)
from mailsuite.notify.outgoing.client import Response
from mailsuite.notify.outgoing.targets import WebTarget
from mailsuite.wire.notice import encode, push_topic, verification
from mailsuite.wire.vapid import REUSED, authorization
from mailsuite.wire.webpush import SALT, Receiver, Urgency, encrypt, request_fields

RETRIES: Final = (5.0, 60.0, 600.0)
LIFETIME: Final = 7 * 86_400.0
"""Seconds; renewed by whoever uses it. RFC 8620 section 7.2 wants two days at the least."""
KEPT: Final = 2 * 86_400
"""Seconds that the push service keeps a notice for a device that is off."""
CLEARED_KEPT: Final = 3600
KEY_OCTETS: Final = 32
MAX_TOKENS: Final = 1000
"""Origins whose token is remembered."""


@implementer(INotifyChannel)
@attrs.define(eq=False)
class WebPushChannel:
    """Of a subscription: ``target`` is the endpoint, the options ``p256dh`` and ``auth`` are the receiver's
    keys in base64url, ``secrets`` one key of ours, for the topic."""

    told: Told
    key: Callable[[], ec.EllipticCurvePrivateKey]
    """The server's own (RFC 8292)."""
    contact: Callable[[], str]
    """Whom a push service may complain to: ``mailto:`` or ``https:``."""
    name: str = attrs.field(default="webpush", init=False)
    terms: ChannelTerms = attrs.field(
        default=ChannelTerms(
            Level.PREVIEW, 5.0, each=False, retries=RETRIES, suspends=False, lifetime=LIFETIME
        ),
        init=False,
    )
    _tokens: dict[tuple[str, str], tuple[float, str]] = attrs.field(factory=dict, init=False, repr=False)
    """By origin and contact: when it was made, and the value of Authorization."""

    def prepare(self, subscription: Subscription, by_admin: bool = False) -> Subscription:
        options = asked(subscription, needed=("p256dh", "auth"))
        try:
            Receiver.parse(options["p256dh"], options["auth"])
        except ValueError as error:
            raise ValueError(f"options.{error}") from None
        target = read_target("target", subscription.target, self.told.rules())
        return attrs.evolve(
            subscription,
            target=target.url,
            target_key=target.key,
            secrets=(self.told.random(KEY_OCTETS),),
        )

    async def tell(self, subscription: Subscription, notice: Notice) -> int:
        kept = CLEARED_KEPT if notice.kind is Kind.MAIL_CLEARED else KEPT
        topic = push_topic(subscription.secrets[0])
        return await self._push(subscription, encode(notice), kept, topic)

    async def verify(self, subscription: Subscription, code: str) -> bool:
        await self._push(subscription, verification(code), CLEARED_KEPT, "")
        return False

    async def stop(self) -> None:
        """The connections are not this one's."""

    async def _push(self, subscription: Subscription, text: bytes, kept: int, topic: str) -> int:
        target = still_allowed(subscription.target, self.told.rules())
        options = subscription.options
        receiver = Receiver.parse(options["p256dh"], options["auth"])
        body = encrypt(text, receiver, ec.generate_private_key(ec.SECP256R1()), self.told.random(SALT))
        fields = {
            **request_fields(ttl=kept, urgency=Urgency(subscription.urgency), topic=topic),
            "Authorization": self._authorization(target),
        }
        return _settled(await self.told.posts.post(target, fields, body))

    def _authorization(self, target: WebTarget) -> str:
        """One for all endpoints of an origin: making it costs more than all the rest."""
        now, which = self.told.now(), (target.origin, self.contact())
        made, value = self._tokens.pop(which, (0.0, ""))
        if not 0 <= now - made < REUSED:
            made, value = now, authorization(self.key(), target.url, subject=which[1], now=int(now))
        self._tokens[which] = (made, value)
        if len(self._tokens) > MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        return value


def _settled(response: Response) -> int:
    """404 is as final as 410 (RFC 8030 section 7.3)."""
    if response.status == NOT_FOUND:
        raise TargetGone("http 404", NOT_FOUND)
    return settled_for_good(response)
