"""Clients that are slow, silent, many, or gone: nobody else notices, and nothing is left of them."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.clients import (
    Client,
    Refused,
    begin_data,
    connect,
    cpu_seconds,
    pid_of,
    pop3,
    resident_octets,
    retrieve_all,
    smtp,
    within,
)
from tests.system.harness import PASSWORDS, PATIENCE, Server
from tests.system.load import files_below

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"
MEGABYTE = 1024 * 1024
MAX_GROWTH = 24 * MEGABYTE
"""What an attack may cost in memory (reliability.md section 2)."""
SMALL_WINDOW = 4096
"""A receive buffer that is full soon."""


@pytest.fixture(autouse=True)
def _no_mistake_of_ours(server: Server) -> Iterator[None]:
    before = pid_of(server)
    yield
    assert pid_of(server) == before
    assert [line for line in server.logged().splitlines() if " error " in line] == []
    for account in PASSWORDS:
        empty(server, account)


@pytest.fixture(autouse=True, scope="module")
def _warm(server: Server) -> None:
    """The first login of an account costs memory for its hash, later ones do not."""
    for account in PASSWORDS:
        empty(server, account)


def empty(server: Server, account: str) -> list[bytes]:
    """All messages; they are gone afterwards."""
    with open_soon(server, account) as client:
        messages = list(retrieve_all(client).values())
        client.send(b"".join(b"DELE %d\r\n" % number for number in range(1, len(messages) + 1)) + b"QUIT\r\n")
        assert client.rest().endswith(b"+OK Goodbye\r\n")
        return messages


@contextlib.contextmanager
def open_soon(server: Server, account: str, seconds: float = PATIENCE) -> Iterator[Client]:
    """A session on a maildrop whose last session was just cut off."""
    with contextlib.ExitStack() as stack:
        yield within(seconds, lambda: stack.enter_context(pop3(server, account)), Refused)


def others_are_served(server: Server) -> None:
    """Mail goes in and comes out within a moment."""
    began = time.monotonic()
    server.deliver(b"Subject: others\r\n\r\n", BOB)
    assert len(empty(server, BOB)) == 1
    assert time.monotonic() - began < 5


def push(client: Client, data: bytes, pid: int) -> int:
    """Send until the server takes no more and rests; how many octets it took."""
    client.socket.setblocking(False)
    sent = 0
    with selectors.DefaultSelector() as selector:
        selector.register(client.socket, selectors.EVENT_WRITE)
        while sent < len(data):
            used = cpu_seconds(pid)
            if selector.select(0.3):
                sent += client.socket.send(data[sent : sent + MEGABYTE])
            elif cpu_seconds(pid) - used < AT_REST:
                break
    client.socket.settimeout(PATIENCE)
    until_it_rests(pid)
    return sent


AT_REST = 0.05
"""Processor seconds, of 0.3 that went by."""


def until_it_rests(pid: int) -> None:
    """Return when the server has done all that it can do before somebody reads."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        used = cpu_seconds(pid)
        time.sleep(0.3)
        if cpu_seconds(pid) - used < AT_REST:
            return
    raise AssertionError("the server never rests")


# Slow


@pytest.mark.parametrize(
    ("command", "times"),
    [
        (b"NOOP\r\n", 100_000),
        (b"LIST\r\n", 100_000),
        (b"UIDL\r\n", 100_000),
        (b"RETR 1\r\n", 3_000),
        (b"TOP 1 1000\r\n", 3_000),
    ],
)
def test_answers_that_nobody_reads(server: Server, command: bytes, times: int) -> None:
    """The server stops reading, and when the client reads after all it gets every answer."""
    server.deliver(b"Subject: x\r\n\r\n" + b"line\r\n" * 2000)
    process = pid_of(server)
    before = resident_octets(process)
    with pop3(server, receive_buffer=SMALL_WINDOW) as client:
        taken = push(client, command * times, process)
        assert resident_octets(process) - before < MAX_GROWTH
        others_are_served(server)
        client.half_close()
        answers = sum(line.startswith(b"+OK") for line in client.rest().split(b"\r\n"))
        assert answers == taken // len(command)
        assert resident_octets(process) - before < MAX_GROWTH


