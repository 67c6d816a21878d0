"""ntfy (ntfy.sh, or a server of one's own): publishing as JSON."""

from __future__ import annotations

import re
from typing import Final

import attrs

from mailsuite.model.subscription import Subscription
from mailsuite.notify.channels.posting import asked, read_target
from mailsuite.notify.channels.service import Request, json_request, one_line
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget
from mailsuite.notify.wording import Words

MAX_TITLE, MAX_TEXT = 250, 1000
"""Characters; of the message ntfy takes 4096 octets, which is four for each character."""
PRIORITIES: Final = {"very-low": 1, "low": 2, "normal": 3, "high": 5}
_PATH: Final = re.compile(r"(?P<before>/(?:[^?]*/)?)(?P<topic>[A-Za-z0-9_-]{1,64})")


@attrs.frozen
class Ntfy:
    """``target`` is the URL of the topic; option ``token`` lets us in where the topic is not open to all."""

    name: str = attrs.field(default="ntfy", init=False)

    def prepare(self, subscription: Subscription, rules: UrlRules) -> Subscription:
        options = asked(subscription, "token")
        one_line("options.token", options.get("token", ""))
        target = read_target("target", subscription.target, rules)
        if not _PATH.fullmatch(target.path):
            raise ValueError("target: write the URL of a topic, like https://ntfy.example.net/my-topic")
        return attrs.evolve(subscription, target=target.url, target_key=target.key, secrets=())

    def request(self, subscription: Subscription, target: WebTarget, told: Words, at: float) -> Request:
        path = _PATH.fullmatch(target.path)
        before, topic = ("/", "") if path is None else path.group("before", "topic")
        told = told.cut(MAX_TITLE, MAX_TEXT)
        token = subscription.options.get("token", "")
        return json_request(
            attrs.evolve(target, path=before),
            {"Authorization": f"Bearer {token}"} if token else {},
            {
                "topic": topic,
                "title": told.title,
                "message": told.text,
                "priority": PRIORITIES.get(subscription.urgency, 3),
                "tags": ["email"],
            },
        )
