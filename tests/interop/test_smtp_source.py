"""Postfix's smtp-source: many sessions at once, large messages, several recipients; SMTP and LMTP (M-19)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.letters import split_trace
from tests.interop.programs import Desk, Done, needs
from tests.system.harness import LIMITS, LISTENERS
from tests.system.sockets import LMTP_DOOR, SocketServer, letters
from tests.system.test_lmtp import TCP_DOOR

pytestmark = needs("smtp-source", "postfix")

JOE = "joe@example.test"
FIVE = (JOE, *(f"{number}{JOE}" for number in range(2, 6)))
"""Whom ``-r 5`` writes to."""
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    directory, doors = tmp_path_factory.mktemp("server"), LISTENERS + TCP_DOOR + LMTP_DOOR
    with SocketServer(directory, extra=LIMITS, listeners=doors, accounts=FIVE) as server:
        yield server


@pytest.fixture
def server(running: SocketServer) -> Iterator[SocketServer]:
    """Its maildrops are empty for each test."""
    yield running
    for account in running.accounts:
        for letter in (running.maildir(account) / "new").glob("*"):
            letter.unlink()


def smtp_source(desk: Desk, *arguments: str | Path, status: int = 0) -> Done:
    envelope = ("-M", "client.example", "-f", "sender@elsewhere.example", "-t", JOE)
    return desk.run("smtp-source", *envelope, *map(str, arguments), status=status)


def body(length: int) -> bytes:
    """The payload that ``-l`` makes: lines of 80 octets with the last digit of their number, and the rest."""
    whole = range(1, (length - 1) // 80 + 1)
    lines = b"".join(b"%d" % (number % 10) + b"X" * 77 + b"\r\n" for number in whole)
    return lines + b"X" * (length - len(lines)) + b"\r\n"


def check(server: SocketServer, accounts: tuple[str, ...], count: int, length: int, protocol: bytes) -> None:
    """Each account has *count* messages, all different, all the same for everybody, each octet of them."""
    ids = []
    for account in accounts:
        arrived = letters(server, account)
        assert len(arrived) == count
        for letter in arrived:
            trace, sent = split_trace(letter)
            assert b" with " + protocol + b" id " in trace
            assert sent.partition(b"\r\n\r\n")[2] == body(length)
        ids.append({re.findall(rb"(?m)^Message-Id: (<.+>)\r$", letter)[0] for letter in arrived})
        assert len(ids[-1]) == count, "one message came twice, and another not at all"
    assert all(each == ids[0] for each in ids)


@pytest.mark.parametrize("again", [(), ("-d",)], ids=["connection by message", "connection for all"])
def test_many_sessions(server: SocketServer, desk: Desk, again: tuple[str, ...]) -> None:
    smtp_source(desk, *again, "-s", "10", "-m", "200", "-l", "4000", f"127.0.0.1:{server.ports['mx']}")
    check(server, (JOE,), 200, 4000, b"SMTP")


def test_large_messages(server: SocketServer, desk: Desk) -> None:
    where = f"127.0.0.1:{server.ports['mx']}"
    smtp_source(desk, "-s", "4", "-m", "12", "-l", str(MEGABYTE), where)
    check(server, (JOE,), 12, MEGABYTE, b"SMTP")


def test_several_recipients(server: SocketServer, desk: Desk) -> None:
    where = f"127.0.0.1:{server.ports['mx']}"
    smtp_source(desk, "-d", "-s", "10", "-m", "40", "-r", "5", "-l", "1000", where)
    check(server, FIVE, 40, 1000, b"SMTP")


@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_lmtp(server: SocketServer, desk: Desk, way: str) -> None:
    where = f"127.0.0.1:{server.ports['lmtp']}" if way == "tcp" else f"unix:{server.lmtp}"
    smtp_source(desk, "-L", "-s", "10", "-m", "40", "-r", "5", "-l", "1000", where)
    check(server, FIVE, 40, 1000, b"LMTP")


@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_large_messages_by_lmtp(server: SocketServer, desk: Desk, way: str) -> None:
    where = f"127.0.0.1:{server.ports['lmtp']}" if way == "tcp" else f"unix:{server.lmtp}"
    smtp_source(desk, "-L", "-d", "-s", "2", "-m", "6", "-l", str(MEGABYTE), where)
    check(server, (JOE,), 6, MEGABYTE, b"LMTP")


def test_no_hello(server: SocketServer, desk: Desk) -> None:
    """``-o`` is the protocol of before 1989: no HELO, which RFC 5321 section 4.1.4 asks for."""
    done = smtp_source(desk, "-o", "-l", "100", f"127.0.0.1:{server.ports['mx']}", status=1)
    assert "503 5.5.1" in done.said
    assert letters(server, JOE) == []


@pytest.mark.parametrize(("service", "arguments"), [("mx", ("-L",)), ("lmtp", ())])
def test_the_other_protocol(
    server: SocketServer, desk: Desk, service: str, arguments: tuple[str, ...]
) -> None:
    done = smtp_source(desk, *arguments, f"127.0.0.1:{server.ports[service]}", status=1)
    assert "50" in done.said
    assert letters(server, JOE) == []
