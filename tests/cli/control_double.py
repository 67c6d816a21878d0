"""A control socket to talk to: a real HTTP server on a Unix socket, over an office in memory."""

from __future__ import annotations

import json
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import attrs

from mailsuite.accounts.importing import Importer, account_from_json
from mailsuite.accounts.office import Office
from mailsuite.accounts.refusal import RegistryError
from tests.accounts.offices import World
from tests.accounts.offices import now as _now

Answer = tuple[int, Any]

STATUS = {
    "version": "0.1",
    "name": "mail.example.test",
    "pid": 4711,
    "since": 1_000_000.0,
    "now": 1_000_000.0 + 12 * 86400 + 4 * 3600 + 59,
    "config": {"path": "/etc/mailsuite/mailsuite.toml", "read_at": 1_000_060.0},
    "services": [
        {
            "service": "smtp",
            "state": "running",
            "listeners": [
                {"name": "mx", "addresses": ["*:25"], "tls": "starttls"},
                {"name": "shut", "addresses": [], "tls": "off"},
            ],
            "sessions": 7,
            "limit": 1000,
            "counters": {"accepted": 1204, "refused": 31},
        },
        {
            "service": "pop3",
            "state": "draining",
            "listeners": [
                {"name": "pop3s", "addresses": ["*:995"], "tls": "implicit"},
                {"name": "pop3", "addresses": ["192.0.2.10:110"], "tls": "starttls"},
            ],
            "sessions": 41,
            "limit": 0,
            "counters": {},
        },
    ],
    "notifier": {"sent": 1102, "not_listening": 4},
    "notices": {
        "subscriptions": {"unverified": 0, "active": 1011, "paused": 2, "suspended": 1, "dead": 0},
        "channels": {"webhook": {"ok": 1102, "failed": 4}, "ntfy\x1b[2J": {"ok": 1}},
    },
    "accounts": 3210,
    "queue": {
        "messages": 1006,
        "oldest": {
            "id": "0a1b2c3d4e5f6071",
            "arrived": 1_000_000.0 + 12 * 86400 + 4 * 3600 + 59 - 41 * 60,
            "domain": "gmail.example",
            "last": "421 4.7.28 rate limited\x1b[2J",
        },
    },
    "warnings": ["the certificate ends in 3 days\x1b[2J"],
}


@attrs.define
class ControlDouble:
    """Answers as the control API does. ``answers`` overrides what one request gets."""

    path: Path
    world: World
    requests: list[tuple[str, str, Any]] = attrs.field(factory=list)
    answers: dict[str, Answer] = attrs.field(factory=dict)

    def answer(self, method: str, path: str, body: Any) -> Answer:
        self.requests.append((method, path, body))
        if f"{method} {path}" in self.answers:
            return self.answers[f"{method} {path}"]
        try:
            parts = [unquote(part) for part in path.split("/")[2:]]
            office = self.world.office
            return self._done(office, method, parts, body) or _of_devices(office, method, parts, body)
        except RegistryError as error:
            status = {"bad-request": 400, "read-only": 403, "not-found": 404, "exists": 409}[error.kind]
            return status, {"error": error.text}

    def _done(self, office: Office, method: str, parts: list[str], body: Any) -> Answer | None:
        registry = office.registry
        match method, parts:
            case "GET", ["status"]:
                return 200, STATUS
            case "GET", ["accounts"]:
                return 200, {"accounts": _now(registry.accounts())}
            case "POST", ["accounts"]:
                account, generated = _now(registry.add_account(**body))
                return 201, {"account": account, "generated": generated}
            case "POST", ["accounts", "import"]:
                importer = Importer(registry, body["overwrite"], body["dry_run"])
                results = _now(importer.take(map(account_from_json, body["accounts"])))
                return 200, {"results": [attrs.asdict(result) for result in results]}
            case "GET", ["accounts", address]:
                account = _now(registry.account(address))
                forwarders = _now(registry.forwarders(address))
                return 200, {
                    "account": account,
                    "forwarders": forwarders,
                    **_now(office.devices.summary(address)),
                }
            case "PATCH", ["accounts", address]:
                return 200, {"account": _now(registry.change_account(address, body))}
            case "DELETE", ["accounts", address]:
                _now(registry.remove_account(address))
                return 200, {}
            case "PUT", ["accounts", address, "password"]:
                account, generated = _now(registry.set_password(address, body["password"]))
                return 200, {"account": account, "generated": generated}
            case "GET", ["domains"]:
                return 200, {"domains": _now(registry.domains())}
            case "POST", ["domains"]:
                return 201, {"domain": _now(registry.add_domain(body["name"]))}
        return None


def _of_devices(office: Office, method: str, parts: list[str], body: Any) -> Answer:
    """Devices, keys and checks."""
    match method, parts:
        case "GET", ["devices"]:
            return 200, {"devices": _now(office.devices.all_devices())}
        case "GET", ["accounts", address, "devices"]:
            return 200, {"devices": _now(office.devices.devices(address))}
        case "POST", ["accounts", address, "devices"]:
            device, generated = _now(office.devices.add_device(address, body))
            return 201, {"device": device, "generated": generated}
        case "GET", ["accounts", address, "devices", name]:
            return 200, {"device": _now(office.devices.device(address, name))}
        case "DELETE", ["accounts", address, "devices", name]:
            return 200, {"device": _now(office.devices.remove_device(address, name))}
        case "POST", ["keys", "rotate"]:
            return 200, _now(office.keys.rotate())
        case "POST", ["what-if"]:
            return 200, _now(office.what_if.ask(body["setting"], body["value"]))
        case "POST", ["auth", "test"]:
            return 200, _now(office.rehearsal.judge(**body))
    return 404, {"error": "there is no such thing"}


class Conversation(BaseHTTPRequestHandler):
    """One request to the double."""

    double: ControlDouble

    def _serve(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        status, document = self.double.answer(self.command, self.path, body)
        octets = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(octets)))
        self.end_headers()
        if octets:  # where there are none, the client may be gone by now
            self.wfile.write(octets)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, *arguments: object) -> None:
        """Nothing: the tests look at the requests themselves."""

    def address_string(self) -> str:
        return "local"


class UnixServer(socketserver.ThreadingUnixStreamServer):
    """One thread for each connection."""

    daemon_threads = True
