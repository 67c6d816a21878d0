"""What we hand on is one message for whoever reads it, whatever stands in it (row M-08).

POP3, ``mailsuite deliver`` to smtp-sink, ``mailsuite sendmail`` to a Postfix that many a false end misleads.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from mailsuite.cli.sendmail import SOCKET_VARIABLE
from tests.interop.false_ends import BARE, FALSE_ENDS, SMUGGLED, as_lines, carrying
from tests.interop.letters import split_trace
from tests.interop.postfix import Postfix, needs_postfix
from tests.interop.programs import SEARCH_PATH, arrived, needs
from tests.interop.tap import Tap, only_message
from tests.ports import free_port
from tests.system.clients import begin_data, connect, log_in, smtp, within
from tests.system.harness import PATIENCE, Server

JOE, ANN = "joe@example.test", "ann@example.test"
TAKEN = {name: end for name, end in FALSE_ENDS.items() if not BARE.search(end)}
"""What we take ourselves, for all its lines end with CRLF."""
CHUNKED = TAKEN | {"CRLF . CRLF": b"\r\n.\r\n"}
"""What can be said in chunks, where there is no end to be found."""


def retrieved(server: Server) -> bytes:
    """The message that a client reads out of the octets of one RETR: it looks for CRLF . CRLF alone."""
    with connect(server, "pop3-trusted") as client:
        assert log_in(client, JOE).startswith(b"+OK")
        client.send(b"RETR 1\r\nQUIT\r\n")
        first, _, rest = client.rest().partition(b"\r\n")
    assert first.startswith(b"+OK ")
    content, end, after = rest.partition(b"\r\n.\r\n")
    assert end
    assert after.startswith(b"+OK")
    assert after.count(b"\r\n") == 1, "there is more than the answer to QUIT"
    lines = content.split(b"\n")
    assert all(line.endswith(b"\r") for line in lines[:-1]), "a bare LF"
    assert all(line[:2] == b".." for line in lines if line.startswith(b"."))
    return b"\n".join(line.removeprefix(b".") for line in lines) + b"\r\n"


@pytest.mark.parametrize("end", TAKEN.values(), ids=TAKEN)
def test_by_pop3_what_came_by_data(server: Server, end: bytes) -> None:
    message = carrying(end).replace(b"\r\n.", b"\r\n..")
    with smtp(server) as client:
        begin_data(client)
        client.send(message + b".\r\n")
        assert client.reply().startswith(b"250 2.0.0 ")
    back = retrieved(server)
    assert BARE.search(back) is None
    assert split_trace(back)[1] == carrying(end)


@pytest.mark.parametrize("end", CHUNKED.values(), ids=CHUNKED)
def test_by_pop3_what_came_in_chunks(server: Server, end: bytes) -> None:
    message = carrying(end)
    with smtp(server) as client:
        client.say(b"MAIL FROM:<sender@elsewhere.example>", b"250")
        client.say(b"RCPT TO:<joe@example.test>", b"250")
        client.send(b"BDAT %d LAST\r\n" % len(message) + message)
        assert client.reply().startswith(b"250 2.0.0 ")
    back = retrieved(server)
    assert BARE.search(back) is None
    assert split_trace(back)[1] == message


@pytest.mark.parametrize("end", FALSE_ENDS.values(), ids=FALSE_ENDS)
def test_by_pop3_what_others_have_stored(server: Server, end: bytes) -> None:
    """A bare LF in a file is the end of a line; a bare CR is an octet like any other."""
    folder = server.maildir(JOE) / "new"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "1700000000.M1P1.elsewhere").write_bytes(carrying(end))
    assert retrieved(server) == carrying(end).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@attrs.define
class Sink:
    """Postfix's smtp-sink, that takes LMTP and keeps each message in a file of its own."""

    folder: Path
    port: int

    def messages(self) -> list[bytes]:
        """What it has been given, without its own fields in front; they are gone for the next one."""
        files = list(self.folder.iterdir())
        messages = [file.read_bytes() for file in files]
        for file in files:
            file.unlink()
        return messages


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    running = Sink(tmp_path_factory.mktemp("sink"), free_port())
    user = () if os.geteuid() else ("-u", "root")  # as root it wants to be told whom to become
    command = ("smtp-sink", "-L", *user, "-d", f"{running.folder}/m.", f"127.0.0.1:{running.port}", "10")
    process = subprocess.Popen(command, env={"PATH": SEARCH_PATH})
    try:
        within(PATIENCE, lambda: socket.create_connection(("127.0.0.1", running.port), 1).close(), OSError)
        yield running
    finally:
        process.terminate()
        process.wait(PATIENCE)


