"""What the channels over HTTPS share: where to, and what an answer means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import attrs

from mailsuite.model.failure import TargetGone, TellingFailed, TellingRefused
from mailsuite.model.subscription import Subscription
from mailsuite.notify.outgoing.client import Response
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget, web_target

GONE: Final = 410
NOT_FOUND: Final = 404
TOO_MANY: Final = 429
_WAITS: Final = frozenset({408, 425, TOO_MANY})
"""Client errors that pass (RFC 9110 section 15.5, RFC 8470 section 5.2, RFC 6585 section 4)."""


class Posts(Protocol):
    """What posts: bounded in time and octets, to addresses that may be connected to. Raises TellingFailed
    and TellingRefused."""

    async def post(self, target: WebTarget, fields: Mapping[str, str], body: bytes) -> Response: ...


Rules = Callable[[], UrlRules]
"""Those in force whenever they are asked for."""


def read_target(field: str, url: str, rules: UrlRules) -> WebTarget:
    """Raises ValueError, which names the field."""
    try:
        return web_target(url, rules)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def still_allowed(url: str, rules: UrlRules) -> WebTarget:
    """The target of a subscription, judged once more: the rules may have changed. Raises TellingRefused."""
    try:
        return web_target(url, rules)
    except ValueError as error:
        raise TellingRefused(str(error)) from None


def settled(response: Response) -> int:
    """The status where the other side took it. Raises TargetGone for 410; TellingFailed for all else, a
    redirect too: what a receiver says of one notice need not hold for the next try."""
    status = response.status
    if 200 <= status < 300:
        return status
    if status == GONE:
        raise TargetGone("http 410", status)
    raise TellingFailed(f"http {status}", status, response.retry_after)


def settled_for_good(response: Response) -> int:
    """As settled(), for services that know what they say: a client error but those that pass will be the same
    the next time. Raises TellingRefused for it."""
    status = response.status
    if 400 <= status < 500 and status not in _WAITS:
        if status == GONE:
            raise TargetGone("http 410", status)
        raise TellingRefused(f"http {status}", status)
    return settled(response)


def asked(subscription: Subscription, *known: str, needed: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The options of a subscription. Raises ValueError for one that the channel does not know, and for one
    that it needs and that is missing."""
    options = subscription.options
    for name in options:
        if name not in known and name not in needed:
            raise ValueError(f"options.{name}: {subscription.channel} has no such option")
    for name in needed:
        if not options.get(name):
            raise ValueError(f"options.{name}: {subscription.channel} needs it")
    return options


@attrs.frozen
class Told:
    """What all of these channels are made with."""

    posts: Posts
    rules: Rules
    now: Callable[[], float]
    """Seconds since the epoch."""
    random: Callable[[int], bytes]
    """So many random octets, good for keys."""