def test_commands_without_end_whose_answers_nobody_reads(server: Server) -> None:
    """The socket fills up, and not our memory."""
    process = pid_of(server)
    before = resident_octets(process)
    with pop3(server, receive_buffer=SMALL_WINDOW) as client:
        commands = b"NOOP\r\n" * (64 * MEGABYTE // 6)
        assert push(client, commands, process) < len(commands) // 2
        assert resident_octets(process) - before < MAX_GROWTH
        client.reset()


def test_noops_that_nobody_reads(server: Server) -> None:
    process = pid_of(server)
    before = resident_octets(process)
    with connect(server, "mx", receive_buffer=SMALL_WINDOW) as client:
        with contextlib.suppress(ConnectionError):
            push(client, b"NOOP\r\n" * 100_000, process)
        others_are_served(server)
    assert resident_octets(process) - before < MAX_GROWTH


@pytest.fixture(scope="module")
def large() -> bytes:
    """30 MiB that differ from place to place."""
    return b"Subject: large\r\n\r\n" + b"".join(
        b"%070d\r\n" % number for number in range(30 * MEGABYTE // 72)
    )


def test_a_large_message_costs_no_memory(server: Server, large: bytes) -> None:
    process = pid_of(server)
    before = peak = resident_octets(process)
    with smtp(server) as client:
        begin_data(client, JOE, ANN, BOB)
        for start in range(0, len(large), MEGABYTE):
            client.send(large[start : start + MEGABYTE])
            peak = max(peak, resident_octets(process))
        client.send(b".\r\n")
        assert client.line().startswith(b"250 2.0.0 ")
    peak = max(peak, resident_octets(process))
    for account in PASSWORDS:
        [message] = empty(server, account)
        assert message.endswith(large)
        peak = max(peak, resident_octets(process))
    assert peak - before < MAX_GROWTH


@pytest.mark.parametrize("end", [Client.reset, Client.close, Client.half_close])
def test_a_stalled_reader(server: Server, large: bytes, end: Callable[[Client], None]) -> None:
    server.deliver(large)
    process = pid_of(server)
    before = resident_octets(process)
    with contextlib.ExitStack() as stack:
        stalled = stack.enter_context(pop3(server, receive_buffer=SMALL_WINDOW))
        stalled.say(b"RETR 1", b"+OK")
        others_are_served(server)
        assert resident_octets(process) - before < 8 * MEGABYTE
        with pytest.raises(Refused, match="IN-USE"), pop3(server):
            pass
        if end is Client.half_close:  # it sends no more, and reads on after all
            stalled.half_close()
            assert stalled.rest().endswith(large[-1000:] + b".\r\n")
        else:
            end(stalled)
        with open_soon(server, JOE, 1.0) as client:
            client.say(b"STAT", b"+OK 1 ")


def test_a_slow_sender_holds_up_nobody(server: Server) -> None:
    with smtp(server) as client:
        begin_data(client)
        for octet in b"Subject: slow\r\n":
            client.send(bytes([octet]))
        others_are_served(server)
        client.send(b"\r\n.\r\n")
        assert client.line().startswith(b"250 2.0.0 ")


# Silent, and many


@pytest.mark.parametrize("listener", ["mx", "pop3", "submissions", "pop3s"])
def test_two_hundred_that_say_nothing(server: Server, listener: str) -> None:
    with contextlib.ExitStack() as connections:
        for _ in range(200):
            connections.enter_context(connect(server, listener))
        others_are_served(server)


# Gone


def nothing_is_left(server: Server, account: str) -> None:
    def look() -> None:
        assert list(files_below(server.maildir(account), "tmp", "new", "cur")) == []

    within(5, look, AssertionError)


@pytest.mark.parametrize("octets", [0, 1000, 200_000, 1_000_000, 8_000_000])
@pytest.mark.parametrize("end", [Client.reset, Client.close])
def test_gone_in_the_middle_of_a_message(server: Server, octets: int, end: Callable[[Client], None]) -> None:
    with smtp(server) as client:
        begin_data(client, JOE, ANN)
        client.send(b"Subject: half\r\n\r\n" + b"x" * 70 + b"\r\n")
        client.send((b"x" * 70 + b"\r\n") * (octets // 72))
        end(client)
    for account in (JOE, ANN):
        nothing_is_left(server, account)
    assert empty(server, JOE) == []


@pytest.mark.parametrize("tail", [b"\r\n", b"\r\n.", b"\r\n.\r", b"\r\n.\n"])
def test_the_end_of_the_connection_ends_no_message(server: Server, tail: bytes) -> None:
    with smtp(server) as client:
        begin_data(client)
        client.send(b"Subject: half\r\n\r\nhalf" + tail)
        client.half_close()
        assert b"250" not in client.rest()
    nothing_is_left(server, JOE)


def test_half_closed_smtp_gets_all_its_answers(server: Server) -> None:
    with connect(server, "mx") as client:
        client.send(
            b"EHLO x.example\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.test>\r\n"
            b"RCPT TO:<nobody@example.test>\r\nDATA\r\nSubject: in one go\r\n\r\n.\r\nNOOP\r\n"
        )
        client.half_close()
        answers = [line[:4] for line in client.rest().splitlines() if line[3:4] == b" "]
    assert answers == [b"220 ", b"250 ", b"250 ", b"250 ", b"550 ", b"354 ", b"250 ", b"250 "]
    assert len(empty(server, JOE)) == 1


@pytest.mark.parametrize("last", [b"QUIT\r\n", b""])
def test_half_closed_pop3_gets_all_its_answers(server: Server, last: bytes) -> None:
    text = b"Subject: x\r\n\r\n" + b"a line of it\r\n" * 50_000
    server.deliver(text)
    password = PASSWORDS[JOE].encode()
    with connect(server, "pop3-trusted", receive_buffer=SMALL_WINDOW) as client:
        client.send(b"USER joe@example.test\r\nPASS " + password + b"\r\nSTAT\r\nRETR 1\r\nDELE 1\r\n" + last)
        client.half_close()
        answer = client.rest()
    assert text + b".\r\n+OK" in answer
    assert answer.count(b"+OK ") == 6 + bool(last)
    assert answer.endswith(b"+OK Goodbye\r\n") == bool(last)
    assert len(empty(server, JOE)) == (not last)


# One maildrop, one session


def test_two_sessions_on_one_maildrop(server: Server) -> None:
    with pop3(server) as first:
        with pytest.raises(Refused, match=r"-ERR \[IN-USE\]"), pop3(server):
            pass
        first.say(b"QUIT", b"+OK")
        with pop3(server) as second:
            second.say(b"STAT", b"+OK")
            first.close()
            second.reset()
    with open_soon(server, JOE, 1.0) as third:
        third.say(b"QUIT", b"+OK")


def test_the_lock_is_free_when_the_client_is_killed(server: Server) -> None:
    program = (
        "import poplib, sys\n"
        f"client = poplib.POP3('127.0.0.1', {server.ports['pop3-trusted']}, timeout=30)\n"
        f"client.user({JOE!r})\n"
        "client.pass_(sys.stdin.readline().strip())\n"
        "print('in', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(PASSWORDS[JOE].encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(Refused, match=r"-ERR \[IN-USE\]"), pop3(server):
            pass
        process.kill()
        process.wait(PATIENCE)
        with open_soon(server, JOE, 1.0) as client:
            client.say(b"QUIT", b"+OK")


SESSION = (
    b"USER joe@example.test\r\nPASS %s\r\nLIST\r\nDELE 1\r\nDELE 2\r\nRETR 3\r\nTOP 4 1\r\nDELE 4\r\nUIDL\r\n"
    b"RSET\r\nDELE 5\r\nDELE 1\r\nDELE 2\r\nDELE 3\r\nDELE 4\r\nNOOP\r\nQUIT"
)


def test_a_lost_connection_deletes_nothing(server: Server) -> None:
    """Cut at fifty random octets, the last one among them: there only the end of the line is missing."""
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    chance = random.Random(seed)
    for number in range(5):
        server.deliver(b"Subject: %d\r\n\r\n" % number)
    session = SESSION % PASSWORDS[JOE].encode()
    with pop3(server) as client:
        before = retrieve_all(client)
    for cut in [*(chance.randrange(len(session)) for _ in range(49)), len(session)]:
        with connect(server, "pop3-trusted") as client:
            client.line()
            client.send(session[:cut])
            how = chance.choice((Client.reset, Client.close, half_close_and_read))
            how(client)
    with open_soon(server, JOE) as client:
        assert retrieve_all(client) == before


def half_close_and_read(client: Client) -> None:
    client.half_close()
    client.rest()


def test_a_reset_at_any_moment_of_a_handshake(server: Server) -> None:
    for listener in ("submissions", "pop3s"):
        for octets in (0, 1, 5, 6, 100, 200):
            with connect(server, listener) as client:
                client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".ljust(octets, b"\0")[:octets])
                client.reset()
    others_are_served(server)


def test_a_burst_of_connections(server: Server) -> None:
    """Three hundred at the same moment, or as many as the kernel takes: all are greeted."""
    count = min(300, int(Path("/proc/sys/net/core/somaxconn").read_text()))
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", server.ports["pop3"]))
            selector.register(connection, selectors.EVENT_READ, connection)
        deadline = time.monotonic() + 10
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(1):
                assert key.data.recv(100).startswith(b"+OK")
                selector.unregister(key.fileobj)
        assert len(selector.get_map()) == 0
