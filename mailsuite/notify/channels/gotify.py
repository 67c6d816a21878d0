"""Gotify: a message of an application of the user's own server."""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.model.subscription import Subscription
from mailsuite.notify.channels.posting import asked, read_target
from mailsuite.notify.channels.service import Request, json_request, one_line
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget
from mailsuite.notify.wording import Words

MAX_TITLE, MAX_TEXT = 250, 2000
"""Characters; our own limit."""
PRIORITIES: Final = {"very-low": 0, "low": 2, "normal": 5, "high": 8}


@attrs.frozen
class Gotify:
    """``target`` is the URL of the server; option ``token`` is the application's."""

    name: str = attrs.field(default="gotify", init=False)

    def prepare(self, subscription: Subscription, rules: UrlRules) -> Subscription:
        options = asked(subscription, needed=("token",))
        one_line("options.token", options["token"])
        target = read_target("target", subscription.target, rules)
        if "?" in target.path:
            raise ValueError("target: write the URL of the server alone; the token is an option")
        path = target.path.rstrip("/").removesuffix("/message") + "/message"
        target = attrs.evolve(target, path=path)
        return attrs.evolve(subscription, target=target.url, target_key=target.key, secrets=())

    def request(self, subscription: Subscription, target: WebTarget, told: Words, at: float) -> Request:
        told = told.cut(MAX_TITLE, MAX_TEXT)
        return json_request(
            target,
            {"X-Gotify-Key": subscription.options["token"]},
            {
                "title": told.title,
                "message": told.text,
                "priority": PRIORITIES.get(subscription.urgency, 5),
                "extras": {"client::display": {"contentType": "text/plain"}},
            },
        )
