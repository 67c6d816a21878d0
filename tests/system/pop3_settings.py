"""What tells on the wire which settings of [pop3] hold: each takes a server, answers what a client meets."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from tests.system.clients import Client, Refused, connect, greeted, log_in
from tests.system.harness import PASSWORDS, Server, password_of

JOE, ANN, BOB, KIM = "joe@example.test", "ann@example.test", "bob@example.test", "kim@other.test"
READY = b"+OK mail.example.test POP3 ready"
"""How the harness's server greets."""
SHORT_WAIT = 2.5
"""Seconds after which a session that may idle for one second is gone."""

Probe = Callable[[Server], object]


def greeting(listener: str = "pop3") -> Probe:
    """The first line; b"" where nothing is said. A stamp is told by its mark alone."""

    def probe(server: Server) -> object:
        with connect(server, listener) as client:
            return re.sub(rb"<.+@(.+)>", rb"<\1>", client.line())

    return probe


def answers(*commands: bytes, listener: str = "pop3-trusted", login: str = "") -> Probe:
    """Whether each command is answered by +OK (and its first word, where that is a code); "closed" for those
    behind the end of the connection. With *login* as one who has logged in."""

    def probe(server: Server) -> object:
        with in_session(server, listener, login) as client:
            return [_told(client, command) for command in commands]

    return probe


def _told(client: Client, command: bytes) -> str:
    with contextlib.suppress(ConnectionError):
        client.send(command if command.endswith(b"\n") else command + b"\r\n")
        words = client.line().decode().split()
        if words:
            return " ".join(words[:2] if words[1:] and words[1].startswith("[") else words[:1])
    return "closed"


def capability(tag: str, *, login: str = "", listener: str = "pop3-trusted") -> Probe:
    """The line of CAPA that begins with this word; "" where there is none."""

    def probe(server: Server) -> object:
        with in_session(server, listener, login) as client:
            told = [line.decode() for line in client.multiline(b"CAPA")]
        return next((line for line in told if line.split()[0] == tag), "")

    return probe


def lets_in(name: str, account: str = JOE) -> Probe:
    """Whether the account's password opens a maildrop to whoever calls himself *name*."""

    def probe(server: Server) -> object:
        with greeted(server, "pop3-trusted") as client:
            client.say(f"USER {name}".encode(), b"+OK")
            return _told(client, f"PASS {password_of(account)}".encode())

    return probe


def both_in(first: str, second: str) -> Probe:
    """How a second login fares while the first is there, and whether that still is."""

    def probe(server: Server) -> object:
        with in_session(server, "pop3-trusted", first) as there:
            return [lets_in(second)(server), _told(there, b"NOOP") == "+OK"]

    return probe


def in_a_row(server: Server) -> object:
    """How two logins fare, one after the other."""
    fared = []
    for _ in range(2):
        with connect(server, "pop3-trusted") as client:
            fared.append(b" ".join(log_in(client, JOE).split()[:2]))
            client.say(b"QUIT")
    return [line[:18] if line.startswith(b"-") else line[:3] for line in fared]


def outlives_a_silence(login: str = "") -> Probe:
    def probe(server: Server) -> object:
        with in_session(server, "pop3-trusted", login) as client:
            client.socket.settimeout(SHORT_WAIT)
            try:
                return client.line() != b""
            except TimeoutError:
                return True

    return probe


def is_logged(*events: str) -> Probe:
    """Which of these events a session of joe's leaves in the log."""

    def probe(server: Server) -> object:
        before = len(server.logged())
        with in_session(server, "pop3-trusted", JOE) as client:
            client.say(b"QUIT", b"+OK")
            client.rest()
        with connect(server, "mx") as client:  # a warning is written at once, and all before it
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            client.rest()
        logged = server.logged()[before:]
        return [event for event in events if f" {event} " in logged]

    return probe


def text_of(command: bytes, *, utf8: bool = False) -> Probe:
    """What joe is sent, behind the fields that the server has added."""

    def probe(server: Server) -> object:
        with greeted(server, "pop3-trusted") as client:
            if utf8:
                client.say(b"UTF8", b"+OK")
            client.say(f"USER {JOE}".encode(), b"+OK")
            client.say(f"PASS {PASSWORDS[JOE]}".encode(), b"+OK")
            reply = client.say(command)
            if not reply.startswith(b"+OK"):
                return reply.split()[1]
            lines = client.lines()
            subject = next(number for number, line in enumerate(lines) if line.startswith(b"Subject"))
            return lines[subject:]

    return probe


@contextlib.contextmanager
def in_session(server: Server, listener: str, account: str) -> Iterator[Client]:
    """Greeted, and logged in where there is an account; under TLS where the listener's name ends so."""
    with connect(server, listener) as client:
        if listener.endswith("s"):
            client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
        if not (told := client.line()).startswith(b"+OK"):
            raise Refused(f"no greeting: {told!r}")
        if account:
            client.say(f"USER {account}".encode(), b"+OK")
            client.say(f"PASS {password_of(account)}".encode(), b"+OK")
        yield client


@contextlib.contextmanager
def unharmed(server: Server, listener: str) -> Iterator[Client]:
    """A session of bob's, who has two messages: it goes on as it began, whatever happens within."""
    with in_session(server, listener, BOB) as client:
        before = [client.multiline(command) for command in (b"LIST", b"UIDL", b"RETR 1")]
        client.say(b"DELE 2", b"+OK")
        yield client
        client.say(b"RETR 2", b"-ERR")
        client.say(b"RSET", b"+OK 2 ")
        after = [client.multiline(command) for command in (b"LIST", b"UIDL", b"RETR 1")]
        if after != before:
            raise Refused(f"{before} became {after}")
        client.say(b"QUIT", b"+OK")
