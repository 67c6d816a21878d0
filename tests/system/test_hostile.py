"""Octets that no honest client sends: each gets a precise answer or the end of the session, nothing else."""

from __future__ import annotations

import base64
import contextlib
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.system.clients import (
    Client,
    begin_data,
    connect,
    pid_of,
    pop3,
    resident_octets,
    retrieve_all,
    smtp,
)
from tests.system.harness import PASSWORDS, Server

JOE, ANN = "joe@example.test", "ann@example.test"
MEGABYTE = 1024 * 1024
MAX_GROWTH = 24 * MEGABYTE
"""What an attack may cost in memory (reliability.md section 2)."""


@pytest.fixture(autouse=True)
def _no_mistake_of_ours(server: Server) -> Iterator[None]:
    """Whatever comes in, the server lives and nothing of it is a mistake of ours."""
    before = pid_of(server)
    yield
    with smtp(server) as client:
        client.say(b"NOOP", b"250")
    assert pid_of(server) == before
    assert [line for line in server.logged().splitlines() if " error " in line] == []


def subjects(server: Server, account: str = JOE) -> list[bytes]:
    """The Subject of each message, as its header has it; the maildrop is empty afterwards."""
    with pop3(server, account) as client:
        messages = retrieve_all(client).values()
        client.send(b"".join(b"DELE %d\r\n" % number for number in range(1, len(messages) + 1)) + b"QUIT\r\n")
        assert client.rest().endswith(b"+OK Goodbye\r\n")
    found = []
    for message in messages:
        header = message.partition(b"\r\n\r\n")[0]
        found.append(next(line for line in header.split(b"\r\n") if line.startswith(b"Subject: "))[9:])
    return found


MESSAGE = b"MAIL FROM:<>\r\nRCPT TO:<joe@example.test>\r\nDATA\r\nSubject: injected\r\n\r\n.\r\n"


# STARTTLS and STLS


@pytest.mark.parametrize("behind", [MESSAGE, b"NOOP\r\n", b"EHLO x.example\r\n", b"\r\n", b"N"])
def test_clear_text_behind_starttls_is_never_run(server: Server, behind: bytes) -> None:
    with smtp(server) as client:
        client.send(b"STARTTLS\r\n" + behind)
        answers = client.rest()  # which ends: so does the session
    assert b"250" not in answers
    assert b"354" not in answers
    assert subjects(server) == []


@pytest.mark.parametrize("behind", [MESSAGE, b"NOOP\r\n"])
def test_clear_text_after_the_answer_to_starttls_is_never_run(server: Server, behind: bytes) -> None:
    with smtp(server) as client:
        client.say(b"STARTTLS", b"220")
        client.send(behind)
        assert b"250" not in client.rest()
    assert subjects(server) == []


def test_what_was_said_before_tls_is_forgotten(server: Server) -> None:
    with smtp(server) as client:
        client.say(b"MAIL FROM:<before@tls.example>", b"250")
        client.say(b"RSET", b"250")
        client.say(b"STARTTLS", b"220")
        with start_tls(server, client) as secured:
            secured.say(b"MAIL FROM:<>", b"503")


@pytest.mark.parametrize("behind", [b"USER joe@example.test\r\nCAPA\r\n", b"CAPA\r\n", b"\n", b"C"])
def test_clear_text_behind_stls_is_never_run(server: Server, behind: bytes) -> None:
    with connect(server, "pop3") as client:
        assert client.line().startswith(b"+OK")
        client.send(b"STLS\r\n" + behind)
        assert b"\r\n" not in client.rest().removeprefix(b"+OK Begin TLS now\r\n")


def test_a_user_named_before_stls_is_forgotten(server: Server) -> None:
    with connect(server, "pop3-trusted") as plain:
        plain.line()
        plain.say(b"USER joe@example.test", b"+OK")
    with connect(server, "pop3") as client:
        client.line()
        client.say(b"USER joe@example.test")
        client.say(b"STLS", b"+OK")
        with start_tls(server, client) as secured:
            secured.say(b"PASS " + PASSWORDS[JOE].encode(), b"-ERR")


