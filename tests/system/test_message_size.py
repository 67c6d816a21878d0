"""The largest message of an account or a domain (features rows M-06, S-M14), over real sockets."""

from __future__ import annotations

import os
import pwd
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.system.boxes import ANN, BOB, JOE, Way
from tests.system.clients import Client
from tests.system.harness import LIMITS, LISTENERS, Server, password_of
from tests.system.sockets import LMTP_DOOR, SocketServer, called

KIB = 1024
SENDER = "sender@elsewhere.example"
TEAM = "team@example.test"
OK, END, BIG, APART = "250 2.1.5", "250 2.0.0", "552 5.3.4", "452 4.5.3"
CALLS = """
[[listener]]
name        = "calls"
service     = "submission"
socket      = "{sockets}/submission.sock"
socket_mode = "0600"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    """Joe takes and sends 100 KiB, all of example.test 300 KiB, and the doors 1 MiB."""
    server = SocketServer(tmp_path_factory.mktemp("sizes"))
    server.listeners = LISTENERS + LMTP_DOOR + CALLS
    server.extra = LIMITS.replace("[smtp]", '[smtp]\nmax_message = "1MiB"') + '[lmtp]\nmax_message = "1MiB"\n'
    server.domain = f'max_message = "300KiB"\naliases = {{ team = ["{JOE}", "{ANN}"] }}'
    server.settings = {JOE: 'max_message = "100KiB"', BOB: 'max_message = "900KiB"'}
    with server:
        server.cli("account", "add", "new@other.test", "--generate", "--quiet")
        yield server


def message(octets: int) -> bytes:
    head = b"Subject: size\r\n\r\n"
    line = b"x" * 76 + b"\r\n"
    text = head + line * (octets // len(line) + 1)
    return text[: octets - 2].rstrip(b"\r\n").ljust(octets - 2, b"y") + b"\r\n"


def shown(answer: tuple[int, bytes]) -> str:
    code, text = answer
    return f"{code} {text.decode().split()[0]}"


@contextmanager
def begun(client: smtplib.SMTP, size: int | None, sender: str = SENDER) -> Iterator[smtplib.SMTP]:
    with client:
        client.ehlo_or_helo_if_needed()
        client.mail(sender, [] if size is None else [f"SIZE={size}"])
        yield client


def told(server: Server, *recipients: str, size: int | None = None, octets: int | None = None) -> list[str]:
    """What each RCPT is told, then the end of the data."""
    with begun(server.smtp(), size) as client:
        answers = [shown(client.rcpt(recipient)) for recipient in recipients]
        if octets is not None and OK in answers:
            answers.append(shown(client.data(message(octets))))
            assert client.noop()[0] == 250, "the session lives on"
        return answers


def counts(server: Server, *accounts: str) -> list[int]:
    return [len(Way.of(server, account).names()) for account in accounts]


def test_what_size_promises(server: SocketServer) -> None:
    recipients = JOE, ANN, BOB, TEAM, "new@other.test"
    assert told(server, *recipients, size=100 * KIB) == [OK] * 5
    assert told(server, *recipients, size=100 * KIB + 1) == [BIG, OK, OK, BIG, OK]
    assert told(server, *recipients, size=300 * KIB + 1) == [BIG] * 4 + [OK]


def test_the_true_size(server: SocketServer) -> None:
    before = counts(server, JOE, ANN)
    assert told(server, JOE, octets=100 * KIB + 1) == [OK, BIG]
    assert told(server, JOE, ANN, size=100 * KIB, octets=100 * KIB + 1) == [OK, OK, BIG], "a wrong promise"
    assert told(server, TEAM, octets=100 * KIB + 1) == [OK, BIG]
    assert counts(server, JOE, ANN) == before, "nothing is stored"
    assert told(server, TEAM, octets=100 * KIB) == [OK, END]
    assert counts(server, JOE, ANN) == [number + 1 for number in before]


def test_without_a_promise_nobody_is_refused_for_another_s_sake(server: SocketServer) -> None:
    before = counts(server, JOE, ANN, BOB)
    assert told(server, ANN, JOE, BOB, TEAM, octets=200 * KIB) == [OK, APART, OK, APART, END]
    assert counts(server, JOE, ANN, BOB) == [before[0], before[1] + 1, before[2] + 1]
    assert told(server, JOE, ANN, octets=50 * KIB) == [OK, APART, END]


def test_lmtp_answers_for_each(server: SocketServer) -> None:
    before = counts(server, JOE, ANN)
    with called(server.lmtp) as client:
        client.line()
        client.say(b"LHLO x")
        client.say(b"MAIL FROM:<%s>" % SENDER.encode())
        for recipient in (JOE, ANN, TEAM, ANN):
            assert client.say(b"RCPT TO:<%s>" % recipient.encode()).startswith(b"250 ")
        assert client.say(b"DATA").startswith(b"354 ")
        client.send(message(100 * KIB + 1) + b".\r\n")
        assert [client.line()[:9].decode() for _ in range(4)] == [BIG, END, BIG, END]
    assert counts(server, JOE, ANN) == [before[0], before[1] + 1]


def test_a_submitter_is_told_his_own_limit(server: SocketServer) -> None:
    for account, largest in ((JOE, 100 * KIB), (BOB, 300 * KIB)):
        with smtplib.SMTP_SSL("127.0.0.1", server.ports["submissions"], "x", context=server.tls()) as client:
            client.ehlo()
            everybody = int(client.esmtp_features["size"])
            client.login(account, password_of(account))
            client.ehlo()
            assert int(client.esmtp_features["size"]) == largest < everybody
            assert shown(client.mail(account, [f"SIZE={largest + 1}"])) == BIG
            assert client.mail(account, [f"SIZE={largest}"])[0] == 250
            assert shown(client.rcpt("new@other.test")) == OK
            assert shown(client.data(message(largest + 1))) == BIG, "a wrong promise"
            assert client.mail(account)[0] == 250
            assert shown(client.rcpt("new@other.test")) == OK
            assert shown(client.data(message(largest))) == END


def test_it_is_changed_while_the_server_runs(server: SocketServer) -> None:
    new = "new@other.test"
    assert told(server, new, size=900 * KIB) == [OK]
    server.cli("domain", "change", "other.test", "--max-message", "64KiB")
    assert told(server, new, size=64 * KIB + 1) == [BIG]
    server.cli("account", "change", new, "--max-message", "32KiB")
    assert told(server, new, size=32 * KIB + 1) == [BIG]
    assert told(server, new, octets=32 * KIB) == [OK, END]
    server.cli("account", "change", new, "--max-message", "default")
    assert told(server, new, size=64 * KIB) == [OK]
    server.cli("domain", "change", "other.test", "--max-message", "default")
    assert told(server, new, size=900 * KIB) == [OK]


def offered(client: Client) -> tuple[str, int]:
    """The domain and the SIZE of an answer to EHLO."""
    client.send(b"EHLO x\r\n")
    lines = [client.line()]
    while lines[-1][3:4] == b"-":
        lines.append(client.line())
    (size,) = (int(line[9:]) for line in lines if line[4:].startswith(b"SIZE "))
    return lines[0][4:].decode(), size


def test_who_calls_on_a_unix_socket_has_his_limit_too(server: SocketServer) -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    with called(server.submission) as client:
        client.line()
        domain, _ = offered(client)
    caller = f"{user}@{domain}"
    server.cli("account", "add", caller, "--generate", "--quiet")
    server.cli("account", "change", caller, "--max-message", "64KiB")
    with called(server.submission) as client:
        client.line()
        assert offered(client) == (domain, 64 * KIB)
        mail = b"MAIL FROM:<%s>" % caller.encode()
        assert client.say(b"%s SIZE=%d" % (mail, 64 * KIB + 1)).startswith(BIG.encode())
        for octets, answer in ((64 * KIB + 1, BIG), (64 * KIB, END)):
            assert client.say(mail).startswith(b"250 ")
            assert client.say(b"RCPT TO:<new@other.test>").startswith(b"250 ")
            assert client.say(b"DATA").startswith(b"354 ")
            client.send(message(octets) + b".\r\n")
            assert client.line().startswith(answer.encode())
