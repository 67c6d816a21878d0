"""curl: SMTP and POP3, in clear, with STARTTLS and STLS, and over TLS from the first octet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.interop.hall import JOERG, MAX_MESSAGE
from tests.interop.letters import PLAIN, numbered, split_trace
from tests.interop.programs import Desk, Done, needs
from tests.system.harness import PASSWORDS, Server
from tests.system.sockets import SocketServer, letters

pytestmark = needs("curl")

WAYS_IN = {
    "STARTTLS": ("smtp", "submission", ("--ssl-reqd",)),
    "TLS": ("smtps", "submissions", ()),
}
WAYS_OUT = {
    "STLS": ("pop3", "pop3", ("--ssl-reqd",)),
    "TLS": ("pop3s", "pop3s", ()),
    "clear": ("pop3", "pop3-trusted", ()),
}


def curl(desk: Desk, server: Server, *arguments: str | Path, status: int = 0) -> Done:
    options = ("--silent", "--show-error", "--verbose", "--max-time", "25", "--cacert", server.certificate)
    return desk.run("curl", *options, *arguments, status=status)


def send(desk: Desk, server: Server, way: str, *arguments: str, sender: str = "ann@example.test") -> Done:
    scheme, listener, options = WAYS_IN[way]
    letter = desk.file("letter", PLAIN)
    return curl(
        desk,
        server,
        *options,
        f"{scheme}://127.0.0.1:{server.ports[listener]}/client.example",
        "--mail-from",
        sender,
        "--upload-file",
        letter,
        *arguments,
    )


def login(account: str) -> tuple[str, str]:
    return "--user", f"{account}:{PASSWORDS[account]}"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("way", WAYS_IN)
def test_submission(server: Server, desk: Desk, way: str, mechanism: str) -> None:
    done = send(
        desk,
        server,
        way,
        *login("ann@example.test"),
        "--login-options",
        f"AUTH={mechanism}",
        "--mail-rcpt",
        "joe@example.test",
        "--mail-rcpt",
        "bob@example.test",
    )
    assert f"> AUTH {mechanism}" in done.said
    assert re.search(r"< 250 2\.0\.0 OK, queued as [0-9a-f]{16}", done.said)
    for account in ("joe@example.test", "bob@example.test"):
        [message] = server.messages(account)
        trace, letter = split_trace(message)
        assert letter == PLAIN
        assert b" with ESMTPSA id " in trace
        assert b"client.example" not in trace, "where its users are is nobody's business (row U-04)"


def test_mx_with_starttls(server: Server, desk: Desk) -> None:
    letter = desk.file("letter", PLAIN)
    url = f"smtp://127.0.0.1:{server.ports['mx']}/client.example"
    curl(
        desk,
        server,
        "--ssl-reqd",
        url,
        "--mail-from",
        "x@elsewhere.example",
        "--mail-rcpt",
        "joe@example.test",
        "--upload-file",
        letter,
    )
    [message] = server.messages()
    trace, letter_back = split_trace(message)
    assert letter_back == PLAIN
    assert trace.startswith(b"Return-Path: <x@elsewhere.example>\r\n")
    assert b" with ESMTPS id " in trace


def test_a_wrong_password_sends_nothing(server: Server, desk: Desk) -> None:
    login_denied = 67
    done = curl(
        desk,
        server,
        f"smtps://127.0.0.1:{server.ports['submissions']}/client.example",
        "--user",
        "ann@example.test:wrong",
        "--mail-from",
        "ann@example.test",
        "--mail-rcpt",
        "joe@example.test",
        "--upload-file",
        desk.file("letter", PLAIN),
        status=login_denied,
    )
    assert "< 535 5.7.8" in done.said
    assert server.messages() == []


@pytest.mark.parametrize("author", ["bob@example.test", "<>", ""])
@pytest.mark.parametrize("way", WAYS_IN)
def test_who_is_said_to_have_written_it(server: Server, desk: Desk, way: str, author: str) -> None:
    """AUTH= at MAIL (RFC 4954 section 5) is taken, and makes nobody else of ann."""
    arguments = ("--mail-auth", author, "--mail-rcpt", "joe@example.test")
    done = send(desk, server, way, *login("ann@example.test"), *arguments)
    assert re.search(r"> MAIL FROM:<ann@example\.test>.* AUTH=<", done.said)
    [message] = server.messages()
    assert message.startswith(b"Return-Path: <ann@example.test>\r\n")
    assert b"bob@example.test" not in split_trace(message)[0]


def bring(
    desk: Desk, hall: SocketServer, sender: str, *recipients: str, letter: bytes, status: int = 0
) -> Done:
    """To the MX, in clear."""
    url = f"smtp://127.0.0.1:{hall.ports['mx']}/client.example"
    envelope = ["--mail-from", sender, *(word for each in recipients for word in ("--mail-rcpt", each))]
    return curl(desk, hall, url, *envelope, "--upload-file", desk.file("letter", letter), status=status)


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [
        ("jürgen@elsewhere.example", JOERG),
        ("x@elsewhere.example", JOERG),
        ("jürgen@elsewhere.example", "joe@example.test"),
    ],
)
def test_addresses_in_utf_8(hall: SocketServer, desk: Desk, sender: str, recipient: str) -> None:
    """curl says SMTPUTF8 by itself (RFC 6531)."""
    done = bring(desk, hall, sender, recipient, letter=PLAIN)
    assert " SMTPUTF8" in done.said
    [message] = letters(hall, recipient)
    trace, letter = split_trace(message)
    assert letter == PLAIN
    assert f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode() in trace
    assert b" with UTF8SMTP id " in trace


def test_a_domain_in_utf_8(hall: SocketServer, desk: Desk) -> None:
    """curl says it in ASCII, and SMTPUTF8 all the same."""
    done = bring(desk, hall, "x@bücher.example", "joe@example.test", letter=PLAIN)
    assert "MAIL FROM:<x@xn--bcher-kva.example>" in done.said
    [message] = letters(hall, "joe@example.test")
    assert message.startswith(b"Return-Path: <x@xn--bcher-kva.example>\r\n")


def test_size_is_looked_at_before_the_letter_comes(hall: SocketServer, desk: Desk) -> None:
    send_error = 55
    most = PLAIN + b"x" * (MAX_MESSAGE - len(PLAIN) - 2) + b"\r\n"
    done = bring(desk, hall, "x@elsewhere.example", "joe@example.test", letter=most + b"y", status=send_error)
    assert f"SIZE={MAX_MESSAGE + 1}" in done.said
    assert "< 552 5.3.4" in done.said
    assert "> RCPT" not in done.said
    assert letters(hall, "joe@example.test") == []


def test_the_largest_letter(hall: SocketServer, desk: Desk) -> None:
    lines = (b"x" * 76 + b"\r\n") * ((MAX_MESSAGE - len(PLAIN)) // 78 - 1)
    most = PLAIN + lines + b"z" * (MAX_MESSAGE - len(PLAIN) - len(lines) - 2) + b"\r\n"
    assert len(most) == MAX_MESSAGE
    assert (
        f"SIZE={MAX_MESSAGE}"
        in bring(desk, hall, "x@elsewhere.example", "joe@example.test", letter=most).said
    )
    [message] = letters(hall, "joe@example.test")
    assert split_trace(message)[1] == most


def test_some_recipients_may_fail(server: Server, desk: Desk) -> None:
    url = f"smtp://127.0.0.1:{server.ports['mx']}/client.example"
    envelope = ("--mail-from", "x@elsewhere.example", "--mail-rcpt", "nobody@example.test")
    letter = ("--upload-file", desk.file("letter", PLAIN), "--mail-rcpt", "joe@example.test")
    send_error = 55
    assert "< 550 5.1.1" in curl(desk, server, url, *envelope, *letter, status=send_error).said
    assert server.messages() == []
    curl(desk, server, "--mail-rcpt-allowfails", url, *envelope, *letter)
    [message] = server.messages()
    assert split_trace(message)[1] == PLAIN


@pytest.mark.parametrize(
    ("arguments", "answer", "status"),
    [
        (("--mail-rcpt", "joe@example.test"), "< 252 2.5.0", 0),
        (("--mail-rcpt", "joe@example.test", "--request", "EXPN"), "< 502 5.5.1", 8),
        ((), "< 214", 0),
        (("--request", "NOOP"), "< 250 2.0.0", 0),
    ],
    ids=["VRFY", "EXPN", "HELP", "NOOP"],
)
def test_other_commands(
    server: Server, desk: Desk, arguments: tuple[str, ...], answer: str, status: int
) -> None:
    url = f"smtp://127.0.0.1:{server.ports['mx']}/client.example"
    assert answer in curl(desk, server, url, *arguments, status=status).said


@pytest.mark.parametrize("way", WAYS_OUT)
def test_list_unique_ids_and_one_message(server: Server, desk: Desk, way: str) -> None:
    for number in range(3):
        server.deliver(numbered(number))
    scheme, listener, options = WAYS_OUT[way]
    url = f"{scheme}://127.0.0.1:{server.ports[listener]}/"

    def ask(path: str, *arguments: str) -> bytes:
        return curl(desk, server, *options, *login("joe@example.test"), *arguments, url + path).out

    sizes = [line.split() for line in ask("").splitlines()]
    assert [number for number, _ in sizes] == [b"1", b"2", b"3"]
    uidls = [line.split() for line in ask("", "--request", "UIDL").splitlines()]
    assert len({uidl for _, uidl in uidls}) == 3
    second = ask("2")
    assert split_trace(second)[1] == numbered(1)
    assert len(second) == int(sizes[1][1])
    top = ask("", "--request", "TOP 3 1")
    assert split_trace(top)[1] == numbered(2)[: numbered(2).index(b"\r\n\r\n") + 4] + b".\r\n"
    assert len(server.messages()) == 3, "fetching has deleted something"


def test_deletion(server: Server, desk: Desk) -> None:
    for number in range(2):
        server.deliver(numbered(number))
    url = f"pop3s://127.0.0.1:{server.ports['pop3s']}/1"
    curl(desk, server, *login("joe@example.test"), "--request", "DELE", "--head", url)
    [left] = server.messages()
    assert split_trace(left)[1] == numbered(1)


def test_no_password_in_clear(server: Server, desk: Desk) -> None:
    """The listener takes passwords only under TLS, and tells curl so beforehand."""
    server.deliver(PLAIN)
    url = f"pop3://127.0.0.1:{server.ports['pop3']}/1"
    login_denied = 67
    done = curl(desk, server, *login("joe@example.test"), url, status=login_denied)
    assert PASSWORDS["joe@example.test"] not in done.said


def test_a_stranger_certificate_is_noticed(server: Server, desk: Desk) -> None:
    """The check of the certificate in all other tests means something."""
    peer_failed_verification = 60
    desk.run(
        "curl",
        "--silent",
        "--max-time",
        "25",
        *login("joe@example.test"),
        f"pop3s://127.0.0.1:{server.ports['pop3s']}/",
        status=peer_failed_verification,
    )
