"""One line for each session (features row P-24), whatever its end, over real sockets."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.system.clients import Client, Refused, connect, within
from tests.system.harness import LIMITS, PASSWORDS, PATIENCE, Server

JOE = "joe@example.test"
LARGE = b"Subject: large\r\n\r\n" + (b"0123456789abcdef" * 4 + b"\r\n") * 20_000
LOGIN = f"USER {JOE}\r\nPASS {PASSWORDS[JOE]}\r\n".encode()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with little patience."""
    extra = LIMITS + 'idle_timeout = "2s"\nlogin_timeout = "1s"\non_overlong_command = "close"\n'
    with Server(tmp_path_factory.mktemp("hasty"), extra=extra) as running:
        yield running


def summaries(server: Server) -> list[dict[str, str]]:
    """The fields of each line, in their order."""
    return [
        dict(field.split("=", 1) for field in shlex.split(line.partition("pop3.session ")[2]))
        for line in server.logged().splitlines()
        if " pop3.session " in line
    ]


@contextlib.contextmanager
def summed_up(server: Server) -> Iterator[dict[str, str]]:
    """What the one session within is summed up as, by the end of the ``with``; never in two lines."""
    before, found = len(summaries(server)), dict[str, str]()
    yield found
    within(PATIENCE, lambda: wait_for(server, before + 1), AssertionError)
    [line] = summaries(server)[before:]
    found.update(line)


def wait_for(server: Server, count: int) -> None:
    assert len(summaries(server)) >= count


@contextlib.contextmanager
def logged_in(server: Server) -> Iterator[Client]:
    with connect(server, "pop3-trusted") as client:
        client.line()
        client.send(LOGIN)
        assert client.line().startswith(b"+OK")
        assert client.line().startswith(b"+OK")
        yield client


def test_a_whole_session_by_tls(server: Server) -> None:
    server.deliver(b"Subject: one\r\n\r\nbody\r\n")
    server.deliver(b"Subject: two\r\n\r\nbody\r\n")
    with summed_up(server) as line, server.pop3() as client:
        count, octets = client.stat()
        client.top(1, 0)
        client.retr(1)
        client.retr(2)
        client.dele(1)
        client.dele(2)
    assert re.fullmatch(r"TLSv1\.3 TLS_\w+", line["tls"])
    assert (line["peer"], line["account"], line["mechanism"]) == ("127.0.0.1", JOE, "USER")
    assert (line["listener"], line["device"], line["view"], line["reason"]) == ("pop3s", "", "inbox", "QUIT")
    assert (int(line["messages"]), int(line["octets"])) == (count, octets)
    assert [line[name] for name in ("retrieved", "tops", "deleted")] == ["2", "1", "2"]
    assert int(line["retrieved_octets"]) == octets + 2 * len(".\r\n")
    assert 0 < int(line["top_octets"]) < octets
    assert int(line["octets_out"]) > int(line["retrieved_octets"]) + int(line["top_octets"])
    assert 50 < int(line["octets_in"]) < 200
    assert float(line["seconds"]) >= 0


def test_a_large_message_goes_by_the_kernel_and_is_counted(server: Server) -> None:
    server.deliver(LARGE)
    with summed_up(server) as line, logged_in(server) as client:
        client.send(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        octets = int(client.line().split()[1])
        assert client.octets(octets).endswith(LARGE)
        assert client.rest().count(b"+OK") == 2
    assert (line["reason"], line["retrieved"], line["deleted"]) == ("QUIT", "1", "1")
    assert int(line["retrieved_octets"]) == octets + len(".\r\n")
    assert line["tls"] == ""


def test_who_says_goodbye_before_a_login(server: Server) -> None:
    with summed_up(server) as line, connect(server, "pop3") as client:
        client.line()
        client.send(b"CAPA\r\nQUIT\r\n")
        client.rest()
    assert (line["account"], line["mechanism"], line["reason"], line["octets_in"]) == ("", "", "QUIT", "12")


def test_who_just_goes(server: Server) -> None:
    with summed_up(server) as line, logged_in(server):
        pass
    assert (line["account"], line["reason"]) == (JOE, "disconnected")
    with summed_up(server) as line, connect(server, "pop3") as client:
        client.line()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert line["reason"] == "disconnected"


def test_wrong_passwords(server: Server) -> None:
    with summed_up(server) as line, connect(server, "pop3-trusted") as client:
        client.line()
        client.send(f"USER {JOE}\r\nPASS wrong\r\n".encode() * 4)
        client.rest()
    assert (line["account"], line["reason"]) == ("", "failed-logins")


def test_a_client_without_measure(hasty: Server) -> None:
    with summed_up(hasty) as line, logged_in(hasty) as client:
        client.send(b"x" * 600)
        client.rest()
    assert (line["account"], line["reason"]) == (JOE, "oversize-command")


def test_who_says_nothing(hasty: Server) -> None:
    with summed_up(hasty) as line, logged_in(hasty) as client:
        client.rest()
    assert (line["account"], line["reason"]) == (JOE, "idle time-out")
    assert 2.0 <= float(line["seconds"]) < PATIENCE


def test_who_says_much_and_never_logs_in(hasty: Server) -> None:
    with (
        summed_up(hasty) as line,
        connect(hasty, "pop3") as client,
        contextlib.suppress(ConnectionError, Refused),
    ):
        client.line()
        while client.say(b"CAPA", b"+OK"):
            client.lines()
    assert (line["account"], line["reason"]) == ("", "login time-out")
    assert 1.0 <= float(line["seconds"]) < PATIENCE


def test_the_service_stops(own_server: Server) -> None:
    own_server.start()
    with logged_in(own_server) as client, connect(own_server, "pop3") as other:
        other.line()
        assert own_server.process is not None
        own_server.process.send_signal(signal.SIGTERM)
        assert client.rest().startswith(b"-ERR [SYS/TEMP]")
        other.rest()
    own_server.stop()
    assert [line["reason"] for line in summaries(own_server)] == ["service stops"] * 2


def test_a_password_is_in_no_line(server: Server) -> None:
    assert not any(password in server.logged() for password in PASSWORDS.values())
