"""Figures over HTTP and the control socket, and a watch on what somebody says, at a real server."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.system.clients import Client, connect, within
from tests.system.harness import LIMITS, LISTENERS, PASSWORDS, PATIENCE, Server

JOE = "joe@example.test"
METRICS = """
[[listener]]
name    = "figures"
service = "metrics"
bind    = ["127.0.0.1"]
port    = 0
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"), listeners=LISTENERS + METRICS)
    with running:
        yield running


def port_of(server: Server) -> int:
    """The status tells of services for mail alone."""
    opened = re.findall(r"listener\.opened listener=figures .* at=127\.0\.0\.1:(\d+)", server.logged())
    return int(opened[-1])


def ask(server: Server, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=PATIENCE)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def figure(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def log_in(server: Server, password: str = PASSWORDS[JOE]) -> Client:
    client = connect(server, "pop3-trusted")
    client.line()
    client.say(f"USER {JOE}".encode(), b"+OK")
    client.say(f"PASS {password}".encode())
    return client


def test_what_happened_is_counted(server: Server) -> None:
    server.deliver(b"Subject: one\r\n\r\nbody\r\n")
    before = ask(server, "/metrics")[1]
    log_in(server, "wrong").close()
    with log_in(server) as client:
        client.multiline(b"RETR 1")
        open_now = ask(server, "/metrics")[1]
        assert figure(open_now, "mailsuite_sessions_open", service="pop3", listener="pop3-trusted") >= 1
        client.say(b"DELE 1", b"+OK")
        client.say(b"QUIT", b"+OK")
        client.rest()

    def counted() -> None:
        after = ask(server, "/metrics")[1]
        for name, labels, more in (
            ("mailsuite_sessions_total", {"listener": "pop3-trusted"}, 2),
            ("mailsuite_logins_total", {"service": "pop3", "mechanism": "USER", "result": "ok"}, 1),
            ("mailsuite_logins_total", {"service": "pop3", "mechanism": "USER", "result": "refused"}, 1),
            ("mailsuite_messages_retrieved_total", {"service": "pop3"}, 1),
            ("mailsuite_messages_deleted_total", {"service": "pop3"}, 1),
            ("mailsuite_session_duration_seconds_count", {"service": "pop3"}, 2),
        ):
            assert figure(after, name, **labels) - figure(before, name, **labels) == more, name
        assert figure(after, "mailsuite_sessions_open", service="pop3") == 0
        assert JOE not in after

    within(PATIENCE, counted, AssertionError)


def test_what_smtp_clients_are_told(server: Server) -> None:
    before = ask(server, "/metrics")[1]
    server.deliver(b"Subject: one\r\n\r\nbody\r\n")
    with connect(server, "mx") as client:
        client.line()
        for command in (b"EHLO client.example", b"MAIL FROM:<>", b"RCPT TO:<nobody@example.test>", b"QUIT"):
            client.say(command)
    after = ask(server, "/metrics")[1]
    for about, code, enhanced, more in (
        ("sender", "250", "2.1.0", 2),
        ("recipient", "250", "2.1.5", 1),
        ("recipient", "550", "5.1.1", 1),
        ("message", "250", "2.0.0", 1),
    ):
        labels = {"service": "smtp", "about": about, "code": code, "enhanced": enhanced}
        name = "mailsuite_answers_total"
        assert figure(after, name, **labels) - figure(before, name, **labels) == more, labels


def test_whether_it_lives_and_nothing_else(server: Server) -> None:
    assert ask(server, "/healthz") == (200, "alive\n")
    assert ask(server, "/")[0] == 404
    assert ask(server, "/metrics", "DELETE")[0] == 405
    assert ask(server, "/metrics", "HEAD") == (200, "")


def test_by_the_control_socket(server: Server) -> None:
    assert 'mailsuite_build_info{version="' in server.cli("metrics")


def test_from_elsewhere(own_server: Server) -> None:
    own_server.listeners += METRICS
    own_server.extra = LIMITS + '[metrics]\nallow = ["192.0.2.0/24"]\n'
    own_server.start()
    assert ask(own_server, "/metrics")[0] == 403
    own_server.extra = LIMITS + '[metrics]\nallow = ["127.0.0.1/32"]\n'
    own_server.reload()
    assert ask(own_server, "/metrics")[0] == 200


def shown(server: Server) -> list[str]:
    marks = {"pop3.command": "C", "pop3.reply": "S"}
    lines = (line.split(None, 3) for line in server.logged().splitlines() if " pop3." in line)
    return [f"{marks[event]}: {rest.partition('line=')[2]}" for _, _, event, rest in lines if event in marks]


def test_a_watch_on_an_account_and_on_an_address(server: Server) -> None:
    with log_in(server) as client:
        client.say(b"NOOP", b"+OK")
    assert shown(server) == []
    assert "Watching joe@example.test (commands)" in server.cli("log", "protocol", JOE)
    with log_in(server) as client:
        client.say(b"NOOP", b"+OK")
    within(PATIENCE, lambda: seen(server, ["C: NOOP", 'S: "+OK Done"']), AssertionError)
    server.cli("log", "protocol", JOE, "--off")
    server.cli("log", "protocol", "127.0.0.1", "--level", "raw")
    with log_in(server) as client:
        client.say(b"NOOP", b"+OK")
    within(PATIENCE, lambda: seen(server, ['C: "USER joe@example.test"', 'C: "PASS ***"']), AssertionError)
    assert "127.0.0.1" in server.cli("log", "protocol", "--list")
    server.cli("log", "protocol", "127.0.0.1", "--off")
    assert "Nobody is watched." in server.cli("log", "protocol", "--list")
    assert not any(password in server.logged() for password in PASSWORDS.values())
    server.cli("log", "protocol", "nobody@example.test", status=1)


def seen(server: Server, lines: list[str]) -> None:
    found = shown(server)
    assert all(line in found for line in lines), found
