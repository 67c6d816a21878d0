"""A web server that notices are posted to: it keeps what came, and answers as the test says."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import attrs

from tests.system.harness import LIMITS, PATIENCE, Server

Answer = tuple[int, bytes]


@attrs.frozen
class Posted:
    """One request."""

    path: str
    fields: dict[str, str]
    """Names in lower case."""
    body: bytes
    at: float
    """Of CLOCK_MONOTONIC."""

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def taken(posted: Posted) -> Answer:
    """Thank you; and what is sent to find out whether anybody wants it is given back."""
    found = posted.json if posted.body.startswith(b"{") else {}
    return (200, str(found["code"]).encode()) if found.get("type") == "verify" else (204, b"")


@attrs.define
class Hooks:
    """Listens at every address of 127.0.0.0/8 while it is entered."""

    answer: Callable[[Posted], Answer] = taken
    posted: list[Posted] = attrs.field(factory=list)
    port: int = 0
    _news: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    _server: ThreadingHTTPServer = attrs.field(init=False)
    _thread: threading.Thread = attrs.field(init=False)

    def __enter__(self) -> Hooks:
        hooks = self

        class Session(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                fields = {name.lower(): value for name, value in self.headers.items()}
                status, text = hooks._take(Posted(self.path, fields, body, time.monotonic()))
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *words: object) -> None:
                pass

        class Listener(ThreadingHTTPServer):
            request_queue_size = 128

            def server_bind(self) -> None:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
                super(ThreadingHTTPServer, self).server_bind()
                self.server_name, self.server_port = "localhost", self.socket.getsockname()[1]

            def handle_error(self, *about: object) -> None:
                """The other side broke off."""

        self._server = Listener(("0.0.0.0", self.port), Session)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, posted: Posted) -> Answer:
        answer = self.answer(posted)
        with self._news:
            self.posted.append(posted)
            self._news.notify_all()
        return answer

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def at(self, path: str) -> list[Posted]:
        """What was posted there, but for what asks whether anybody wants it."""
        return [each for each in list(self.posted) if each.path == path and b'"verify"' not in each.body]

    def until(self, enough: Callable[[], object]) -> None:
        """Wait until that holds of what was posted."""
        with self._news:
            assert self._news.wait_for(lambda: bool(enough()), PATIENCE), self.posted[-5:]

    def wait_for(self, path: str, count: int = 1) -> list[Posted]:
        """What was posted there, as soon as it is so much."""
        self.until(lambda: len(self.at(path)) >= count)
        return self.at(path)

    def subjects(self, path: str) -> list[str]:
        return [each.json.get("subject", "") for each in self.at(path)]

    def until_last(self, subject: str, *paths: str) -> None:
        """Wait until that is the last subject that each path was told of."""
        self.until(lambda: all(self.subjects(path)[-1:] == [subject] for path in paths))

    def settings(self, *ports: int, more: str = "") -> str:
        """The configuration of a server that may post here; *more* follows [notify]."""
        return (
            f'{LIMITS}\n[notify]\nallow_networks = ["127.0.0.0/8"]\ncoalesce = "0s"\n'
            f"max_per_hour = 100000\n{more}\n"
            f"[notify.webhook]\nports = {sorted({self.port, *ports})}\n"
        )


def subscribe(
    server: Server, account: str, target: str, channel: str = "webhook", **fields: object
) -> dict[str, Any]:
    """Have the account told there, as an administrator who vouches for it; what the server answers."""
    asked = {"account": account, "channel": channel, "target": target, "level": "subject", "verified": True}
    return server.control.post("/v1/notices", {**asked, **fields})


def subjects(events: Sequence[Any]) -> list[str]:
    """Of the events of a stream."""
    return [json.loads(each.data).get("subject", "") for each in events]
