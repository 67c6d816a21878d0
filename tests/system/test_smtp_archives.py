"""Archives get a copy of what comes in and of what is sent, or nobody gets the message (row S-B07)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.clients import connect, smtp, within
from tests.system.harness import LIMITS, LISTENERS, Server
from tests.system.letters import (
    ANN,
    BOB,
    JOE,
    STRANGER,
    TAKEN,
    bdat,
    data,
    envelope,
    fields,
    files,
    hand_in,
    kept,
    reached,
    stuffed,
    submitting,
    the_one,
    values,
)

BOX, HEADS, REST, OLD = "box@example.test", "heads@example.test", "rest@example.test", "old@example.test"
EVE, ZOE, SID = "eve@headers.test", "zoe@sending.test", "sid@silent.test"
EVERYBODY = (JOE, ANN, BOB, BOX, HEADS, REST, OLD, EVE, ZOE, SID)
DOORS = """
[[listener]]
name    = "lmtp"
service = "lmtp"
bind    = ["127.0.0.1"]
port    = 0
"""
DOMAINS = """
archive_to = "box@example.test"
archive_part = "full"
aliases = { team = ["joe", "ann"], archive = "box" }
[[domain]]
name = "headers.test"
archive_to = "heads@example.test"
archive_part = "header"
archive_directions = ["in"]
[[domain]]
name = "sending.test"
archive_to = "box@example.test"
archive_part = "full"
archive_directions = ["out"]
[[domain]]
name = "silent.test"
archive_to = "none"
[[domain]]
name = "general.test"
[[domain]]
name = "same.test"
same_as = "example.test"
"""
ELSE = '[delivery]\narchive_to = ["rest@example.test", "old@example.test"]\narchive_part = "header"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("archives"), LIMITS + ELSE, LISTENERS + DOORS, domain=DOMAINS)
    others = (REST, OLD, EVE, ZOE, SID, "gus@general.test")
    running.more = "".join(running.account(each) for each in others)
    with running:
        for each in (BOX, HEADS):
            running.control.post("/v1/accounts", {"address": each, "without_password": True})
        yield running


def letter(text: str) -> bytes:
    return f"Subject: {text}\r\nX-Envelope-To: <forged@example.test>\r\n\r\n.\r\nbody of {text}\r\n".encode()


def handed_in(server: Server, text: str, *recipients: str, sender: str = STRANGER) -> dict[str, int]:
    """By another server: who has a copy afterwards."""
    with smtp(server) as client:
        assert hand_in(client, letter(text), *recipients, sender=sender).startswith(TAKEN)
    return reached(server, f"Subject: {text}\r".encode(), *EVERYBODY)


def submitted(server: Server, text: str, account: str, *recipients: str) -> dict[str, int]:
    with submitting(server, account) as client:
        assert hand_in(client, letter(text), *recipients, sender=account).startswith(TAKEN)
    return reached(server, f"Subject: {text}\r".encode(), *EVERYBODY)


def test_a_copy_of_what_comes_in(server: Server) -> None:
    """With the whole envelope in front of all else, and the message octet for octet."""
    names = ("joe+x@example.test", "team@example.test", BOB)
    assert handed_in(server, "coming in", *names) == {JOE: 1, ANN: 1, BOB: 1, BOX: 1}
    copy = the_one(server, BOX, b"Subject: coming in")
    assert fields(copy)[:2] == [
        ("x-envelope-from", f"<{STRANGER}>".encode()),
        ("x-envelope-to", ", ".join(f"<{name}>" for name in names).encode()),
    ]
    assert values(copy, "Delivered-To") == [BOX.encode()]
    assert copy.endswith(b" +0000\r\n" + letter("coming in"))
    for account in (JOE, ANN, BOB):
        other = the_one(server, account, b"Subject: coming in")
        assert values(other, "X-Envelope-To") == [b"<forged@example.test>"]
        assert values(other, "X-Envelope-From") == []


@pytest.mark.parametrize("how", ["DATA", "BDAT", "LMTP", "octet by octet"])
def test_of_the_header_alone(server: Server, how: str) -> None:
    text = f"header by {how}"
    with connect(server, "lmtp" if how == "LMTP" else "mx") as client:
        client.line()
        client.say((b"LHLO" if how == "LMTP" else b"EHLO") + b" client.example", b"250")
        envelope(client, EVE)
        if how == "BDAT":
            message = letter(text)
            answer = bdat(client, *(message[at : at + 1] for at in range(len(message))))
        elif how == "octet by octet":
            client.say(b"DATA", b"354")
            for octet in stuffed(letter(text)) + b".\r\n":
                client.send(bytes([octet]))
            answer = client.reply()
        else:
            answer = data(client, letter(text))
        assert answer.startswith(TAKEN)
    mark = f"Subject: {text}\r".encode()
    assert reached(server, mark, *EVERYBODY) == {EVE: 1, HEADS: 1}
    header, _, body = letter(text).partition(b"\r\n\r\n")
    assert the_one(server, HEADS, mark).endswith(b"\r\n" + header + b"\r\n\r\n")
    assert the_one(server, EVE, mark).endswith(header + b"\r\n\r\n" + body)


def test_by_domain(server: Server) -> None:
    """Each archive gets one copy, whatever leads to it; where one domain wants the whole, it is whole."""
    assert handed_in(server, "to two", JOE, ANN, EVE) == {JOE: 1, ANN: 1, EVE: 1, BOX: 1, HEADS: 1}
    assert handed_in(server, "to none", SID) == {SID: 1}
    assert handed_in(server, "in only", ZOE) == {ZOE: 1}
    assert handed_in(server, "general", "gus@general.test") == {REST: 1, OLD: 1}
    assert handed_in(server, "another name", "joe@same.test") == {JOE: 1, BOX: 1}


def test_by_direction(server: Server) -> None:
    """What an account sends is archived by its domain, what it gets by that of who gets it."""
    assert submitted(server, "sent out", ZOE, SID) == {SID: 1, BOX: 1}
    assert submitted(server, "sent in", SID, ZOE) == {ZOE: 1}
    assert submitted(server, "both ways", ZOE, JOE) == {JOE: 1, BOX: 1}
    assert submitted(server, "to heads", EVE, SID) == {SID: 1}
    assert handed_in(server, "in the name of", SID, sender=ZOE) == {SID: 1}, "who has not logged in is nobody"


def test_a_blind_copy_is_there(server: Server) -> None:
    """And Bcc is not, which the submission server has taken out."""
    with submitting(server, ZOE) as client:
        message = b"Bcc: sid@silent.test\r\n" + letter("blindly")
        assert hand_in(client, message, SID, sender=ZOE).startswith(TAKEN)
    assert values(the_one(server, BOX, b"Subject: blindly"), "X-Envelope-To")[0] == b"<sid@silent.test>"
    assert values(the_one(server, BOX, b"Subject: blindly"), "Bcc") == []


def test_mail_for_an_archive_itself(server: Server) -> None:
    assert handed_in(server, "to the box", BOX) == {BOX: 2}
    assert handed_in(server, "by an alias", "archive@example.test", JOE) == {BOX: 2, JOE: 1}


def test_who_is_refused_is_not_in_it(server: Server) -> None:
    with smtp(server) as client:
        client.say(b"MAIL FROM:<>", b"250")
        client.say(b"RCPT TO:<nobody@example.test>", b"550")
        client.say(b"RCPT TO:<joe@example.test>", b"250")
        client.say(b"RCPT TO:<x@elsewhere.example>", b"550")
        assert data(client, letter("some refused")).startswith(TAKEN)
    copy = the_one(server, BOX, b"Subject: some refused")
    assert values(copy, "X-Envelope-To")[0] == b"<joe@example.test>"
    assert values(copy, "X-Envelope-From") == [b"<>"]


def test_many_recipients(server: Server) -> None:
    """A hundred, long ones, one on a line."""
    names = [f"joe+{'x' * 50}{number}@example.test" for number in range(100)]
    assert handed_in(server, "for many", *names) == {JOE: 1, BOX: 1}
    copy = the_one(server, BOX, b"Subject: for many")
    assert values(copy, "X-Envelope-To")[0] == ", ".join(f"<{name}>" for name in names).encode()
    assert max(map(len, copy.split(b"\r\n"))) < 200


def test_a_message_that_is_refused_is_archived_nowhere(server: Server) -> None:
    before = files(server, EVERYBODY)
    with smtp(server) as client:
        for message in (b"bare\nline\r\n", b"Received: x\r\n" * 101, b"x" * 70_000 + b"\r\n"):
            envelope(client, JOE, EVE)
            client.say(b"DATA", b"354")
            client.send(message + b"\r\n.\r\n")
            assert client.reply()[:1] == b"5"
        envelope(client, JOE, EVE)
        client.say(b"DATA", b"354")
        client.send(stuffed(letter("never ended")))

    def nothing_is_left() -> None:
        assert files(server, EVERYBODY) == before

    within(5, nothing_is_left, AssertionError)


def nothing_in_tmp(server: Server) -> None:
    assert [name for name in files(server, EVERYBODY) if "/tmp/" in name.rpartition("/state/")[2]] == []


@pytest.mark.parametrize("account", [BOX, HEADS])
@pytest.mark.parametrize("how", [data, bdat])
def test_an_archive_that_is_full(server: Server, account: str, how: object) -> None:
    """Nothing goes by it unseen: the sender keeps the message, for all of its recipients; and it is taken
    when there is room again."""
    assert callable(how)
    text = f"full {account} {how.__name__}"
    server.control.patch(f"/v1/accounts/{account}", {"quota": "0,1"})
    kept(server, account) or server.deliver(letter("first"), account)
    try:
        before = files(server, (JOE, EVE, BOB))
        with smtp(server) as client:
            envelope(client, JOE, EVE, BOB)
            assert how(client, letter(text)).startswith(b"452 4.2.2 ")
            client.say(b"NOOP", b"250")
        assert files(server, (JOE, EVE, BOB)) == before
        assert reached(server, f"Subject: {text}\r".encode(), *EVERYBODY) == {}
        within(5, lambda: nothing_in_tmp(server), AssertionError)  # where the owner's warning was, perhaps
    finally:
        server.control.patch(f"/v1/accounts/{account}", {"quota": "0"})
    with smtp(server) as client:
        envelope(client, JOE, EVE, BOB)
        assert how(client, letter(text)).startswith(TAKEN)
    found = reached(server, f"Subject: {text}\r".encode(), *EVERYBODY)
    assert found == {JOE: 1, EVE: 1, BOB: 1, BOX: 1, HEADS: 1}


def test_an_archive_that_is_full_and_lmtp(server: Server) -> None:
    """Where there is an archive a message does not come apart: all of it, or nothing."""
    server.control.patch(f"/v1/accounts/{BOX}", {"quota": "0,1"})
    try:
        before = files(server, (JOE, EVE, SID))
        with connect(server, "lmtp") as client:
            client.line()
            client.say(b"LHLO client.example", b"250")
            envelope(client, JOE, EVE, SID)
            client.say(b"DATA", b"354")
            client.send(stuffed(letter("lmtp and full")) + b".\r\n")
            assert {client.reply()[:4] for _ in range(3)} == {b"452 "}
        assert files(server, (JOE, EVE, SID)) == before
        assert reached(server, b"lmtp and full", *EVERYBODY) == {}
    finally:
        server.control.patch(f"/v1/accounts/{BOX}", {"quota": "0"})


def test_an_archive_that_takes_no_mail(server: Server) -> None:
    """Switched off, it is the administrator's mistake: temporary, told to the log, and nobody gets it."""
    server.control.patch(f"/v1/accounts/{BOX}", {"state": "off"})
    try:
        before = files(server, EVERYBODY)
        with smtp(server) as client:
            envelope(client, JOE)
            client.say(b"DATA", b"451 4.3.5 ")
            client.say(b"NOOP", b"250")
            client.say(b"RSET", b"250")
            assert hand_in(client, letter("not archived"), SID).startswith(TAKEN)
        assert len(files(server, EVERYBODY) - before) == 1
        assert "the archive box@example.test leads to no maildrop of ours" in server.logged()
    finally:
        server.control.patch(f"/v1/accounts/{BOX}", {"state": "enabled"})
    assert handed_in(server, "archived again", JOE) == {JOE: 1, BOX: 1}


def test_nothing_was_a_mistake_of_ours(server: Server) -> None:
    assert [line for line in server.logged().splitlines() if " error " in line] == []