def start_tls(server: Server, client: Client) -> Client:
    context = server.tls()
    context.check_hostname = False
    return Client(context.wrap_socket(client.socket))


# The wrong protocol


def client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="mail.example.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("listener", ["mx", "submission", "pop3"])
def test_tls_on_a_plaintext_port(server: Server, listener: str) -> None:
    with connect(server, listener) as client:
        client.line()
        client.send(client_hello() * 3)
        client.half_close()
        lines = client.rest().splitlines()
    assert len(lines) < 30
    assert all(line.startswith((b"5", b"421 ", b"-ERR")) for line in lines), lines


@pytest.mark.parametrize("listener", ["submissions", "pop3s"])
@pytest.mark.parametrize("sent", [b"EHLO x.example\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 400])
def test_plaintext_on_a_tls_port(server: Server, listener: str, sent: bytes) -> None:
    with connect(server, listener) as client:
        client.send(sent)
        answer = client.rest()
    assert len(answer) < 20, "an alert at most"
    assert b"+OK" not in answer
    assert b"220" not in answer


@pytest.mark.parametrize("verb", ["GET", "POST", "HEAD", "PUT", "CONNECT", "OPTIONS", "DELETE", "TRACE"])
def test_http_with_smtp_in_it(server: Server, verb: str) -> None:
    request = f"{verb} / HTTP/1.1\r\nHost: mail.example.test:25\r\nContent-Length: 200\r\n\r\n".encode()
    with connect(server, "mx") as client:
        client.line()
        client.send(request + b"EHLO browser.example\r\n" + MESSAGE + b"QUIT\r\n")
        assert b"250" not in client.rest()
    assert subjects(server) == []


def test_http_with_pop3_in_it(server: Server) -> None:
    server.deliver(b"Subject: kept\r\n\r\n")
    login = f"USER {JOE}\r\nPASS {PASSWORDS[JOE]}\r\nDELE 1\r\nQUIT\r\n".encode()
    with connect(server, "pop3-trusted") as client:
        client.line()
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 80\r\n\r\n" + login)
        assert b"+OK" not in client.rest()
    assert subjects(server) == [b"kept"]


# Too much


@pytest.mark.parametrize("listener", ["mx", "pop3", "pop3-trusted"])
@pytest.mark.parametrize("command", [b"BLURB", b"\xff\xfe", b"", b"MAIL", b"RETR"])
def test_three_hundred_bad_commands(server: Server, listener: str, command: bytes) -> None:
    with connect(server, listener) as client:
        client.line()
        answers = 0
        while answers < 300:
            try:
                client.send(command + b"\r\n")
                answer = client.line()
            except ConnectionError:
                break
            if not answer:
                break
            assert answer.startswith((b"5", b"421", b"-ERR")), answer
            answers += 1
    assert answers < 300


@pytest.mark.parametrize("first", ["command", "message", "pop3"])
def test_a_line_without_end(server: Server, first: str) -> None:
    """64 MiB of it, never kept. A command ends the session at once, a message is refused at its end."""
    process = pid_of(server)
    before = resident_octets(process)
    peak = 0
    with connect(server, "pop3" if first == "pop3" else "mx") as client:
        client.line()
        if first == "message":
            client.say(b"EHLO x.example", b"250")
            begin_data(client, JOE)
        piece = b"A" * MEGABYTE
        try:
            for _ in range(64):
                client.send(piece)
                peak = max(peak, resident_octets(process))
            client.send(b"\r\n.\r\n" if first == "message" else b"\r\n")
            answer = client.line()
        except ConnectionError:
            answer = b""
    assert answer.startswith(b"5") or first != "message"
    assert peak - before < MAX_GROWTH
    assert subjects(server) == []


# One message, one end

FALSE_ENDS = [
    b"\n.\n",
    b"\n.\r",
    b"\r.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\n.\n\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\0\n.\r\n",
    b"\r\n.\r\0\n",
    b"\r\n..\r\n",
    b"\r\n .\r\n",
    b"\r\n. \r\n",
    b"\r\n\x85.\x85",
    b"\r\n.\x0b\x0c\r\n",
]
HIDDEN = b"MAIL FROM:<>\r\nRCPT TO:<joe@example.test>\r\nDATA\r\nSubject: hidden\r\n\r\nhidden\r\n.\r\n"


def in_one_piece(front: bytes, end: bytes, behind: bytes) -> list[bytes]:
    return [front + end + behind]


def end_alone(front: bytes, end: bytes, behind: bytes) -> list[bytes]:
    return [front, end, behind]


def octet_by_octet(front: bytes, end: bytes, behind: bytes) -> list[bytes]:
    near = front[-2:] + end + behind[:2]
    return [front[:-2], *(near[i : i + 1] for i in range(len(near))), behind[2:]]


@pytest.mark.parametrize("pieces", [in_one_piece, end_alone, octet_by_octet])
@pytest.mark.parametrize("end", FALSE_ENDS)
def test_nothing_but_crlf_dot_crlf_ends_a_message(server: Server, end: bytes, pieces: object) -> None:
    assert callable(pieces)
    with smtp(server) as client:
        begin_data(client, JOE)
        for piece in pieces(b"Subject: outer\r\n\r\nouter", end, HIDDEN):
            client.send(piece)
        answer = client.line()
        client.send(b"QUIT\r\n")
        assert client.rest().startswith(b"221 "), "one answer to one message"
    found = subjects(server)
    if answer.startswith(b"250"):
        assert found == [b"outer"]
    else:
        assert answer.startswith(b"5")
        assert found == []


@pytest.mark.parametrize("reason", [b"RCPT TO:<nobody@example.test>\r\n", b""])
def test_a_message_behind_a_refused_data_is_not_run(server: Server, reason: bytes) -> None:
    with smtp(server) as client:
        client.send(b"MAIL FROM:<>\r\n" + reason + b"DATA\r\n" + HIDDEN)
        answers = client.rest()
    assert b"354" not in answers
    assert b"queued" not in answers
    assert subjects(server) == []


CONTROLS = [bytes([octet]) for octet in (*range(10), *range(11, 32), 127, 128, 255)]


@pytest.mark.parametrize(
    "command",
    [
        b"EHLO a%sX-Injected: yes",
        b"EHLO %s",
        b"HELO a%sb.example",
        b"MAIL FROM:<a%sX-Injected: yes@elsewhere.example>",
        b'MAIL FROM:<"a%sb"@elsewhere.example>',
        b"MAIL FROM:<a@elsewhere%s.example>",
        b"MAIL FROM:<a@elsewhere.example>%s",
        b"RCPT TO:<joe%s@example.test>",
        b'RCPT TO:<"joe%s"@example.test>',
        b"RCPT TO:<joe@example.test%s>",
    ],
)
def test_control_characters_never_reach_a_header(server: Server, command: bytes) -> None:
    for control in CONTROLS:
        with smtp(server) as client:
            if command.startswith(b"RCPT"):
                client.say(b"MAIL FROM:<>", b"250")
            answer = client.say(command % control)
            if not (control == b"\t" and command.endswith(b">%s")):  # a blank behind the path is borne
                assert answer.startswith(b"5"), (control, answer)
            client.send(b"RSET\r\n" + MESSAGE + b"QUIT\r\n")
            client.rest()
    with pop3(server) as session:
        messages = retrieve_all(session).values()
        session.send(
            b"".join(b"DELE %d\r\n" % number for number in range(1, len(messages) + 1)) + b"QUIT\r\n"
        )
        session.rest()
    for message in messages:
        header = message.partition(b"\r\n\r\n")[0]
        assert b"X-Injected" not in header
        assert set(header.replace(b"\r\n", b"").replace(b"\t", b"")) <= set(range(32, 127))


# Names


NAMES = [
    "../../../etc/passwd",
    "joe/../ann@example.test",
    "joe@example.test/../ann",
    "/joe@example.test",
    "joe@../../example.test",
    "..@example.test",
    ".@example.test",
    "tmp/../joe@example.test",
    "*@example.test",
    "jo?@example.test",
    "[j]oe@example.test",
    "j*",
    "{joe,ann}@example.test",
    "~root",
    "$HOME@example.test",
    "joe%00@example.test",
    "joe@example.test;id",
    "`id`@example.test",
    "a" * 300 + "@example.test",
    "a" * 300,
    "joe@" + "a" * 290,
    "@example.test",
    "@",
    "joe@",
    "joe@@example.test",
]


def tree(server: Server) -> set[str]:
    return {str(path) for path in server.directory.rglob("*")}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_makes_no_file(server: Server, name: str) -> None:
    with pop3(server) as client:  # so that what a login makes is there
        client.say(b"QUIT", b"+OK")
    before = tree(server)
    with connect(server, "pop3-trusted") as client:
        client.line()
        if client.say(b"USER " + name.encode()).startswith(b"+OK"):
            client.say(b"PASS " + PASSWORDS[JOE].encode(), b"-ERR [AUTH]")
    with smtp(server) as client:
        client.say(b"MAIL FROM:<>", b"250")
        client.say(b"RCPT TO:<" + name.encode() + b">", b"5")
        client.send(b"DATA\r\nSubject: no\r\n\r\n.\r\n")
        assert b"354" not in client.rest()
    assert tree(server) == before


# Passwords


def test_the_same_words_for_a_wrong_name_and_a_wrong_password(server: Server) -> None:
    answers = set()
    for name in (JOE, "nobody@example.test", "joe@elsewhere.example", "nobody", "*"):
        with connect(server, "pop3-trusted") as client:
            client.line()
            first = client.say(b"USER " + name.encode(), b"+OK")
            answers.add((first, client.say(b"PASS wrong", b"-ERR [AUTH]")))
    assert len(answers) == 1
    spoken = set()
    for name in (JOE, "nobody@example.test", "joe@elsewhere.example", "nobody", "*"):
        context = server.tls()
        with (
            connect(server, "submissions") as plain,
            Client(context.wrap_socket(plain.socket, server_hostname="mail.example.test")) as client,
        ):
            client.line()
            client.say(b"EHLO x.example", b"250")
            claim = base64.b64encode(f"\0{name}\0wrong".encode())
            spoken.add(client.say(b"AUTH PLAIN " + claim, b"535"))
    assert len(spoken) == 1


def test_three_wrong_passwords_close(server: Server) -> None:
    with connect(server, "pop3-trusted") as client:
        client.line()
        wrong = b"USER joe@example.test\r\nPASS wrong\r\n"
        right = b"USER joe@example.test\r\nPASS " + PASSWORDS[JOE].encode() + b"\r\n"
        client.send(wrong * 3 + right + b"STAT\r\n")
        answers = client.rest().splitlines()
    assert [answer.partition(b" ")[0] for answer in answers] == [b"+OK", b"-ERR"] * 3
    with pop3(server) as client:
        client.say(b"QUIT", b"+OK")


GUESSES = 200
"""At 20 ms each they would hold up a server of one thread for four seconds."""


def test_many_wrong_passwords_at_once_stall_nobody(server: Server) -> None:
    """They wait for the two threads that hash, a few seconds at most where the machine has other work;
    nobody else does."""
    longest, judged = 0.0, 0
    with contextlib.ExitStack() as connections, pop3(server, ANN) as client:
        guesses = []
        for _ in range(GUESSES):
            guesses.append(connections.enter_context(connect(server, "pop3-trusted")))
            assert guesses[-1].line().startswith(b"+OK")
        for number, guess in enumerate(guesses):
            guess.send(b"USER joe@example.test\r\nPASS guess-%d\r\n" % number)
        for guess in guesses:
            began = time.monotonic()
            client.say(b"NOOP", b"+OK")
            with smtp(server) as other:
                other.say(b"RSET", b"250")
            longest = max(longest, time.monotonic() - began)
            assert guess.line().startswith(b"+OK")
            answer = guess.line()
            assert answer.startswith((b"-ERR [AUTH]", b"-ERR [SYS/TEMP]"))
            judged += answer.startswith(b"-ERR [AUTH]")
    assert longest < 2
    assert judged
