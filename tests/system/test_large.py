"""Large messages and large maildrops: what they cost a real server, in octets and in time.

The large message is a sparse file: zeros with line ends here and there, 1 GiB of it and hardly a block on the
disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.clients import Client, connect, pid_of, resident_octets, within
from tests.system.harness import PATIENCE, Server, password_of

GIB = 1 << 30
MIB = 1 << 20
KIB = 1 << 10
LARGE = 8 * MIB
"""Far more than all buffers between a server and a client hold."""
MANY = 5_000
READERS = 20
CHUNK = MIB
LISTENERS = {"plain": "pop3-trusted", "implicit": "pop3s", "stls": "pop3"}
ACCOUNTS = tuple(f"user{number}@example.test" for number in range(3 * READERS + 20))
ways = pytest.mark.parametrize("way", LISTENERS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests: each has maildrops of its own."""
    with Server(tmp_path_factory.mktemp("server"), accounts=ACCOUNTS) as running:
        yield running


_unused = iter(ACCOUNTS)


@pytest.fixture
def account() -> str:
    """Whose maildrop nobody else uses."""
    return next(_unused)


def put(server: Server, account: str, size: int, number: int = 1, dots: int = 0) -> str:
    """A sparse message in wire form; its path."""
    maildir = server.maildir(account)
    for name in ("tmp", "new", "cur"):
        (maildir / name).mkdir(parents=True, exist_ok=True)
    path = maildir / "new" / f"{1700000000 + number}.Rlarge.mail,S={size},W={size},D={dots}"
    with path.open("wb") as file:
        file.write(b"Subject: large\r\n\r\n")
        file.truncate(size - 2)
        file.seek(size - 2)
        file.write(b"\r\n")
    return str(path)


@contextlib.contextmanager
def session(server: Server, account: str, way: str = "plain", receive_buffer: int = 0) -> Iterator[Client]:
    """Logged in. No QUIT at the end."""
    with connect(server, LISTENERS[way], receive_buffer) as client:
        if way == "implicit":
            begin_tls(server, client)
        assert client.line().startswith(b"+OK")
        if way == "stls":
            client.say(b"STLS", b"+OK")
            begin_tls(server, client)
        client.say(f"USER {account}".encode(), b"+OK")
        client.say(f"PASS {password_of(account)}".encode(), b"+OK")
        yield client


def begin_tls(server: Server, client: Client) -> None:
    client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")


def drain(client: Client, octets: int, digest: hashlib._Hash | None = None) -> None:
    """Read so many octets without keeping them."""
    buffer = bytearray(CHUNK)
    head = client.octets(min(octets, 4096))
    if digest is not None:
        digest.update(head)
    left = octets - len(head)
    kept = client.octets(min(left, len(client._unread)))
    if digest is not None:
        digest.update(kept)
    left -= len(kept)
    while left:
        found = client.socket.recv_into(buffer, min(left, CHUNK))
        assert found, f"the connection ended {left} octets too early"
        if digest is not None:
            digest.update(memoryview(buffer)[:found])
        left -= found


