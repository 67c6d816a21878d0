"""SMTP smuggling by way of a Postfix in front of us: none of its messages becomes two here (row M-08)."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.interop.false_ends import BARE, FALSE_ENDS, carrying
from tests.interop.letters import split_trace
from tests.interop.postfix import Postfix, needs_postfix
from tests.system.clients import Client, within
from tests.system.harness import PATIENCE, Server
from tests.system.sockets import letters

pytestmark = [*needs_postfix]

JOE, ANN = "joe@example.test", "ann@example.test"
_MORE = """
maillog_file = {base}/log
virtual_transport = smtp:[127.0.0.1]:{port}
default_transport = discard:
mynetworks = 127.0.0.2/32
{settings}
"""

WAYS = {
    "as it comes": "",
    "without bare LF": "smtpd_forbid_bare_newline = normalize",
    "before 2024": "cleanup_replace_stray_cr_lf = no",
}
"""How Postfix sees ends of lines: in the last one it hands on a CR that stands alone."""

MISLED = {"LF . LF", "LF . CRLF", "LF LF . CRLF", "CRLF . LF", "CRLF . CR CRLF", "CR CRLF . CR CRLF"}
"""What ends a message for Postfix itself unless it is told better: it takes two then, and we get those."""
HANDED_ON = {"LF . CR", "CR . LF", "CR . CR", "CR . CRLF", "CRLF . CR", "CRLF NUL . CR"}
"""What reaches us as it is from a Postfix of before 2024, and is refused."""


@attrs.frozen
class Front:
    """A Postfix that hands on to us what it takes for example.test, and throws away all else."""

    postfix: Postfix
    way: str

    def hand_in(self, message: bytes) -> int:
        """Bring the octets as they are; how many messages Postfix has taken them for."""
        client = Client(socket.create_connection(("127.0.0.1", self.postfix.port), PATIENCE))
        with client:
            client.reply()
            client.say(b"EHLO client.example", b"250")
            client.say(b"MAIL FROM:<x@elsewhere.example>", b"250")
            client.say(b"RCPT TO:<joe@example.test>", b"250")
            client.say(b"DATA", b"354")
            client.send(message + b".\r\nQUIT\r\n")
            taken = client.rest().count(b" queued as ")
        within(PATIENCE, self._nothing_waits, AssertionError)
        return taken

    def _nothing_waits(self) -> None:
        """Each message has gone on, or come back."""
        folders = (
            self.postfix.base / "queue" / name for name in ("maildrop", "incoming", "active", "deferred")
        )
        assert not [file for folder in folders for file in folder.rglob("*") if file.is_file()]

    def fate(self) -> str:
        """What became of the last message for joe."""
        return [line for line in self.postfix.said().splitlines() if f"to=<{JOE}>" in line][-1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module", params=WAYS)
def front(running: Server, request: pytest.FixtureRequest) -> Iterator[Front]:
    base = Path(tempfile.mkdtemp(prefix="ms-"))
    base.chmod(0o755)
    more = _MORE.format(base=base, port=running.ports["mx"], settings=WAYS[request.param])
    try:
        with Postfix(base, more=more) as postfix:
            yield Front(postfix, request.param)
    finally:
        shutil.rmtree(base)


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    yield running
    for account in (JOE, ANN):
        for letter in (running.maildir(account) / "new").glob("*"):
            letter.unlink()


@pytest.mark.parametrize("name", FALSE_ENDS)
def test_one_message_stays_one(server: Server, front: Front, name: str) -> None:
    message = carrying(FALSE_ENDS[name])
    taken = front.hand_in(message)
    outer, smuggled = letters(server, JOE), letters(server, ANN)
    if name in MISLED and front.way != "without bare LF":
        assert taken == 2, "Postfix itself was misled"
        assert (len(outer), len(smuggled)) == (1, 1), "and has sent two, each in a transaction of its own"
        return
    assert taken == 1
    assert smuggled == []
    if front.way == "before 2024" and name in HANDED_ON:
        assert "550 5.5.2" in front.fate()
        assert outer == []
        return
    assert "status=sent (250 2.0.0 " in front.fate()
    [letter] = outer
    body = split_trace(letter)[1]
    assert BARE.search(body) is None
    assert body.count(b"Subject: smuggled") == 1, "it is text like any other"
