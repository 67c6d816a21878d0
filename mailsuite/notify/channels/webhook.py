"""Webhooks: the notice as JSON, signed by Standard Webhooks (wire/webhook.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, Final

import attrs
from zope.interface import implementer

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.notice import Level, Notice
from mailsuite.model.subscription import ChannelTerms, Subscription
from mailsuite.notify.channels.posting import Told, asked, read_target, settled, still_allowed
from mailsuite.notify.outgoing.client import Response
from mailsuite.wire.http_client import encode_post
from mailsuite.wire.notice import TEMPLATE_NAMES, encode, template_values, verification
from mailsuite.wire.templates import Template
from mailsuite.wire.webhook import ID, SIGNATURE, TIMESTAMP, Secret, signed_fields

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
RETRIES: Final = (
    5.0,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
"""The schedule that Standard Webhooks recommends: three days and three hours in all."""
LIFETIME = 90 * DAY
SECRET_OCTETS: Final = 32
JSON: Final = "application/json"
MODES: Final = ("each", "latest")
MAX_FIELDS: Final = 10
MAX_VALUE: Final = 512
"""Characters of the value of a field."""
MAX_BODY: Final = 4096
"""Octets of what a template gives."""
_HEADER: Final = "header."
_SIGNED: Final = frozenset({ID, TIMESTAMP, SIGNATURE})


@implementer(INotifyChannel)
@attrs.define(eq=False)
class WebhookChannel:
    """Of a subscription: ``target`` is the URL, ``secrets`` the keys, the newest first.

    Option ``secret`` is a key that its owner brings along, else one is made. ``template`` is the body in a
    form of the receiver's own (wire/templates.py, values escaped as in a string of JSON), ``content_type``
    what that is; ``header.<name>`` are further fields of the request, ``header.Authorization`` say.
    ``mode`` is "each", a notice for each message in order, or "latest", the newest for all before it.
    """

    told: Told
    name: str = attrs.field(default="webhook", init=False)
    terms: ChannelTerms = attrs.field(
        default=ChannelTerms(Level.PREVIEW, 0.0, each=True, retries=RETRIES, buries=True, lifetime=LIFETIME),
        init=False,
    )

    def prepare(self, subscription: Subscription, by_admin: bool = False) -> Subscription:
        options = dict(subscription.options)
        own_fields = _own_fields(options)
        asked(subscription, "secret", "mode", "template", "content_type", *map(_HEADER.__add__, own_fields))
        _check(own_fields, options)
        if options.get("mode", "each") not in MODES:
            raise ValueError(f"options.mode: expected one of {', '.join(MODES)}")
        target = read_target("target", subscription.target, self.told.rules())
        own = options.pop("secret", "")
        secret = Secret.parse(own) if own else Secret(self.told.random(SECRET_OCTETS))
        return attrs.evolve(
            subscription,
            target=target.url,
            target_key=target.key,
            secrets=(secret.octets,),
            options=options,
        )

    async def tell(self, subscription: Subscription, notice: Notice) -> int:
        template = subscription.options.get("template")
        body = _filled(template, notice) if template else encode(notice)
        return settled(await self._post(subscription, notice.id, body, _own_fields(subscription.options)))

    async def verify(self, subscription: Subscription, code: str) -> bool:
        own_fields = _own_fields(subscription.options) | {"Content-Type": JSON}
        response = await self._post(subscription, f"verify_{subscription.id}", verification(code), own_fields)
        settled(response)
        return gave_back(response, code)

    async def stop(self) -> None:
        """The connections are not this one's."""

    async def _post(
        self, subscription: Subscription, id: str, body: bytes, own_fields: Mapping[str, str]
    ) -> Response:
        target = still_allowed(subscription.target, self.told.rules())
        secrets = [Secret(octets) for octets in subscription.secrets]
        fields = {**own_fields, **signed_fields(secrets, id, int(self.told.now()), body)}
        return await self.told.posts.post(target, fields, body)


def _own_fields(options: Mapping[str, str]) -> dict[str, str]:
    """The fields that the options ask for, and what the body is."""
    named = {name.removeprefix(_HEADER): value for name, value in options.items() if name.startswith(_HEADER)}
    return {"Content-Type": options.get("content_type", JSON), **named}


def _check(own_fields: Mapping[str, str], options: Mapping[str, str]) -> None:
    """Raises ValueError where they cannot be sent, or the template cannot be read."""
    names = [name.lower() for name in own_fields]
    if len(set(names)) < len(names) or not _SIGNED.isdisjoint(names):
        raise ValueError("options.header: each field once, and none that the signature or the body needs")
    if len(names) > MAX_FIELDS or any(len(value) > MAX_VALUE for value in own_fields.values()):
        raise ValueError(f"options.header: {MAX_FIELDS} fields of {MAX_VALUE} characters at most")
    try:
        encode_post("/", "example.net", own_fields, b"")
    except ValueError as error:
        raise ValueError(f"options.header: {error}") from None
    if "template" in options:
        try:
            _template(options["template"])
        except ValueError as error:
            raise ValueError(f"options.template: {error}") from None


def _template(text: str) -> Template:
    return Template.parse(text, TEMPLATE_NAMES, MAX_BODY, "json")


def _filled(template: str, notice: Notice) -> bytes:
    return _template(template).render(template_values(notice)).encode("utf-8", "replace")


def gave_back(response: Response, code: str) -> bool:
    """Whether the answer to a verification is the code: as it is, or as ``code`` of a JSON object. What was
    sent, given back unread, is no answer: there are servers that do so with everything."""
    text = response.body.strip()
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and isinstance(found.get("code"), str) and "type" not in found:
        text = found["code"].encode("utf-8", "replace")
    return compare_digest(text, code.encode("ascii"))
