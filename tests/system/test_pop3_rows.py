"""POP3 as the standard has it, at a real server: lock, snapshot, lost connections, pipelining, silence
(features rows P-05, P-06, P-12, P-15, P-16, S-A10)."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator

import pytest

from tests.system.clients import (
    Client,
    Refused,
    connect,
    pop3,
    retrieve_all,
    sizes,
    uidls,
    within,
)
from tests.system.harness import LIMITS, PASSWORDS, Server

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"
NAME_AND_PASSWORD = f"USER {JOE}\r\nPASS {PASSWORDS[JOE]}\r\n".encode()
POINTS = 200
LARGE = b"Subject: large\r\n\r\n" + (b"." + b"0123456789abcdef" * 4 + b"\r\n") * 60_000
"""About 4 MB: more than the buffers of a connection hold."""
MINUTE_IN_SHORT = 1.0
"""Seconds that an idle session has, where a test is about that."""


@contextlib.contextmanager
def open_soon(server: Server, account: str = JOE, seconds: float = 1.0) -> Iterator[Client]:
    """A maildrop, when whoever had it is gone."""
    with contextlib.ExitStack() as stack:
        yield within(seconds, lambda: stack.enter_context(pop3(server, account)), Refused)


@pytest.fixture
def filled(server: Server) -> Iterator[Server]:
    """Joe has three messages."""
    for number in range(3):
        server.deliver(b"Subject: %d\r\n\r\n.\r\nbody %d\r\n" % (number, number))
    yield server
    with open_soon(server) as client:
        for number in sizes(client):
            client.say(b"DELE %d" % number, b"+OK")
        client.say(b"QUIT", b"+OK")


# P-05: one maildrop, one session


def test_after_quit_the_maildrop_is_free_at_once(filled: Server) -> None:
    for _ in range(20):
        with pop3(filled) as client:
            client.say(b"QUIT", b"+OK")


def test_after_the_end_of_the_connection_within_a_second(filled: Server) -> None:
    for end in (Client.close, Client.reset, Client.half_close):
        with pop3(filled) as client:
            end(client)
            with open_soon(filled) as other:
                other.say(b"QUIT", b"+OK")


def test_who_comes_second_may_try_again_in_the_same_session(filled: Server) -> None:
    with pop3(filled) as first, connect(filled, "pop3-trusted") as second:
        second.line()
        for _ in range(4):  # more often than wrong passwords are heard
            second.say(f"USER {JOE}".encode(), b"+OK")
            second.say(f"PASS {PASSWORDS[JOE]}".encode(), b"-ERR [IN-USE] ")
        second.say(b"STAT", b"-ERR")
        first.say(b"QUIT", b"+OK")
        second.say(f"USER {JOE}".encode(), b"+OK")
        second.say(f"PASS {PASSWORDS[JOE]}".encode(), b"+OK")
        second.say(b"STAT", b"+OK 3 ")
        second.say(b"QUIT", b"+OK")


def test_a_wrong_password_learns_nothing_of_the_lock(filled: Server) -> None:
    with pop3(filled), connect(filled, "pop3-trusted") as second:
        second.line()
        second.say(f"USER {JOE}".encode(), b"+OK")
        second.say(b"PASS wrong", b"-ERR [AUTH] ")


def test_after_a_kill_of_the_server_the_maildrop_is_free(own_server: Server) -> None:
    own_server.start()
    own_server.deliver(b"Subject: one\r\n\r\n")
    with pop3(own_server) as client:
        client.say(b"DELE 1", b"+OK")
        own_server.kill()
        own_server.start()
        with pop3(own_server) as again:
            again.say(b"STAT", b"+OK 1 ")


def test_a_takeover_keeps_what_the_first_session_had_marked(own_server: Server) -> None:
    own_server.extra = LIMITS + "takeover = true\n"
    own_server.start()
    own_server.deliver(b"Subject: one\r\n\r\n")
    with pop3(own_server) as first:
        first.say(b"DELE 1", b"+OK")
        with connect(own_server, "pop3-trusted") as stranger:
            stranger.line()
            stranger.say(f"USER {JOE}".encode(), b"+OK")
            stranger.say(b"PASS wrong", b"-ERR [AUTH] ")
        first.say(b"NOOP", b"+OK")
        with pop3(own_server) as second:
            second.say(b"STAT", b"+OK 1 ")
            second.say(b"RETR 1", b"+OK")
            second.lines()
            second.say(b"QUIT", b"+OK")
        assert not first.rest().startswith(b"+OK")


# P-06: what was there at the login, and nothing else


def test_mail_that_comes_meanwhile_is_for_the_next_session(filled: Server) -> None:
    with pop3(filled) as client:
        before = [client.multiline(b"LIST"), client.multiline(b"UIDL"), client.say(b"STAT")]
        filled.deliver(b"Subject: late\r\n\r\n")  # delivery does not wait for the lock
        assert [client.multiline(b"LIST"), client.multiline(b"UIDL"), client.say(b"STAT")] == before
        for command in (b"RETR 4", b"TOP 4 0", b"DELE 4", b"LIST 4", b"UIDL 4"):
            client.say(command, b"-ERR")
        client.say(b"DELE 2", b"+OK")
        client.say(b"QUIT", b"+OK")
    with pop3(filled) as client:
        subjects = [client.multiline(b"TOP %d 0" % number)[-2] for number in sizes(client)]
    assert subjects == [b"Subject: 0", b"Subject: 2", b"Subject: late"]


# P-12: QUIT alone deletes


def test_a_client_that_dies_at_any_octet_deletes_nothing(server: Server) -> None:
    """Cut at two hundred random octets of what is sent or read, be it in the middle of a message."""
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    chance = random.Random(seed)
    for number in range(3):
        server.deliver(b"Subject: %d\r\n\r\n" % number + LARGE[:20_000], ANN)
    commands = (
        b"".join(b"RETR %d\r\nDELE %d\r\n" % (number, number) for number in (1, 2, 3)) + b"NOOP\r\nQUIT"
    )
    with pop3(server, ANN) as client:
        before = retrieve_all(client)
        client.say(b"QUIT", b"+OK")
    for _ in range(POINTS):
        with open_soon(server, ANN, 5) as client:
            sent = chance.choice((len(commands), chance.randrange(len(commands))))
            client.send(commands[:sent])
            if sent == len(commands):
                client.octets(chance.randrange(1, 60_000))
            chance.choice((Client.close, Client.reset, Client.half_close))(client)
    with open_soon(server, ANN, 10) as client:
        assert retrieve_all(client) == before
        for number in range(1, 4):
            client.say(b"DELE %d" % number, b"+OK")
        client.say(b"QUIT", b"+OK")
    with pop3(server, ANN) as client:
        client.say(b"STAT", b"+OK 0 0")


# P-15: answered in order, however much comes at once


def test_a_thousand_commands_in_one_segment_while_the_login_is_judged(filled: Server) -> None:
    """PASS takes a thread its time; whatever stands behind it waits. TW answers STAT before PASS."""
    again = [b"RETR 2", b"LIST 3", b"TOP 1 0", b"STAT", b"UIDL 1"] * 199 + [b"DELE 1", b"RETR 1", b"QUIT"]
    with pop3(filled) as client:
        names, known = uidls(client), sizes(client)
        texts = {command: client.multiline(command) for command in (b"RETR 2", b"TOP 1 0")}
        client.say(b"QUIT", b"+OK")
    name = {number: uidl.encode() for uidl, number in names.items()}
    total = b"+OK %d %d" % (len(known), sum(known.values()))
    expected = {b"LIST 3": b"+OK 3 %d" % known[3], b"STAT": total, b"UIDL 1": b"+OK 1 " + name[1]}
    with connect(filled, "pop3-trusted") as client:
        client.line()
        client.send(NAME_AND_PASSWORD + b"".join(command + b"\r\n" for command in again))
        assert client.line() == b"+OK Send your password"
        assert client.line().startswith(b"+OK 3 messages ")
        for command in again[:-3]:
            first = client.line()
            assert first == expected.get(command, first)
            assert first.startswith(b"+OK")
            if command in texts:
                assert client.lines() == texts[command]
        assert [client.line()[:4] for _ in range(3)] == [b"+OK ", b"-ERR", b"+OK "]
        assert client.rest() == b""
    with pop3(filled) as client:
        assert list(uidls(client).values()) == [1, 2]


def test_a_thousand_commands_behind_a_wrong_password(filled: Server) -> None:
    """None of them is run as anybody."""
    commands = f"USER {JOE}\r\nPASS wrong\r\n".encode() + b"DELE 1\r\nSTAT\r\n" * 500 + b"QUIT\r\n"
    with connect(filled, "pop3-trusted") as client:
        client.line()
        client.send(commands)
        answers = client.rest().split(b"\r\n")
        assert answers[:2] == [b"+OK Send your password", b"-ERR [AUTH] Name or password is wrong"]
        assert not [line for line in answers[2:] if line.startswith(b"+OK")]
    with pop3(filled) as client:
        client.say(b"STAT", b"+OK 3 ")


# P-16: silence ends a session, and nothing else


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = LIMITS + f'idle_timeout = "{MINUTE_IN_SHORT:.0f}s"\n'
    with Server(tmp_path_factory.mktemp("hasty"), extra=extra) as running:
        running.deliver(LARGE)
        yield running


def test_silence_after_the_login_deletes_nothing(hasty: Server) -> None:
    with pop3(hasty) as client:
        client.say(b"DELE 1", b"+OK")
        began = time.monotonic()
        assert client.rest() == b"", "RFC 1939 section 3: without a response"
        assert MINUTE_IN_SHORT * 0.8 < time.monotonic() - began < MINUTE_IN_SHORT * 4
    with open_soon(hasty) as client:
        client.say(b"STAT", b"+OK 1 ")


def test_who_reads_slowly_is_waited_for_and_who_does_not_read_is_not(hasty: Server) -> None:
    """Progress counts: a message may take several times as long as a session may idle."""
    with pop3(hasty, receive_buffer=4096) as client:
        client.send(b"RETR 1\r\nDELE 1\r\n")
        size = int(client.line().split()[1])
        began, read = time.monotonic(), 0
        while time.monotonic() - began < 4 * MINUTE_IN_SHORT:
            read += len(client.octets(20_000))
            time.sleep(MINUTE_IN_SHORT / 20)
        assert read < size, "it was slow enough"
        time.sleep(4 * MINUTE_IN_SHORT)
        with pytest.raises((Refused, ConnectionResetError)):
            client.octets(size + 60_000 - read)
    with open_soon(hasty) as client:
        client.say(b"STAT", b"+OK 1 ")


# S-A10: mail that goes when it was fetched


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = LIMITS + 'delete_after = "retrieval"\n'
    with Server(tmp_path_factory.mktemp("fetching"), extra=extra) as running:
        yield running


def test_what_was_fetched_goes_with_quit_and_not_before(fetching: Server) -> None:
    for number in range(3):
        fetching.deliver(b"Subject: %d\r\n\r\nbody\r\nof two lines\r\n" % number)
    for end in (Client.close, Client.reset, Client.half_close):
        with open_soon(fetching) as client:
            assert b"EXPIRE 0" in client.multiline(b"CAPA")
            client.multiline(b"RETR 1")
            end(client)
    with open_soon(fetching) as client:
        names = list(uidls(client))
        client.say(b"STAT", b"+OK 3 ")
        top = client.multiline(b"TOP 2 5")
        assert top[-2:] == [b"Subject: 1", b""], "nobody reads a message by TOP instead (RFC 1939 section 8)"
        client.multiline(b"RETR 1")
        client.multiline(b"RETR 3")
        client.say(b"RSET", b"+OK")
        client.say(b"QUIT", b"+OK")
    with pop3(fetching) as client:
        assert list(uidls(client)) == [names[1]], "TOP has retrieved nothing"
    with connect(fetching, "pop3-trusted") as client:
        client.line()
        client.say(b"USER joe+trash@example.test", b"+OK")
        client.say(f"PASS {PASSWORDS[JOE]}".encode(), b"+OK 2 ")
        assert set(uidls(client)) == {names[0], names[2]}
        assert not [line for line in client.multiline(b"CAPA") if line.startswith(b"EXPIRE")]
        client.multiline(b"RETR 1")
        client.say(b"QUIT", b"+OK")
    listed = fetching.cli("undelete", JOE, "--list", "--quiet").split()
    assert set(listed) == {names[0], names[2]}


def test_a_message_that_came_only_half_stays(fetching: Server) -> None:
    fetching.deliver(LARGE, BOB)
    with pop3(fetching, BOB, receive_buffer=4096) as client:
        client.send(b"RETR 1\r\nQUIT\r\n")
        client.octets(100_000)
        client.reset()
    with open_soon(fetching, BOB, 5) as client:
        client.say(b"STAT", b"+OK 1 ")