class Peak:
    """The most memory that a process has held since now."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        self.before = resident_octets(pid)

    def growth(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KIB - self.before
        raise AssertionError("the process is gone")


def warm_up(server: Server, account: str, way: str) -> None:
    """What a first session of a kind takes for good is no part of what a message costs."""
    put(server, account, 2 * MIB, number=0)
    with session(server, account, way) as client:
        client.say(b"RETR 1", b"+OK")
        drain(client, 2 * MIB)
        assert client.octets(3) == b".\r\n"
        client.say(b"DELE 1", b"+OK")
        client.say(b"QUIT", b"+OK")


@ways
def test_a_message_of_a_gibibyte_costs_less_than_a_mebibyte(server: Server, account: str, way: str) -> None:
    """Through TLS, which takes its time, a quarter of it: but for the buffers none of it is held."""
    warm_up(server, account, way)
    size = GIB if way == "plain" or os.environ.get("MAILSUITE_LONG") else GIB // 4
    put(server, account, size)
    with session(server, account, way) as client:
        assert client.say(b"STAT", b"+OK") == b"+OK 1 %d" % size
        peak = Peak(pid_of(server))
        client.say(b"RETR 1", b"+OK")
        drain(client, size)
        assert client.octets(3) == b".\r\n"
        assert peak.growth() < MIB
        client.say(b"NOOP", b"+OK")


@ways
def test_readers_that_stall_cost_less_than_256_kib_each(server: Server, account: str, way: str) -> None:
    warm_up(server, account, way)
    accounts = [next(_unused) for _ in range(READERS)]
    for each in accounts:
        put(server, each, LARGE)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(session(server, each, way, receive_buffer=4096)) for each in accounts]
        for client in clients:
            client.say(b"NOOP", b"+OK")
        peak = Peak(pid_of(server))
        for client in clients:
            client.send(b"RETR 1\r\n")
            client.octets(100)  # it is on its way
        settle(server)
        assert peak.growth() < READERS * 256 * KIB
        client = clients[-1]
        drain(client, LARGE - 100)  # and whoever reads on gets it


def settle(server: Server) -> None:
    """Wait until the server has nothing to do: it has filled all the buffers that it fills."""
    before = -1
    while (now := jiffies(server)) != before:
        before = now
        time.sleep(0.2)  # two ticks of that clock would be enough


def jiffies(server: Server) -> int:
    fields = Path(f"/proc/{pid_of(server)}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@ways
def test_a_large_message_arrives_as_it_is(server: Server, account: str, way: str) -> None:
    """Over TLS each octet that was not made by TLS would break the session: the client would tell."""
    content = os.urandom(3 * MIB).replace(b"\n", b"x").replace(b"\r", b"y")
    lines = b"".join(b"x" + content[at : at + 70] + b"\r\n" for at in range(0, len(content), 70))
    path = put(server, account, len(lines))
    Path(path).write_bytes(lines)
    with session(server, account, way) as client:
        for _ in range(2):
            client.send(b"RETR 1\r\nNOOP\r\n")
            assert client.line().startswith(b"+OK")
            received, expected = hashlib.sha256(), hashlib.sha256(lines)
            drain(client, len(lines), received)
            assert received.digest() == expected.digest()
            assert client.octets(3) == b".\r\n"
            assert client.line().startswith(b"+OK")


def test_a_file_that_is_cut_short_ends_the_connection(server: Server, account: str) -> None:
    """The client must not take half a message for a whole one, nor an answer for text."""
    path = put(server, account, LARGE)
    with session(server, account, receive_buffer=4096) as client:
        client.send(b"RETR 1\r\nNOOP\r\n")
        assert client.line().startswith(b"+OK")
        client.octets(100)
        settle(server)
        os.truncate(path, LARGE // 2)
        rest = client.rest()
        assert len(rest) <= LARGE
        assert b"\r\n.\r\n" not in rest
        assert b"OK" not in rest
    within(PATIENCE, lambda: logged(server, "pop3.broken_message"), AssertionError)


def logged(server: Server, event: str) -> None:
    assert event in server.logged()


def test_a_client_that_goes_away_in_the_middle_frees_the_maildrop(server: Server, account: str) -> None:
    put(server, account, LARGE)
    with session(server, account, receive_buffer=4096) as client:
        client.send(b"RETR 1\r\n")
        client.octets(100)
        client.reset()

    def again() -> None:
        with session(server, account) as client:
            client.say(b"STAT", b"+OK 1 ")

    within(PATIENCE, again, AssertionError)


def test_others_are_served_while_a_large_message_goes_out(server: Server, account: str) -> None:
    put(server, account, GIB // 4)
    with session(server, account) as reader, session(server, next(_unused)) as other:
        reader.send(b"RETR 1\r\n")
        left, answered = GIB // 4, 0
        reader.line()
        reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        while left > CHUNK:
            drain(reader, CHUNK)
            left -= CHUNK
            other.say(b"NOOP", b"+OK")
            answered += 1
        assert answered == GIB // 4 // CHUNK - 1


def test_a_message_of_others_with_a_wrong_size_arrives_whole(server: Server, account: str) -> None:
    """The size in the name of a foreign file is what its maker thought; the text is what there is."""
    maildir = server.maildir(account)
    for name in ("tmp", "new", "cur"):
        (maildir / name).mkdir(parents=True, exist_ok=True)
    text = b"Subject: x\n\n" + b"a line\n.\n" * 20_000
    (maildir / "new" / f"1700000001.M1P1.other,S={len(text)},W={len(text)}").write_bytes(text)
    with session(server, account) as client:
        assert b"".join(line + b"\n" for line in client.multiline(b"RETR 1")) == text
        client.say(b"NOOP", b"+OK")


def test_a_maildrop_of_many_messages_is_listed_again_from_memory(server: Server, account: str) -> None:
    """Figures are in bench; here only that all of it is right, twice."""
    maildir = server.maildir(account)
    for name in ("tmp", "new", "cur"):
        (maildir / name).mkdir(parents=True, exist_ok=True)
    uniques = [f"{1700000000 + number // 7}.Rmany.Q{number:06d}" for number in range(MANY)]
    for number, unique in enumerate(uniques):
        name = f"{unique},S=2,W=2,D=0"
        (maildir / ("cur" if number % 2 else "new") / (name + ":2,S" * (number % 2))).touch()
    expected = [f"{number} {unique}".encode() for number, unique in enumerate(sorted(uniques), 1)]
    for _ in range(2):
        with session(server, account) as client:
            assert client.say(b"STAT") == b"+OK %d %d" % (MANY, 2 * MANY)
            assert client.multiline(b"UIDL") == expected
            client.say(b"QUIT", b"+OK")
    (maildir / "new" / "1800000000.late,S=2,W=2,D=0").write_bytes(b"\r\n")
    with session(server, account) as client:
        assert client.say(b"UIDL %d" % (MANY + 1)) == b"+OK %d 1800000000.late" % (MANY + 1)
