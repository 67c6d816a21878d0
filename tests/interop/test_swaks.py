"""swaks: deliveries and submissions step by step, and what must be refused."""

from __future__ import annotations

import pytest

from tests.interop.doors import Doors
from tests.interop.hall import JOERG, MAX_MESSAGE
from tests.interop.letters import PLAIN, split_trace
from tests.interop.programs import Desk, Done, needs
from tests.system.harness import PASSWORDS, Server
from tests.system.sockets import SocketServer, letters

pytestmark = needs("swaks")

ANN, JOE, BOB = "ann@example.test", "joe@example.test", "bob@example.test"
CLOSED, SENDER_REFUSED, RECIPIENT_REFUSED, DATA_REFUSED = 6, 23, 24, 26
AUTHENTICATION_FAILED, TLS_FAILED = 28, 29
STRANGER = "198.51.100.7"


def swaks(desk: Desk, server: Server, listener: str, *arguments: str, status: int = 0) -> Done:
    return desk.run(
        *("swaks", "--server", "127.0.0.1", "--port", str(server.ports[listener])),
        *("--helo", "client.example", "--timeout", "25s"),
        *("--tls-verify", "--tls-ca-path", server.certificate),
        *("--data", f"@{desk.file('letter', PLAIN)}"),
        *arguments,
        status=status,
    )


def login(password: str = PASSWORDS[ANN]) -> tuple[str, ...]:
    return ("--auth-user", ANN, "--auth-password", password)


def only_letter(server: Server, account: str) -> bytes:
    """The trace of the one letter that *account* has; swaks ends what it sends with an empty line."""
    [message] = server.messages(account)
    trace, letter = split_trace(message)
    assert letter == PLAIN + b"\r\n"
    return trace


@pytest.mark.parametrize("pipelining", [(), ("--pipeline",)], ids=["step by step", "pipelined"])
@pytest.mark.parametrize("encryption", [(), ("--tls",)], ids=["clear", "STARTTLS"])
def test_mx(server: Server, desk: Desk, encryption: tuple[str, ...], pipelining: tuple[str, ...]) -> None:
    envelope = ("--from", "x@elsewhere.example", "--to", f"{JOE},{BOB}")
    done = swaks(desk, server, "mx", *envelope, *encryption, *pipelining)
    assert "250 2.0.0 OK, queued as " in done.said
    for account in (JOE, BOB):
        trace = only_letter(server, account)
        assert (b" with ESMTPS id " if encryption else b" with ESMTP id ") in trace


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(
    ("listener", "way"),
    [
        ("submission", ("--tls",)),
        ("submission", ("--tls", "--pipeline")),
        ("submissions", ("--tls-on-connect",)),
        ("submissions", ("--tls-on-connect", "--pipeline")),
    ],
)
def test_submission(server: Server, desk: Desk, listener: str, way: tuple[str, ...], mechanism: str) -> None:
    envelope = ("--from", ANN, "--to", JOE)
    swaks(desk, server, listener, *way, "--auth", mechanism, *login(), *envelope)
    assert b" with ESMTPSA id " in only_letter(server, JOE)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_wrong_password(server: Server, desk: Desk, mechanism: str) -> None:
    arguments = ("--tls", "--auth", mechanism, *login("wrong"), "--from", ANN, "--to", JOE)
    done = swaks(desk, server, "submission", *arguments, status=AUTHENTICATION_FAILED)
    assert "535 5.7.8" in done.said
    assert server.messages(JOE) == []


def test_no_login_in_clear(server: Server, desk: Desk) -> None:
    arguments = ("--auth", "PLAIN", *login(), "--from", ANN, "--to", JOE)
    done = swaks(desk, server, "submission", *arguments, status=AUTHENTICATION_FAILED)
    assert "AUTH PLAIN" not in done.said, "the server must not have offered it"


@pytest.mark.parametrize("pipelining", [(), ("--pipeline",)], ids=["step by step", "pipelined"])
def test_no_relay(server: Server, desk: Desk, pipelining: tuple[str, ...]) -> None:
    envelope = ("--from", "x@elsewhere.example", "--to", "y@elsewhere.example")
    done = swaks(desk, server, "mx", *envelope, *pipelining, status=RECIPIENT_REFUSED)
    assert "550 5.7.1" in done.said


def test_a_recipient_nobody_has(server: Server, desk: Desk) -> None:
    """The others get theirs."""
    envelope = ("--from", "x@elsewhere.example", "--to", f"nobody@example.test,{JOE}")
    done = swaks(desk, server, "mx", *envelope)
    assert "550 5.1.1" in done.said
    only_letter(server, JOE)


def test_the_null_sender(server: Server, desk: Desk) -> None:
    swaks(desk, server, "mx", "--from", "<>", "--to", JOE)
    assert only_letter(server, JOE).startswith(b"Return-Path: <>\r\n")


def test_helo_without_extensions(server: Server, desk: Desk) -> None:
    swaks(desk, server, "mx", "--protocol", "SMTP", "--from", "x@elsewhere.example", "--to", JOE)
    assert b" with SMTP id " in only_letter(server, JOE)


