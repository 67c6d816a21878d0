"""What ntfy, Gotify and Pushover share: each is told a title and a text in a form of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs
from zope.interface import implementer

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.notice import Level, Notice
from mailsuite.model.subscription import ChannelTerms, Subscription
from mailsuite.notify.channels.posting import Told, settled_for_good, still_allowed
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget
from mailsuite.notify.wording import Words, words

RETRIES: Final = (5.0, 60.0, 600.0, 3600.0)
WINDOW: Final = 10.0
"""Seconds: phones buzz for each, and ntfy lets a visitor send one in five seconds."""
TERMS: Final = ChannelTerms(Level.PREVIEW, WINDOW, each=False, retries=RETRIES)
VERIFIED_BY: Final = (
    "Notices of new mail are to be shown here. If you asked for that, confirm with this code:"
)


@attrs.frozen
class Request:
    """What is posted."""

    target: WebTarget
    fields: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class Form(Protocol):
    """How one service wants it."""

    @property
    def name(self) -> str:
        """As in subscriptions."""

    def prepare(self, subscription: Subscription, rules: UrlRules) -> Subscription:
        """As INotifyChannel.prepare()."""

    def request(self, subscription: Subscription, target: WebTarget, told: Words, at: float) -> Request:
        """What is posted to have *told* shown, of something that happened at that time."""


@implementer(INotifyChannel)
@attrs.define(eq=False)
class ServiceChannel:
    """Tells a service that shows texts on the user's devices."""

    told: Told
    form: Form
    terms: ChannelTerms = attrs.field(default=TERMS, init=False)

    @property
    def name(self) -> str:
        return self.form.name

    def prepare(self, subscription: Subscription, by_admin: bool = False) -> Subscription:
        return self.form.prepare(subscription, self.told.rules())

    async def tell(self, subscription: Subscription, notice: Notice) -> int:
        return await self._show(subscription, words(notice), notice.at)

    async def verify(self, subscription: Subscription, code: str) -> bool:
        asking = Words("Confirm notices of new mail", f"{VERIFIED_BY} {code}")
        await self._show(subscription, asking, self.told.now())
        return False

    async def stop(self) -> None:
        """The connections are not this one's."""

    async def _show(self, subscription: Subscription, told: Words, at: float) -> int:
        target = still_allowed(subscription.target, self.told.rules())
        request = self.form.request(subscription, target, told, at)
        return settled_for_good(await self.told.posts.post(request.target, request.fields, request.body))


def json_request(target: WebTarget, fields: Mapping[str, str], value: Mapping[str, Any]) -> Request:
    """A request whose body is JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Request(target, {"Content-Type": "application/json", **fields}, body)


def one_line(field: str, value: str) -> str:
    """A token as a header may carry it. Raises ValueError, which shows nothing of it."""
    if not value.isascii() or not value.isprintable() or " " in value or len(value) > 512:
        raise ValueError(f"{field}: it may have visible ASCII characters alone, 512 at most")
    return value
