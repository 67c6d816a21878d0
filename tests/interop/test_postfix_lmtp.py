"""Debian's Postfix hands over to us by LMTP, over TCP and over a Unix socket (rows M-20, S-B05)."""

from __future__ import annotations

import shutil
import smtplib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.letters import PLAIN
from tests.interop.postfix import Postfix, needs_postfix
from tests.system.clients import within
from tests.system.harness import LIMITS, PATIENCE
from tests.system.sockets import LMTP_DOOR, SMALL, SocketServer, letters
from tests.system.test_lmtp import TCP_DOOR

pytestmark = [*needs_postfix]

JOE, ANN, GONE = "joe@example.test", "ann@example.test", "gone@example.test"
_MORE = """
maillog_file = {base}/log
virtual_transport = lmtp:{door}
minimal_backoff_time = 1000s
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    door = LMTP_DOOR.replace('"0600"', '"0660"\nsocket_group = "postfix"')
    with SocketServer(tmp_path_factory.mktemp("server"), listeners=door + TCP_DOOR, extra=LIMITS) as running:
        running.socket.parent.chmod(0o755)
        running.add_small()
        yield running


@pytest.fixture(scope="module", params=["tcp", "unix"])
def postfix(server: SocketServer, request: pytest.FixtureRequest) -> Iterator[Postfix]:
    door = f"inet:127.0.0.1:{server.ports['lmtp']}" if request.param == "tcp" else f"unix:{server.lmtp}"
    base = Path(tempfile.mkdtemp(prefix="ms-"))
    base.chmod(0o755)
    try:
        users = [address.partition("@")[0] for address in (JOE, ANN, GONE, SMALL)]
        with Postfix(base, users=users, more=_MORE.format(base=base, door=door)) as running:
            yield running
    finally:
        shutil.rmtree(base)


def hand_in(postfix: Postfix, message: bytes, *recipients: str, options: tuple[str, ...] = ()) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.port, "client.example", PATIENCE) as client:
        client.sendmail("sender@elsewhere.example", recipients, message, options)


def fate(postfix: Postfix, recipient: str, subject_id: int) -> str:
    """What Postfix's log says of the last delivery to *recipient*, when there are so many of them."""

    def look() -> str:
        told = [line for line in postfix.said().splitlines() if f"to=<{recipient}>" in line]
        assert len(told) >= subject_id, postfix.said()
        return told[-1]

    return within(PATIENCE, look, AssertionError)


def deliveries(postfix: Postfix, recipient: str) -> int:
    return postfix.said().count(f"to=<{recipient}>")


def test_one_message_for_two(server: SocketServer, postfix: Postfix) -> None:
    before = {each: len(letters(server, each)) for each in (JOE, ANN)}
    count = deliveries(postfix, JOE)
    hand_in(postfix, PLAIN, JOE, ANN)
    assert "status=sent (250 2.0.0 " in fate(postfix, JOE, count + 1)
    assert "status=sent (250 2.0.0 " in fate(postfix, ANN, 1)
    for account in (JOE, ANN):
        arrived = letters(server, account)
        assert len(arrived) == before[account] + 1
        assert arrived[-1].endswith(PLAIN)
        assert arrived[-1].startswith(b"Return-Path: <sender@elsewhere.example>\r\n")
        assert b" with LMTP " in arrived[-1]


def test_each_has_a_fate_of_its_own(server: SocketServer, postfix: Postfix) -> None:
    """One is delivered, one comes again for want of room, one is nobody: and nobody gets two copies."""
    before, small = len(letters(server, JOE)), len(letters(server, SMALL))
    counts = {each: deliveries(postfix, each) for each in (JOE, SMALL, GONE)}
    big = (
        PLAIN.partition(b"\r\n\r\n")[0]
        + b"\r\n\r\n"
        + b"x" * 70
        + b"\r\n"
        + b"y" * 990
        + b"\r\n"
        + b"z" * 990
        + b"\r\n"
    )
    hand_in(postfix, big * 2, JOE, SMALL, GONE)
    assert "status=sent " in fate(postfix, JOE, counts[JOE] + 1)
    assert "status=deferred " in (told := fate(postfix, SMALL, counts[SMALL] + 1))
    assert "452 4.2.2" in told
    assert "status=bounced " in (told := fate(postfix, GONE, counts[GONE] + 1))
    assert "550 5.1.1" in told
    assert (len(letters(server, JOE)), len(letters(server, SMALL))) == (before + 1, small)


BODIES = {
    "dots": b".\r\n..\r\n.x\r\n",
    "8-bit": b"\xe4\xff8-bit\r\n",
    "empty-lines": b"\r\n" * 50,
    "long-line": b"x" * 990 + b"\r\n",
    "many-lines": b"x\r\n" * 100_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_octet_for_octet(server: SocketServer, postfix: Postfix, body: bytes) -> None:
    count = deliveries(postfix, ANN)
    hand_in(postfix, b"Subject: octets\r\n\r\n" + body, ANN, options=("BODY=8BITMIME",))
    assert "status=sent " in fate(postfix, ANN, count + 1)
    assert letters(server, ANN)[-1].partition(b"\r\n\r\n")[2] == body


def test_in_utf_8(server: SocketServer, postfix: Postfix) -> None:
    count = deliveries(postfix, JOE)
    with smtplib.SMTP("127.0.0.1", postfix.port, "client.example", PATIENCE) as client:
        client.ehlo()
        client.mail("jürgen@elsewhere.example", ("SMTPUTF8", "BODY=8BITMIME"))
        client.rcpt(JOE)
        client.data("Subject: grüße\r\n\r\nx\r\n".encode())
    assert "status=sent " in fate(postfix, JOE, count + 1)
    assert letters(server, JOE)[-1].startswith("Return-Path: <jürgen@elsewhere.example>\r\n".encode())


def test_while_we_are_away_mail_waits(server: SocketServer, postfix: Postfix) -> None:
    server.cli("service", "stop", "lmtp")
    try:
        count, before = deliveries(postfix, JOE), len(letters(server, JOE))
        hand_in(postfix, PLAIN, JOE)
        assert "status=deferred " in fate(postfix, JOE, count + 1)
    finally:
        server.cli("service", "start", "lmtp")
    assert len(letters(server, JOE)) == before
