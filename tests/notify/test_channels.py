"""What each channel posts, what it makes of the answer, and what it takes of a subscription."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from zope.interface.verify import verifyObject

from mailsuite.concurrent.now import run_now
from mailsuite.interfaces import INotifyChannel
from mailsuite.model.address import Address
from mailsuite.model.failure import TargetGone, TellingFailed, TellingRefused
from mailsuite.model.notice import Kind, Level, Notice, Shown
from mailsuite.model.subscription import Subscription
from mailsuite.notify.channels.gotify import Gotify
from mailsuite.notify.channels.ntfy import Ntfy
from mailsuite.notify.channels.posting import Told
from mailsuite.notify.channels.pushover import URL as PUSHOVER
from mailsuite.notify.channels.pushover import Pushover
from mailsuite.notify.channels.service import ServiceChannel
from mailsuite.notify.channels.webhook import WebhookChannel
from mailsuite.notify.channels.webpush import WebPushChannel
from mailsuite.notify.outgoing.client import Response
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget
from mailsuite.wire.p256 import base64url, point_of
from mailsuite.wire.vapid import REUSED
from mailsuite.wire.webhook import Secret, verify
from mailsuite.wire.webpush import decrypt

NOW = 1_700_000_000.0
BROWSER = ec.generate_private_key(ec.SECP256R1())
AUTH = b"sixteen octets !"
KEYS = {"p256dh": base64url(point_of(BROWSER)), "auth": base64url(AUTH)}
PUSHOVER_KEYS = {"token": "a" * 30, "user": "u" * 30}
NOTICE = Notice(
    "ev_AAAAAAAAAAAAAAAA",
    Kind.MAIL_NEW,
    "a_BBBBBBBBBBBBBBBB",
    7,
    9,
    NOW - 1,
    3,
    Level.SUBJECT,
    Shown(sender="ann@example.net", sender_name="Ann", subject="Lunch & more"),
)


@attrs.define
class Posts:
    """Answers with what it is given, and keeps what it was asked to post."""

    response: Response = attrs.field(factory=lambda: Response(200))
    sent: list[tuple[WebTarget, Mapping[str, str], bytes]] = attrs.field(factory=list)

    async def post(self, target: WebTarget, fields: Mapping[str, str], body: bytes) -> Response:
        self.sent.append((target, fields, body))
        return self.response


@pytest.fixture
def posts() -> Posts:
    return Posts()


@pytest.fixture
def told(posts: Posts) -> Told:
    return Told(posts, UrlRules, lambda: NOW, lambda count: bytes(range(count)))


def make(name: str, told: Told) -> Any:
    channels: dict[str, Any] = {
        "webhook": lambda: WebhookChannel(told),
        "webpush": lambda: WebPushChannel(told, lambda: SERVER_KEY, lambda: "mailto:postmaster@example.net"),
        "ntfy": lambda: ServiceChannel(told, Ntfy()),
        "gotify": lambda: ServiceChannel(told, Gotify()),
        "pushover": lambda: ServiceChannel(told, Pushover()),
    }
    channel = channels[name]()
    verifyObject(INotifyChannel, channel)
    assert channel.name == name
    return channel


SERVER_KEY = ec.generate_private_key(ec.SECP256R1())
TARGETS = {
    "webhook": ("https://HOOKS.example.net/in?key=1", {}),
    "webpush": ("https://push.example.net/v1/abc", KEYS),
    "ntfy": ("https://ntfy.example.net/my-topic", {}),
    "gotify": ("https://gotify.example.net/", {"token": "Aabc"}),
    "pushover": ("", PUSHOVER_KEYS),
}
CHANNELS = sorted(TARGETS)


def wanted(name: str, target: str | None = None, **options: str) -> Subscription:
    usual, given = TARGETS[name]
    return Subscription(
        "sub_1",
        Address("joe", "example.test"),
        "",
        name,
        usual if target is None else target,
        "",
        options={**given, **options},
    )


# Webhooks


def test_a_webhook_is_signed_json(posts: Posts, told: Told) -> None:
    channel = make("webhook", told)
    kept = channel.prepare(wanted("webhook"))
    assert (kept.target, kept.target_key) == ("https://hooks.example.net/in?key=1", "hooks.example.net:443")
    assert run_now(channel.tell(kept, NOTICE)) == 200
    ((target, fields, body),) = posts.sent
    assert target.url == kept.target
    assert fields["Content-Type"] == "application/json"
    verify([Secret(kept.secrets[0])], fields, body, int(NOW))
    assert json.loads(body)["id"] == fields["webhook-id"] == NOTICE.id
    assert json.loads(body)["subject"] == "Lunch & more"


def test_a_webhook_is_signed_by_both_secrets_while_they_change(posts: Posts, told: Told) -> None:
    channel = make("webhook", told)
    kept = attrs.evolve(channel.prepare(wanted("webhook")), secrets=(b"n" * 32, b"o" * 32))
    run_now(channel.tell(kept, NOTICE))
    ((_, fields, body),) = posts.sent
    for octets in kept.secrets:
        verify([Secret(octets)], fields, body, int(NOW))


def test_a_webhook_may_bring_its_secret(told: Told) -> None:
    channel = make("webhook", told)
    kept = channel.prepare(wanted("webhook", secret=Secret(b"s" * 40).text))
    assert (kept.secrets, kept.options) == ((b"s" * 40,), {})
    with pytest.raises(ValueError, match="begins with whsec_"):
        channel.prepare(wanted("webhook", secret="mine"))


def test_a_webhook_in_a_form_of_the_receivers_own(posts: Posts, told: Told) -> None:
    channel = make("webhook", told)
    own = {
        "template": '{{"text": "{name}: {subject}", "n": {count}}}',
        "header.Authorization": "Bearer x",
        "content_type": "application/vnd.chat+json",
    }
    kept = channel.prepare(wanted("webhook", **own))
    quoting = attrs.evolve(NOTICE, shown=Shown(sender_name='A "b" \\', subject="{count}"))
    run_now(channel.tell(kept, quoting))
    ((_, fields, body),) = posts.sent
    assert json.loads(body) == {"text": 'A "b" \\: {count}', "n": 3}
    assert fields["Authorization"] == "Bearer x"
    assert fields["Content-Type"] == "application/vnd.chat+json"
    verify([Secret(kept.secrets[0])], fields, body, int(NOW))
    run_now(channel.verify(kept, "c0de"))
    assert posts.sent[1][1]["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("answer", "gave_back"),
    [
        (b"c0de", True),
        (b" c0de\r\n", True),
        (b'{"code": "c0de"}', True),
        (b'{"v":1,"type":"verify","code":"c0de"}', False),
        (b'"c0de"', False),
        (b"", False),
        (b"c0dE", False),
        (b'{"code": "other"}', False),
        (b'{"code": 5}', False),
        (b"\xff\xfe", False),
        (b"[" * 4096, False),
    ],
)
def test_a_webhook_answers_its_code(posts: Posts, told: Told, answer: bytes, gave_back: bool) -> None:
    channel = make("webhook", told)
    posts.response = Response(200, body=answer)
    assert run_now(channel.verify(channel.prepare(wanted("webhook")), "c0de")) is gave_back
    ((_, fields, body),) = posts.sent
    assert json.loads(body) == {"v": 1, "type": "verify", "code": "c0de"}
    assert fields["webhook-id"] == "verify_sub_1"


def test_an_error_page_with_the_code_verifies_nothing(posts: Posts, told: Told) -> None:
    channel = make("webhook", told)
    posts.response = Response(404, body=b"c0de")
    with pytest.raises(TellingFailed):
        run_now(channel.verify(channel.prepare(wanted("webhook")), "c0de"))


# Web Push


def test_web_push_is_for_that_browser_alone(posts: Posts, told: Told) -> None:
    channel = make("webpush", told)
    kept = channel.prepare(wanted("webpush"))
    assert run_now(channel.tell(kept, NOTICE)) == 200
    ((target, fields, body),) = posts.sent
    assert target.url == "https://push.example.net/v1/abc"
    assert json.loads(decrypt(body, BROWSER, AUTH))["seq"] == 9
    assert b"Lunch" not in body
    assert len(fields["Topic"]) == 32
    assert fields["TTL"] == "172800"
    assert fields["Urgency"] == "normal"
    assert fields["Content-Encoding"] == "aes128gcm"
    assert fields["Authorization"].startswith("vapid t=")


def test_one_token_serves_an_origin_for_half_a_day(posts: Posts, told: Told) -> None:
    now = NOW
    channel = make("webpush", attrs.evolve(told, now=lambda: now))
    first, other = (
        channel.prepare(wanted("webpush")),
        channel.prepare(wanted("webpush", "https://push.example.net/v1/other")),
    )
    run_now(channel.tell(first, NOTICE))
    run_now(channel.tell(other, NOTICE))
    now += REUSED
    run_now(channel.tell(first, NOTICE))
    one, two, three = (fields["Authorization"] for _, fields, _ in posts.sent)
    assert one == two != three


@pytest.mark.parametrize("status", [404, 410])
def test_an_endpoint_that_is_gone(posts: Posts, told: Told, status: int) -> None:
    channel = make("webpush", told)
    posts.response = Response(status)
    with pytest.raises(TargetGone, match=f"^http {status}$"):
        run_now(channel.tell(channel.prepare(wanted("webpush")), NOTICE))


# Services


def test_ntfy(posts: Posts, told: Told) -> None:
    channel = make("ntfy", told)
    kept = attrs.evolve(channel.prepare(wanted("ntfy", token="tk_1")), urgency="high")
    run_now(channel.tell(kept, NOTICE))
    ((target, fields, body),) = posts.sent
    assert target.url == "https://ntfy.example.net/"
    assert fields == {"Content-Type": "application/json", "Authorization": "Bearer tk_1"}
    assert json.loads(body) == {
        "topic": "my-topic",
        "title": "3 new messages",
        "message": "The latest: Ann: Lunch & more",
        "priority": 5,
        "tags": ["email"],
    }


def test_gotify(posts: Posts, told: Told) -> None:
    channel = make("gotify", told)
    kept = channel.prepare(wanted("gotify", "https://push.example.net/gotify/"))
    run_now(channel.tell(kept, NOTICE))
    ((target, fields, body),) = posts.sent
    assert target.url == "https://push.example.net/gotify/message"
    assert fields["X-Gotify-Key"] == "Aabc"
    shown = json.loads(body)
    assert (shown["title"], shown["priority"]) == ("3 new messages", 5)


def test_pushover(posts: Posts, told: Told) -> None:
    channel = make("pushover", told)
    kept = channel.prepare(wanted("pushover", device="phone"))
    run_now(channel.tell(kept, NOTICE))
    ((target, _, body),) = posts.sent
    assert (target.url, kept.target_key) == (PUSHOVER, "api.pushover.net:443")
    form = {name: value for name, (value,) in parse_qs(body.decode("ascii"), strict_parsing=True).items()}
    assert form == {
        **PUSHOVER_KEYS,
        "title": "3 new messages",
        "message": "The latest: Ann: Lunch & more",
        "timestamp": "1699999999",
        "priority": "0",
        "device": "phone",
    }


def test_pushover_by_the_token_of_the_server(posts: Posts, told: Told) -> None:
    channel = ServiceChannel(told, Pushover(lambda: "s" * 30))
    kept = channel.prepare(attrs.evolve(wanted("pushover"), options={"user": "u" * 30}))
    run_now(channel.tell(kept, NOTICE))
    assert b"token=" + b"s" * 30 in posts.sent[0][2]


@pytest.mark.parametrize("name", ["ntfy", "gotify", "pushover"])
def test_a_service_shows_the_code_and_never_gives_it_back(posts: Posts, told: Told, name: str) -> None:
    channel = make(name, told)
    posts.response = Response(200, body=b"c0de")
    assert run_now(channel.verify(channel.prepare(wanted(name)), "c0de")) is False
    assert b"c0de" in posts.sent[0][2]


@pytest.mark.parametrize("name", ["ntfy", "gotify", "pushover"])
def test_long_words_are_cut(posts: Posts, told: Told, name: str) -> None:
    channel = make(name, told)
    long = attrs.evolve(NOTICE, shown=Shown(sender="x" * 5000, subject="\U0001f600" * 5000))
    run_now(channel.tell(channel.prepare(wanted(name)), long))
    assert len(posts.sent[0][2]) < 13_000
    if name == "ntfy":
        assert len(json.loads(posts.sent[0][2])["message"].encode()) <= 4096


# All of them


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("status", [302, 408, 429, 500, 503])
def test_what_may_pass_is_tried_again(posts: Posts, told: Told, name: str, status: int) -> None:
    channel = make(name, told)
    posts.response = Response(status, body=b"secret words", retry_after=120.0)
    with pytest.raises(TellingFailed, match=f"^http {status}$") as caught:
        run_now(channel.tell(channel.prepare(wanted(name)), NOTICE))
    assert (caught.value.code, caught.value.retry_after) == (status, 120.0)


@pytest.mark.parametrize("name", sorted({*CHANNELS} - {"webhook"}))
@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_what_will_not_pass_is_not(posts: Posts, told: Told, name: str, status: int) -> None:
    channel = make(name, told)
    posts.response = Response(status, body=b"secret words")
    with pytest.raises(TellingRefused, match=f"^http {status}$"):
        run_now(channel.tell(channel.prepare(wanted(name)), NOTICE))


@pytest.mark.parametrize("name", CHANNELS)
def test_gone_is_gone(posts: Posts, told: Told, name: str) -> None:
    channel = make(name, told)
    posts.response = Response(410)
    with pytest.raises(TargetGone):
        run_now(channel.tell(channel.prepare(wanted(name)), NOTICE))


@pytest.mark.parametrize("name", CHANNELS)
def test_no_channel_shows_its_secrets(told: Told, name: str) -> None:
    kept = make(name, told).prepare(wanted(name))
    for secret in (*kept.options.values(), kept.target, *map(repr, kept.secrets)):
        assert secret not in repr(kept)


@pytest.mark.parametrize("name", CHANNELS)
def test_rules_that_became_stricter_hold(posts: Posts, told: Told, name: str) -> None:
    kept = make(name, told).prepare(wanted(name))
    stricter = make(name, attrs.evolve(told, rules=lambda: UrlRules(ports=frozenset({8443}))))
    with pytest.raises(TellingRefused, match="port 443"):
        run_now(stricter.tell(kept, NOTICE))
    assert not posts.sent


@pytest.mark.parametrize(
    ("name", "target", "options", "problem"),
    [
        ("webhook", "http://hooks.example.net/", {}, "^target: http:// is not possible"),
        ("webhook", "https://127.0.0.1/", {}, "^target: 127.0.0.1"),
        ("webhook", "https://u:p@hooks.example.net/", {}, "^target: the URL holds a user name"),
        ("webhook", "https://hooks.example.net/", {"colour": "red"}, "^options.colour: webhook has no such"),
        ("webhook", "https://h.example/", {"mode": "all"}, "^options.mode: expected one of each, latest"),
        ("webhook", "https://h.example/", {"header.Host": "x"}, "^options.header: .*'Host'"),
        (
            "webhook",
            "https://h.example/",
            {"header.X-A": "1", "header.x-a": "2"},
            "^options.header: each field",
        ),
        ("webhook", "https://h.example/", {"header.Webhook-Id": "1"}, "^options.header: each field once"),
        ("webhook", "https://h.example/", {"header.A": "1\r\nB: 2"}, "^options.header: .*cannot be sent"),
        ("webhook", "https://h.example/", {"header.A": "x" * 513}, "^options.header: 10 fields of 512"),
        ("webhook", "https://h.example/", {"template": "{colour}"}, "^options.template: .*no field 'colour'"),
        ("webpush", "https://push.example.net/", {"p256dh": ""}, "^options.p256dh: webpush needs it"),
        ("webpush", "https://push.example.net/", {"p256dh": "AAAA"}, "^options.p256dh has not 65 octets"),
        ("webpush", "https://push.example.net/", {"auth": "!"}, "^options.auth is no base64url"),
        ("ntfy", "https://ntfy.example.net/", {}, "^target: write the URL of a topic"),
        ("ntfy", "https://ntfy.example.net/a?b", {}, "^target: write the URL of a topic"),
        ("ntfy", "https://ntfy.example.net/a", {"token": "a\r\nX: y"}, "^options.token: .*ASCII"),
        ("gotify", "https://gotify.example.net/", {"token": ""}, "^options.token: gotify needs it"),
        ("gotify", "https://gotify.example.net/message?token=x", {}, "^target: write the URL of the server"),
        ("pushover", "https://elsewhere.example/", {}, "^target: leave it empty"),
        ("pushover", "", {"user": "short"}, "^options.user: a key of Pushover has 30"),
        ("pushover", "", {"device": "a b"}, "^options.device: names of devices"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    told: Told, name: str, target: str, options: dict[str, str], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        make(name, told).prepare(wanted(name, target, **options))
