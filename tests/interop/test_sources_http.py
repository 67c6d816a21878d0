"""Passwords checked by a web server that is none of Twisted's: Python's own, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.sources.opening import open_sources
from mailsuite.concurrent.threads import Inline
from mailsuite.config.sources import SourceBlock
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.observe.log import Log
from tests.accounts.sources.certificates import Authority
from tests.interop.programs import PATIENCE

HOOK = """
import http.server, json, ssl, sys

class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/" + sys.argv[3]

    def do_POST(self):
        if self.headers["Authorization"] != "Bearer canary-token":
            return self.say(401, b"", ("WWW-Authenticate", "Bearer"))
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = asked == {"username": "joe@example.net", "password": "gr\\u00fcn canary"}
        self.say(200, json.dumps({"ok": right}).encode())

    def say(self, status, body, *headers):
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"""
RIGHT = "grün canary"


@pytest.fixture
def hook(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SourceBlock]:
    """The server runs; this is how it is asked."""
    authority = Authority(tmp_path)
    pair = authority.sign("127.0.0.1")
    (tmp_path / "hook.py").write_text(HOOK)
    (tmp_path / "token").write_text("canary-token\n")
    command = [sys.executable, tmp_path / "hook.py", pair.certificate, pair.key, request.cls.version]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield SourceBlock(
                name="hook",
                type="http",
                url=f"https://127.0.0.1:{port}/check",
                ca_file=authority.file,
                token_file=tmp_path / "token",
                cache=0.0,
                cache_refused=0.0,
            )
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.mark.usefixtures("_given")
class KeptTests(TestCase):
    """Over HTTP/1.1, where connections are kept."""

    version = "1.1"
    block: SourceBlock

    @pytest.fixture
    def _given(self, hook: SourceBlock) -> None:
        self.block = hook

    async def says(self, local: str, password: str, **keys: object) -> bool:
        block = attrs.evolve(self.block, **keys)
        sources = open_sources([block], reactor, threads=Inline(), passwords=Passwords(Inline()), log=Log())
        try:
            answers = [await sources.check(Address(local, "example.net"), password) for _ in range(3)]
        finally:
            await sources.stop()
        self.assertEqual(len(set(answers)), 1)
        return answers[0]

    async def test_yes_and_no(self) -> None:
        self.assertTrue(await self.says("joe", RIGHT))
        self.assertFalse(await self.says("joe", "wrong"))
        self.assertFalse(await self.says("ann", RIGHT))
        self.assertFalse(await self.says('joe", "password": "x', RIGHT))

    async def test_what_is_set_wrongly_is_no_wrong_password(self) -> None:
        for keys, words in (
            ({"token_file": None}, "does not take our token"),
            ({"ca_file": None}, "certificate verify failed"),
            ({"url": self.block.url.replace("127.0.0.1", "localhost")}, "for another name"),
            ({"url": self.block.url.replace("https", "http")}, "no whole answer"),
        ):
            with self.assertRaises(TemporaryFailure) as caught:
                await self.says("joe", RIGHT, **keys)
            self.assertIn(words, caught.exception.detail)
            self.assertNotIn("canary", caught.exception.detail)


class ClosedTests(KeptTests):
    """Over HTTP/1.0, where each answer ends with its connection."""

    version = "1.0"