def handed_over(tap: Tap, message: bytes, *command: str) -> bytes:
    """Run our program; what its one session said to the server behind the tap."""
    done = subprocess.run(
        [sys.executable, "-m", "mailsuite", *command],
        input=message,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, SOCKET_VARIABLE: str(tap.path)},
    )
    assert (done.returncode, done.stderr) == (0, b"")

    def look() -> bytes:
        [said] = tap.said
        return said

    return within(PATIENCE, look, ValueError)


@needs("smtp-sink", "postfix")
@pytest.mark.parametrize("end", FALSE_ENDS.values(), ids=FALSE_ENDS)
def test_by_deliver(sink: Sink, end: bytes) -> None:
    with Tap(sink.port) as tap:
        said = handed_over(tap, carrying(end), "deliver", "--socket", str(tap.path), JOE)
    assert only_message(said, JOE) == as_lines(carrying(end))
    [kept] = sink.messages()
    assert kept.count(b"Subject: smuggled") == 1


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    """As it comes; and so it takes LF . LF for the end of a message."""
    base = Path(tempfile.mkdtemp(prefix="ms-"))
    base.chmod(0o755)
    try:
        with Postfix(base, more="mynetworks = 127.0.0.2/32\n") as running:
            yield running
    finally:
        shutil.rmtree(base)


@pytest.mark.skipif(needs_postfix[0].args[0] or needs_postfix[1].args[0], reason="Postfix is missing")
@pytest.mark.parametrize("end", FALSE_ENDS.values(), ids=FALSE_ENDS)
def test_by_sendmail(postfix: Postfix, end: bytes) -> None:
    message = carrying(end)
    with Tap(postfix.port) as tap:
        said = handed_over(tap, message, "sendmail", "-i", "-f", "x@elsewhere.example", JOE)
    assert only_message(said, JOE) == as_lines(message)
    [kept] = taken_by(postfix)
    body = kept.partition(b"\n\n")[2].replace(b"\r", b"").replace(b"\n", b"\r\n")
    assert body == as_lines(message).partition(b"\r\n\r\n")[2]
    assert not postfix.maildir("ann").exists()


@pytest.mark.skipif(needs_postfix[0].args[0] or needs_postfix[1].args[0], reason="Postfix is missing")
@pytest.mark.parametrize("name", ["LF . LF", "LF . CRLF", "CRLF . LF"])
def test_by_sendmail_that_looks_for_a_lone_dot(postfix: Postfix, name: str) -> None:
    """Without ``-i`` that ends what comes in; and what stands behind it is not said at all."""
    with Tap(postfix.port) as tap:
        said = handed_over(tap, carrying(FALSE_ENDS[name]), "sendmail", "-f", "x@elsewhere.example", JOE)
    assert only_message(said, JOE).endswith(b"\r\n\r\nbefore\r\n")
    assert SMUGGLED[:10] not in said.partition(b"DATA\r\n")[2]
    [_] = taken_by(postfix)


def taken_by(postfix: Postfix) -> list[bytes]:
    """What is in joe's maildrop once nothing waits any more; it is empty for the next one."""

    def nothing_waits() -> None:
        folders = (postfix.base / "queue" / name for name in ("maildrop", "incoming", "active", "deferred"))
        assert not [file for folder in folders for file in folder.rglob("*") if file.is_file()]

    within(PATIENCE, nothing_waits, AssertionError)
    messages = arrived(postfix.maildir("joe"))
    for file in (postfix.maildir("joe") / "new").iterdir():
        file.unlink()
    return messages
