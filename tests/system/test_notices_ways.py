"""One message, told in every way that a server has by itself, each read by somebody else's program."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from tests.system.clients import within
from tests.system.harness import PATIENCE, Server, password_of
from tests.system.hooks import Answer, Hooks, Posted, taken
from tests.system.streams import JOE, WITH_NOTIFY, ask

LETTER = b"From: Ann <ann@elsewhere.example>\r\nTo: joe@example.test\r\nSubject: Lunch?\r\n\r\nAt one.\r\n"
PROGRAM = """
import sys
told = sys.stdin.read()
with open({path!r}, "a") as file:
    file.write(told.strip() + "\\n")
"""
COMMAND = """
[[notify.command]]
name    = "pager"
argv    = [{python!r}, {script!r}]
users   = true
"""


@attrs.frozen
class Phone:
    """Somebody who has subscribed in a browser."""

    key: ec.EllipticCurvePrivateKey = attrs.field(factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = attrs.field(factory=lambda: os.urandom(16))

    @property
    def options(self) -> dict[str, str]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        texts = (base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (point, self.auth))
        return dict(zip(("p256dh", "auth"), texts, strict=True))

    def read(self, posted: Posted) -> dict[str, Any]:
        assert posted.fields["content-encoding"] == "aes128gcm"
        text = http_ece.decrypt(posted.body, private_key=self.key, auth_secret=self.auth)
        found: dict[str, Any] = json.loads(text)
        return found


def answers(posted: Posted) -> Answer:
    """As ntfy, Gotify and push services do where all is well."""
    return (201, b"") if posted.path == "/push" else taken(posted)


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    with Hooks(answers) as listening:
        yield listening


@contextlib.contextmanager
def curl(server: Server) -> Iterator[subprocess.Popen[str]]:
    """``curl -N`` as a user types it, which has been greeted."""
    url = f"https://localhost:{server.ports['notify']}/notify/v1/stream"
    trust = ["--cacert", str(server.certificate), "--user", f"{JOE}:{password_of(JOE)}"]
    command = ["curl", "-sN", "--max-time", str(PATIENCE), *trust, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("retry: ")
        try:
            yield running
        finally:
            running.kill()


def streamed(running: subprocess.Popen[str]) -> dict[str, Any]:
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("data: "):
            found: dict[str, Any] = json.loads(line.removeprefix("data: "))
            return found
    raise AssertionError("the stream has ended")


def subscribe(server: Server, channel: str, target: str, **more: object) -> dict[str, Any]:
    """As the user does it; what the server answers."""
    wanted = {"channel": channel, "target": target, "level": "subject", **more}
    status, document = ask(server, "POST /subscriptions", body=wanted)
    assert status == 201, document
    return document


def confirm(server: Server, id: str, code: str, status: int = 200) -> None:
    answered, document = ask(server, f"POST /subscriptions/{id}/verify", body={"code": code})
    assert answered == status, document


def test_one_message_in_every_way(own_server: Server, hooks: Hooks, tmp_path: Path) -> None:
    script, told = tmp_path / "pager.py", tmp_path / "told"
    script.write_text(PROGRAM.format(path=str(told)))
    command = COMMAND.format(python=sys.executable, script=str(script))
    own_server.extra = hooks.settings() + command
    own_server.listeners = WITH_NOTIFY
    with own_server.start() as server, curl(server) as stream:
        phone = Phone()
        secret = subscribe(server, "webhook", hooks.url("/hook"))["secret"]
        subscribe(server, "exec", "pager")
        asked = subscribe(server, "webpush", hooks.url("/push"), options=phone.options)["subscription"]
        hooks.until(lambda: any(each.path == "/push" for each in hooks.posted))
        code = phone.read(next(each for each in hooks.posted if each.path == "/push"))["code"]
        confirm(server, asked["id"], "wrong" + code, 400)
        confirm(server, asked["id"], code)
        for channel, target, options, path in (
            ("ntfy", "/joes-mail", {}, "/"),
            ("gotify", "", {"token": "Agotify"}, "/message"),
        ):
            asked = subscribe(server, channel, hooks.url(target), options=options)["subscription"]
            [letter] = hooks.wait_for(path)
            confirm(server, asked["id"], letter.json["message"].rpartition(" ")[2])
        hooks.posted.clear()
        server.deliver(LETTER)

        heard = streamed(stream)
        check(heard)
        [posted] = hooks.wait_for("/hook")
        check(Webhook(secret).verify(posted.body, posted.fields))
        assert posted.fields["webhook-id"] == heard["id"], "the same in every way"
        [pushed] = hooks.wait_for("/push")
        check(phone.read(pushed))
        assert pushed.fields["authorization"].startswith("vapid t=")
        assert pushed.fields["ttl"].isdecimal()
        [ntfy], [gotify] = hooks.wait_for("/"), hooks.wait_for("/message")
        assert (ntfy.json["topic"], ntfy.json["priority"]) == ("joes-mail", 3)
        assert gotify.fields["x-gotify-key"] == "Agotify"
        for each in (ntfy, gotify):
            said = each.json["title"] + each.json["message"]
            assert "Ann" in said
            assert "Lunch?" in said
        within(PATIENCE, lambda: check(json.loads(told.read_text())), OSError, ValueError)


def check(notice: dict[str, Any]) -> None:
    assert (notice["type"], notice["count"], notice["subject"]) == ("mail.new", 1, "Lunch?")
    assert notice["from"] == {"name": "Ann", "addr": "ann@elsewhere.example"}
    assert "example.test" not in json.dumps(notice), "nobody else learns whose it is"
