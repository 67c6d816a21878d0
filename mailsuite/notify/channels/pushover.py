"""Pushover: a message to the devices of one of its users (https://pushover.net/api)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

import attrs

from mailsuite.model.subscription import Subscription
from mailsuite.notify.channels.posting import asked, read_target
from mailsuite.notify.channels.service import Request
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget
from mailsuite.notify.wording import Words

URL: Final = "https://api.pushover.net/1/messages.json"
MAX_TITLE, MAX_TEXT = 250, 1024
"""Characters, by its API."""
PRIORITIES: Final = {"very-low": -2, "low": -1, "normal": 0, "high": 1}
_KEY: Final = re.compile(r"[A-Za-z0-9]{30}")
_DEVICE: Final = re.compile(r"[A-Za-z0-9_-]{1,25}(?:,[A-Za-z0-9_-]{1,25})*")


@attrs.frozen
class Pushover:
    """Options: ``user`` is the key of a user or group, ``device`` names some of its devices, ``token`` is of
    an application other than the server's own. ``target`` stays empty."""

    token: Callable[[], str] = str
    """The server's own; empty: it has none."""
    url: str = URL
    name: str = attrs.field(default="pushover", init=False)

    def prepare(self, subscription: Subscription, rules: UrlRules) -> Subscription:
        own = ("token",) if not self.token() else ()
        options = asked(subscription, "device", "token", needed=("user", *own))
        for name in options.keys() & {"token", "user"}:
            if not _KEY.fullmatch(options[name]):
                raise ValueError(f"options.{name}: a key of Pushover has 30 letters and digits")
        if options.get("device") and not _DEVICE.fullmatch(options["device"]):
            raise ValueError("options.device: names of devices with commas between them")
        if subscription.target not in ("", self.url):
            raise ValueError("target: leave it empty; Pushover has one address for all")
        target = read_target("target", self.url, rules)
        return attrs.evolve(subscription, target=target.url, target_key=target.key, secrets=())

    def request(self, subscription: Subscription, target: WebTarget, told: Words, at: float) -> Request:
        told = told.cut(MAX_TITLE, MAX_TEXT)
        options = subscription.options
        form = {
            "token": options.get("token") or self.token(),
            "user": options["user"],
            "title": told.title,
            "message": told.text,
            "timestamp": int(at),
            "priority": PRIORITIES.get(subscription.urgency, 0),
            **({"device": options["device"]} if options.get("device") else {}),
        }
        body = urlencode(form, errors="replace").encode("ascii")
        return Request(target, {"Content-Type": "application/x-www-form-urlencoded"}, body)
