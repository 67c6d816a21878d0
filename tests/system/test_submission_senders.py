"""In whose name an account may write: as sender, in From and in Sender, by each mode (rows U-03, U-10)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.system.harness import DEVICE, LIMITS, LISTENERS, Server
from tests.system.letters import (
    ANN,
    JOE,
    OK,
    TAKEN,
    data,
    envelope,
    rcpt,
    reached,
    submitting,
    the_one,
    values,
    with_text,
)

MODES = ("off", "log", "fix", "reject")
DOORS = LISTENERS + "".join(
    f"""
[[listener]]
name    = "{mode}"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"
sender_must_match = "{mode}"
"""
    for mode in MODES
)
DOMAINS = r"""
aliases = { sales = "joe", team = ["ann", "joe"], deep = "team", secret = "ann", gone = ":discard" }
alias_patterns = { 'by-(.+)' = 'joe+\1' }
recipient_delimiter = "+-"
[[domain]]
name = "same.test"
same_as = "example.test"
[[domain]]
name = "caught.test"
catch_all = "joe@example.test"
"""
OWN = [
    "joe@example.test",
    "JOE@Example.TEST",
    "joe+tag@example.test",
    "joe-a+b@example.test",
    "joe@same.test",
    "joe+x@same.test",
    "sales@example.test",
    "Sales+eu@same.test",
    "team@example.test",
    "deep@example.test",
    "by-name@example.test",
    "anything@shop.example",
    "one@given.example",
]
FOREIGN = [
    "ann@example.test",
    "ann+joe@example.test",
    "ann@same.test",
    "secret@example.test",
    "gone@example.test",
    "nobody@example.test",
    "whoever@caught.test",
    "joe@elsewhere.example",
    "joe@example.test.elsewhere.example",
    "joe@sub.example.test",
    '"joe@example.test"@elsewhere.example',
    '"ann@example.test,joe"@elsewhere.example',
    "other@given.example",
    "anything@sub.shop.example",
    "joe%example.test@elsewhere.example",
]
DENIED = b"550 5.7.1 "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = LIMITS.replace("[submission]\n", '[submission]\nrate_per_account = "0"\nhard_errors = 1000\n')
    running = Server(tmp_path_factory.mktemp("senders"), extra, DOORS, domain=DOMAINS)
    printer = running.device(
        "printer", 'sender = "joe+printer@example.test"', 'recipients = ["ann@example.test", "*@same.test"]'
    )
    running.settings[JOE] = 'send_as = ["*@shop.example", "one@given.example"]\n' + printer
    with running:
        yield running
        assert [line for line in running.logged().splitlines() if " error " in line] == []


def letter(text: str, *header: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*header, f"Subject: {text}", "", text)).encode()


def noted(server: Server) -> int:
    """How often the log was told of a foreign sender."""
    return server.logged().count(" submission.foreign_sender ")


# The reverse-path


@pytest.mark.parametrize("mode", MODES)
def test_senders_of_one_s_own(server: Server, mode: str) -> None:
    before = noted(server)
    with submitting(server, listener=mode) as client:
        for number, sender in enumerate(["", *OWN]):
            text = f"own {mode} {number}."
            envelope(client, ANN, sender=sender)
            assert data(client, letter(text, f"From: {sender or JOE}")).startswith(TAKEN)
            message = the_one(server, ANN, f"Subject: {text}".encode())
            assert values(message, "Return-Path")[0].lower() == f"<{sender.lower()}>".encode()
            assert values(message, "Sender") == []
    assert noted(server) == before


@pytest.mark.parametrize("sender", FOREIGN)
def test_senders_of_others(server: Server, sender: str) -> None:
    """Refused; or put right, or noted, where that is wanted."""
    before = noted(server)
    command = f"MAIL FROM:<{sender}>".encode()
    with submitting(server, listener="reject") as client:
        client.say(command, DENIED)
        client.say(b"RCPT TO:<ann@example.test>", b"503")
    assert noted(server) == before
    for mode, path in (("off", sender), ("log", sender), ("fix", JOE)):
        text = f"foreign {mode} {sender}."
        with submitting(server, listener=mode) as client:
            envelope(client, ANN, sender=sender)
            assert data(client, letter(text, "From: joe@example.test")).startswith(TAKEN)
        message = the_one(server, ANN, f"Subject: {text}".encode())
        assert values(message, "Return-Path") == [f"<{path}>".encode()]
    assert noted(server) == before + 2, "by log and by fix"


def test_an_alias_counts_as_long_as_it_leads_there(server: Server) -> None:
    """At the next MAIL of a session that is open."""
    with submitting(server, listener="reject") as client:
        client.say(b"MAIL FROM:<new@example.test>", DENIED)
        server.control.post("/v1/aliases", {"address": "new@example.test", "targets": [JOE]})
        client.say(b"MAIL FROM:<new@example.test>", b"250")
        client.say(b"RSET", b"250")
        server.control.delete("/v1/aliases/new@example.test")
        client.say(b"MAIL FROM:<new@example.test>", DENIED)


# From and Sender

FOREIGN_HEADERS = [
    ("From: ann@example.test",),
    ("From: Joe <ann@example.test>",),
    ('From: "joe@example.test" <ann@example.test>',),
    ("From: joe@example.test, ann@example.test",),
    ("From: joe@example.test,", "\tAnn <ann@example.test>"),
    ("From: joe@example.test", "Sender: ann@example.test"),
    ("From: ann@example.test", "Sender: joe@example.test"),
    ("From: everybody: joe@example.test, ann@example.test;",),
    ("fROM : ann@example.test",),
    ("From:", " ann@example.test (joe@example.test)"),
]
BROKEN_HEADERS = [
    ("From: joe@example.test ann@example.test",),
    ("From: <joe@example.test",),
    ("From: joe",),
    ("From: joe@example.test", "From: ann@example.test"),
    ("From: =?utf-8?q?ann=40example.test?=",),
]
OWN_HEADERS = [
    ("From: Joe <joe@example.test>",),
    ('From: "ann@example.test" <joe+x@same.test>',),
    ("From: joe@example.test (ann@example.test)",),
    ("From: sales@example.test, joe@example.test", "Sender: joe@example.test"),
    ("From: x@shop.example", "Reply-To: ann@example.test"),
]


@pytest.mark.parametrize("header", FOREIGN_HEADERS + BROKEN_HEADERS)
def test_names_of_others_in_the_header(server: Server, header: tuple[str, ...]) -> None:
    with submitting(server, listener="reject") as client:
        for end in (b".\r\n", b"the rest\r\n" * 10_000 + b".\r\n"):
            envelope(client, ANN, sender=JOE)
            client.say(b"DATA", b"354")
            client.send(letter("in the name of another", *header) + end)
            assert client.reply().startswith(DENIED)
        client.say(b"NOOP", b"250 2.0.0 ")
    assert reached(server, b"in the name of another") == {}


@pytest.mark.parametrize("header", OWN_HEADERS)
@pytest.mark.parametrize("mode", ["fix", "reject"])
def test_names_of_one_s_own_in_the_header(server: Server, header: tuple[str, ...], mode: str) -> None:
    text = f"own name {mode} {OWN_HEADERS.index(header)}."
    with submitting(server, listener=mode) as client:
        envelope(client, ANN, sender=JOE)
        assert data(client, letter(text, *header)).startswith(TAKEN)
    message = the_one(server, ANN, f"Subject: {text}".encode())
    assert "\r\n".join(header).encode() + b"\r\n" in message
    assert len(values(message, "Sender")) == sum(line.startswith("Sender") for line in header)


@pytest.mark.parametrize("header", FOREIGN_HEADERS)
def test_the_header_is_put_right_by_a_sender(server: Server, header: tuple[str, ...]) -> None:
    """RFC 6409 section 8.1: From stays, and Sender says who it was. Elsewhere all stays as it is."""
    before = noted(server)
    for mode in ("off", "log", "fix"):
        text = f"put right {mode} {FOREIGN_HEADERS.index(header)}."
        with submitting(server, listener=mode) as client:
            envelope(client, ANN, sender=JOE)
            assert data(client, letter(text, *header)).startswith(TAKEN)
        message = the_one(server, ANN, f"Subject: {text}".encode())
        said = [line.partition(": ")[2].encode() for line in header if line.startswith("Sender")]
        assert values(message, "Sender") == ([b"joe@example.test"] if mode == "fix" else said)
        assert values(message, "From")
    assert noted(server) == before + 2


@pytest.mark.parametrize("header", BROKEN_HEADERS)
def test_what_cannot_be_read_cannot_be_put_right(server: Server, header: tuple[str, ...]) -> None:
    with submitting(server, listener="fix") as client:
        envelope(client, ANN, sender=JOE)
        assert data(client, letter("broken", *header)).startswith(DENIED)
    for mode in ("off", "log"):
        text = f"unreadable {mode} {BROKEN_HEADERS.index(header)}."
        with submitting(server, listener=mode) as client:
            envelope(client, ANN, sender=JOE)
            assert data(client, letter(text, *header)).startswith(TAKEN)
        assert len(with_text(server, ANN, f"Subject: {text}".encode())) == 1


# A printer


@pytest.mark.parametrize("mode", MODES)
def test_a_printer_sends_in_its_own_name_and_to_its_own_people(server: Server, mode: str) -> None:
    """Whatever an account may do: the password is for this alone (feature row U-10)."""
    with submitting(server, password=DEVICE, listener=mode) as client:
        for sender in (b"joe@example.test", b"", b"joe+other@example.test", b"ann@example.test"):
            client.say(b"MAIL FROM:<" + sender + b">", DENIED)
        client.say(b"MAIL FROM:<joe+printer@example.test>", b"250")
        people = ("bob@example.test", "team@example.test", "ann@example.test", "bob@same.test")
        assert rcpt(client, *people) == [DENIED, DENIED, OK, OK]
        assert data(client, letter(f"printed {mode}.")).startswith(TAKEN)
        for author in ("joe@example.test", "ann@example.test", "joe+printer@example.test, joe@example.test"):
            envelope(client, ANN, sender="joe+printer@example.test")
            assert data(client, letter("forged print", f"From: {author}")).startswith(DENIED)
    message = the_one(server, ANN, f"Subject: printed {mode}.".encode())
    assert values(message, "From") == [b"joe+printer@example.test"]
    assert reached(server, b"forged print") == {}


def test_a_printer_whose_password_is_taken_away(server: Server) -> None:
    """In the middle of a session: it sends nothing more."""
    password = server.add_device(JOE, "scanner")
    with submitting(server, password=password) as client:
        envelope(client, ANN, sender=JOE)
        assert data(client, letter("while it may")).startswith(TAKEN)
        envelope(client, ANN, sender=JOE)
        server.control.delete(f"/v1/accounts/{JOE}/devices/scanner")
        with contextlib.suppress(OSError):  # it is over already, or soon
            client.send(b"DATA\r\n" + letter("too late") + b".\r\n")
            assert b"250" not in client.rest()
    assert reached(server, b"too late") == {}