def test_a_strangers_certificate_is_noticed(server: Server, desk: Desk) -> None:
    """The check of the certificate in the other tests means something."""
    (desk.home / "nobody").mkdir()
    arguments = ("--tls", "--tls-ca-path", str(desk.home / "nobody"), "--from", ANN, "--to", JOE)
    done = swaks(desk, server, "mx", *arguments, status=TLS_FAILED)
    assert "certificate verify failed" in done.said


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("pipelining", [(), ("--pipeline",)], ids=["step by step", "pipelined"])
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_each_mechanism(
    doors: Doors, desk: Desk, listener: str, pipelining: tuple[str, ...], mechanism: str
) -> None:
    way = "--tls" if listener == "submission" else "--tls-on-connect"
    password = doors.secret(ANN, mechanism)
    with doors.lets_in("submission", ANN, mechanism):
        arguments = (way, *pipelining, "--auth", mechanism, *login(password), "--from", ANN, "--to", JOE)
        swaks(desk, doors.server, listener, *arguments)
    assert b" with ESMTPSA id " in only_letter(doors.server, JOE)


@pytest.mark.parametrize("pipelining", [(), ("--pipeline",)], ids=["step by step", "pipelined"])
@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_lmtp(hall: SocketServer, desk: Desk, way: str, pipelining: tuple[str, ...]) -> None:
    """Each recipient has an answer; the one that is nobody keeps nothing from the others."""
    where = ("--server", "127.0.0.1", "--port", str(hall.ports["lmtp"]))
    done = desk.run(
        *("swaks", "--protocol", "LMTP", *(where if way == "tcp" else ("--socket", hall.lmtp)), *pipelining),
        *("--helo", "client.example", "--from", "x@elsewhere.example"),
        *("--to", f"{JOE},nobody@example.test,{BOB}"),
        *("--data", f"@{desk.file('letter', PLAIN)}"),
    )
    assert done.said.count("250 2.0.0 OK, queued as ") == 2
    assert "550 5.1.1" in done.said
    for account in (JOE, BOB):
        assert b" with LMTP id " in only_letter(hall, account)


@pytest.mark.parametrize(
    "header",
    [
        ("--proxy-family", "TCP4"),
        ("--proxy-version", "2", "--proxy-family", "AF_INET"),
    ],
    ids=["version 1", "version 2"],
)
def test_behind_a_proxy(hall: SocketServer, desk: Desk, header: tuple[str, ...]) -> None:
    ways = ("--proxy-source", STRANGER, "--proxy-source-port", "4711")
    ways += ("--proxy-dest", "192.0.2.1", "--proxy-dest-port", "25")
    swaks(desk, hall, "mx-behind", *header, *ways, "--from", "x@elsewhere.example", "--to", JOE)
    assert f"[{STRANGER}])".encode() in only_letter(hall, JOE)


def test_behind_a_proxy_that_says_nothing_that_can_be(hall: SocketServer, desk: Desk) -> None:
    arguments = ("--proxy", "TCP4 198.51.100.7 nonsense", "--from", "x@elsewhere.example", "--to", JOE)
    said = swaks(desk, hall, "mx-behind", *arguments, status=CLOSED).said
    assert "250" not in said
    assert letters(hall, JOE) == []


def test_addresses_in_utf_8_need_the_parameter(hall: SocketServer, desk: Desk) -> None:
    """swaks sends what it is told, and says no SMTPUTF8."""
    done = swaks(desk, hall, "mx", "--from", "jürgen@elsewhere.example", "--to", JOE, status=SENDER_REFUSED)
    assert "553 5.6.7" in done.said
    done = swaks(desk, hall, "mx", "--from", "x@elsewhere.example", "--to", JOERG, status=RECIPIENT_REFUSED)
    assert "553 5.6.7" in done.said
    assert letters(hall, JOE) == letters(hall, JOERG) == []


@pytest.mark.parametrize(
    ("recipient", "answer"),
    [
        ("joe", "501 5.1.3"),
        ("joe@", "501 5.1.3"),
        ("@example.test", "501 5.1.3"),
        ("joe@@example.test", "501 5.1.3"),
        ("joe bob@example.test", "501 5.1.3"),
        ("joe@example..test", "501 5.1.3"),
        ("joe%elsewhere.example@example.test", "550 5.1.1"),
        ("elsewhere.example!joe@example.test", "550 5.1.1"),
        ('"joe@elsewhere.example"@example.test', "550 5.1.1"),
        ("@example.test:joe@elsewhere.example", "550 5.7.1"),
        ("joe@[127.0.0.1]", "550 5.7.1"),
        ("joe@sub.example.test", "550 5.7.1"),
        ("x" * 65 + "@example.test", "501 5.1.3"),
    ],
)
def test_recipients_that_are_none(server: Server, desk: Desk, recipient: str, answer: str) -> None:
    arguments = ("--from", "x@elsewhere.example", "--to", recipient)
    done = swaks(desk, server, "mx", *arguments, status=RECIPIENT_REFUSED)
    assert answer in done.said
    assert server.messages(JOE) == []


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_too_large(hall: SocketServer, desk: Desk, listener: str) -> None:
    """Nobody has said a SIZE before: it is read to its end, and refused there."""
    large = desk.file("large", PLAIN + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * (MAX_MESSAGE // 78))
    way = ("--tls", "--auth", "PLAIN", *login()) if listener == "submission" else ()
    arguments = (*way, "--from", ANN, "--to", JOE, "--data", f"@{large}")
    done = swaks(desk, hall, listener, *arguments, status=DATA_REFUSED)
    assert "552 5.3.4" in done.said
    assert letters(hall, JOE) == []
