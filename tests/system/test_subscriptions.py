"""Subscriptions over HTTPS, from the first request to a signed notice at somebody's web server, with real
processes."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mailsuite.wire.webhook import Secret, verify
from tests.frontends.issuing import issue
from tests.system.harness import LIMITS, PATIENCE, Server
from tests.system.streams import ANN, JOE, WITH_NOTIFY, Listening, ask, authorization

MAIL = b"From: ann@elsewhere.example\r\nSubject: Lunch?\r\n\r\nAt one.\r\n"


class Receiver(ThreadingHTTPServer):
    """A web server that keeps what it is told, and gives codes back where it *answers*."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        authority = issue("authority", [], authority=True)
        pair = issue("localhost", ["localhost"], by=authority).save(folder, "hook")
        self.trusted = folder / "authority.pem"
        self.trusted.write_bytes(authority.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.answers = False
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_port}/hook/S3CRET"

    def wait_for(self, count: int) -> tuple[dict[str, str], bytes]:
        """The one of this number, from 1 on."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.told) >= count, PATIENCE), self.told
            return self.told[count - 1]

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join(PATIENCE)


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fields = {name.lower(): value for name, value in self.headers.items()}
        code = json.loads(body).get("code", "") if self.server.answers else ""
        with self.server.news:
            self.server.told.append((fields, body))
            self.server.news.notify_all()
        self.send_response(200)
        self.send_header("Content-Length", str(len(code)))
        self.end_headers()
        self.wfile.write(code.encode())

    def log_message(self, *words: object) -> None:
        """Nowhere."""


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    running = Receiver(tmp_path_factory.mktemp("receiver"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Server]:
    hooks = (
        f'[notify]\nallow_networks = ["127.0.0.0/8", "::1/128"]\n[notify.webhook]\ncoalesce = "0s"\n'
        f'ports = [{receiver.server_port}]\nca_file = "{receiver.trusted}"\n'
    )
    with Server(tmp_path_factory.mktemp("server"), listeners=WITH_NOTIFY, extra=LIMITS + hooks) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(receiver: Receiver) -> None:
    receiver.told.clear()
    receiver.answers = False


def subscribe(server: Server, receiver: Receiver, who: dict[str, str] | None = None) -> dict[str, Any]:
    wish = {"channel": "webhook", "target": receiver.url, "level": "subject"}
    status, document = ask(server, "POST /subscriptions", who, wish)
    assert status == 201, document
    return document


def test_from_the_wish_to_a_signed_notice(server: Server, receiver: Receiver) -> None:
    made = subscribe(server, receiver)
    id = made["subscription"]["id"]
    assert made["subscription"]["state"] == "unverified"
    _, body = receiver.wait_for(1)
    code = json.loads(body)["code"]
    server.deliver(MAIL)
    assert ask(server, f"POST /subscriptions/{id}/verify", None, {"code": code})[0] == 200
    assert len(receiver.told) == 1, "nothing but the code before"
    status, document = ask(server, "POST /test", None, {"subscription": id})
    assert (status, document["delivery"]["result"]) == (200, "ok")
    server.deliver(MAIL)
    fields, body = receiver.wait_for(3)
    notice = json.loads(body)
    assert (notice["type"], notice["subject"]) == ("mail.new", "Lunch?")
    verify([Secret.parse(made["secret"])], fields, body, int(fields["webhook-timestamp"]))
    status, renewed = ask(server, f"POST /subscriptions/{id}/secret", None, {})
    assert status == 200
    server.deliver(MAIL)
    fields, body = receiver.wait_for(4)
    for secret in (made["secret"], renewed["secret"]):
        verify([Secret.parse(secret)], fields, body, int(fields["webhook-timestamp"]))
    tried = ask(server, f"GET /deliveries?subscription={id}")[1]["deliveries"]
    assert {each["result"] for each in tried} == {"ok"}
    assert ask(server, f"DELETE /subscriptions/{id}")[0] == 200
    assert ask(server, f"GET /subscriptions/{id}")[0] == 404


def test_a_target_that_gives_the_code_back_at_once(server: Server, receiver: Receiver) -> None:
    receiver.answers = True
    made = subscribe(server, receiver)
    assert made["subscription"]["state"] == "active"
    ask(server, f"DELETE /subscriptions/{made['subscription']['id']}")


def test_of_others_there_is_nothing(server: Server, receiver: Receiver) -> None:
    desktop = authorization(JOE, server.add_device(JOE, "desktop", scopes=["notify"]))
    tablet = authorization(JOE, server.add_device(JOE, "tablet", scopes=["notify"]))
    id = subscribe(server, receiver, desktop)["subscription"]["id"]
    for who in (tablet, authorization(ANN)):
        for line, body in (
            (f"GET /subscriptions/{id}", None),
            (f"PATCH /subscriptions/{id}", {"name": "mine"}),
            (f"POST /subscriptions/{id}/verify", {"code": "0"}),
            (f"DELETE /subscriptions/{id}", None),
        ):
            assert ask(server, line, who, body)[0] == 404
    assert ask(server, f"GET /subscriptions/{id}")[0] == 200
    server.control.delete("/v1/accounts/joe@example.test/devices/desktop")
    assert ask(server, f"GET /subscriptions/{id}")[0] == 404, "it has gone with what made it"


def test_codes_cannot_be_guessed_and_what_is_fixed_stays(server: Server, receiver: Receiver) -> None:
    id = subscribe(server, receiver)["subscription"]["id"]
    code = json.loads(receiver.wait_for(1)[1])["code"]
    for _ in range(5):
        assert ask(server, f"POST /subscriptions/{id}/verify", None, {"code": "0" * 32})[0] == 400
    assert ask(server, f"POST /subscriptions/{id}/verify", None, {"code": code})[0] == 400
    for name in ("target", "channel", "options"):
        status, document = ask(server, f"PATCH /subscriptions/{id}", None, {name: "x"})
        assert (status, "never changes" in document["detail"]) == (400, True)
    assert "S3CRET" not in json.dumps(ask(server, "GET /subscriptions")) + server.logged()
    ask(server, f"DELETE /subscriptions/{id}")
    left = b"".join(path.read_bytes() for path in server.state.glob("notify.db*"))
    assert b"S3CRET" not in left
    assert receiver.url.encode() not in left


def test_a_program_gets_a_password_of_its_own(server: Server) -> None:
    status, document = ask(server, "POST /devices", None, {"name": "Laptop"})
    assert status == 201
    laptop = authorization(JOE, document["password"])
    stream = Listening.open(server, who=laptop)
    assert stream.status == 200
    assert ask(server, "POST /devices", laptop, {"name": "Another"})[0] == 403
    assert ask(server, "POST /test", laptop, {})[0] == 202
    assert stream.next()[0].type == "test"
    stream.close()
    with server.pop3() as client:
        client.noop()
    assert document["password"] not in server.logged()


def test_nothing_of_an_administrators_is_there(server: Server) -> None:
    for path in ("/v1/accounts", "/v1/status", "/metrics", "/"):
        assert ask(server, f"GET {path}", base="")[0] == 404
