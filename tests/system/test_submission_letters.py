"""What a submission server adds to a letter and takes out of it, and what it leaves alone (row U-04)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.system.clients import Client, connect, smtp
from tests.system.harness import LIMITS, LISTENERS, Server
from tests.system.letters import (
    ANN,
    BOB,
    JOE,
    TAKEN,
    bdat,
    data,
    envelope,
    fields,
    hand_in,
    reached,
    submitting,
    the_one,
    values,
)

DOORS = """
[[listener]]
name    = "lmtp"
service = "lmtp"
bind    = ["127.0.0.1"]
port    = 0

[[listener]]
name    = "tolerant"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"
reject_bare_newline = false
"""
WHOLE = (
    b"From: Joe <joe@example.test>\r\n"
    b"Date: Fri, 20 Nov 2026 09:00:00 +0100 (a  comment)\r\n"
    b"message-id:   <Kept@As.It.Is>\r\n"
)
SIGNED = (
    b"DKIM-Signature: v=1; a=rsa-sha256;\r\n\t b=AbC\r\n  d ; h=From:Bcc\r\n"
    b'Content-Type: multipart/signed;\r\n\tboundary="=_1";  micalg=pgp-sha256\r\n'
    b"\r\n--=_1\r\nContent-Type: text/plain\r\nBcc: not a field here\r\n\r\nGr\xc3\xbc\xc3\x9fe \xff\xfe \r\n"
    b"trailing blanks   \t\r\n--=_1--\r\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("letters"), LIMITS, LISTENERS + DOORS) as running:
        yield running
        assert [line for line in running.logged().splitlines() if " error " in line] == []


def submitted(server: Server, message: bytes, *recipients: str, sender: str = JOE) -> bytes:
    """What ann gets of a message by joe; by DATA and by BDAT it is the same."""
    found = []
    with submitting(server) as client:
        ways: tuple[Callable[[Client, bytes], bytes], ...] = (data, bdat)
        for number, send in enumerate(ways):
            mark = b"Subject: %d of %d\r\n" % (number, len(list(server.maildir(ANN).glob("new/*"))))
            envelope(client, ANN, *recipients, sender=sender)
            assert send(client, mark + message).startswith(TAKEN)
            found.append(the_one(server, ANN, mark).partition(mark)[2])
    generated = re.compile(rb"(Date|Message-ID): [^\r\n]+\r\n")
    assert generated.sub(b"", found[0]) == generated.sub(b"", found[1])
    return found[0]


def test_what_is_missing_is_added(server: Server) -> None:
    found = submitted(server, b"\r\nno header at all\r\n")
    header, _, body = found.partition(b"\r\n\r\n")
    assert body == b"no header at all\r\n"
    added = dict(fields(header))
    assert list(added) == ["from", "date", "message-id"]
    assert added["from"] == b"joe@example.test"
    age = datetime.now(UTC) - parsedate_to_datetime(added["date"].decode())
    assert timedelta(seconds=-1) <= age <= timedelta(seconds=60)
    assert re.fullmatch(rb"<[0-9a-f]{32}@mail\.example\.test>", added["message-id"])


def test_no_two_messages_have_the_same_id(server: Server) -> None:
    ids = {dict(fields(submitted(server, b"\r\n")))["message-id"] for _ in range(3)}
    assert len(ids) == 3


def test_from_is_whoever_sends(server: Server) -> None:
    """The reverse-path, or with a null one the account."""
    for sender, author in (("joe+shop@example.test", b"joe+shop@example.test"), ("", b"joe@example.test")):
        found = submitted(server, b"To: ann@example.test\r\n\r\n", sender=sender)
        assert dict(fields(found))["from"] == author


@pytest.mark.parametrize("body", [SIGNED, b"\r\n", b"\r\n.\r\n..\r\n", b""])
def test_nothing_that_is_there_is_touched(server: Server, body: bytes) -> None:
    assert submitted(server, WHOLE + body) == WHOLE + body


BLIND = [
    b"Bcc: bob@example.test\r\n",
    b"bCC : secret list\r\n\t<bob@example.test>,\r\n carol@elsewhere.example\r\n",
    b"BCC:\r\n",
    b"Resent-Bcc: bob@example.test\r\n",
]
SEEN = [b"Cc: ann@example.test\r\n", b"X-Bcc: kept\r\n", b"Bccc: kept\r\n"]


def test_blind_copies_are_told_to_nobody(server: Server) -> None:
    """And arrive."""
    mixed = b"".join(one + other for one, other in zip(BLIND, [*SEEN, b""], strict=True))
    body = b"\r\nBcc: in the body\r\n"
    assert submitted(server, WHOLE + mixed + body, BOB) == WHOLE + b"".join(SEEN) + body
    copies = list((server.maildir(BOB) / "new").iterdir())
    assert copies
    for copy in copies:
        assert b"secret" not in copy.read_bytes()
        assert b"bob@" not in copy.read_bytes().partition(b"Subject:")[2]


@pytest.mark.parametrize("listener", ["mx", "lmtp"])
def test_what_other_servers_bring_is_left_as_it_is(server: Server, listener: str) -> None:
    """Nothing added, nothing taken out: it is not ours to complete."""
    mark = b"Subject: brought to " + listener.encode() + b"\r\n"
    message = mark + b"".join(BLIND) + b"\r\nbody\r\n"
    with door(server, listener) as client:
        assert hand_in(client, message, ANN).startswith(TAKEN)
    assert the_one(server, ANN, mark).endswith(b" +0000\r\n" + message)


def door(server: Server, listener: str) -> Client:
    client = connect(server, listener)
    client.line()
    client.say((b"LHLO" if listener == "lmtp" else b"EHLO") + b" client.example", b"250")
    return client


def test_a_from_of_several_fields_is_kept(server: Server) -> None:
    message = b"From: joe@example.test,\r\n Joe <joe+x@example.test>\r\nSender: joe@example.test\r\n\r\n"
    assert submitted(server, message).startswith(message.removesuffix(b"\r\n"))


def test_line_ends_are_mended_where_that_is_wanted(server: Server) -> None:
    """By a listener that says so, and in no message does anything but CRLF . CRLF end it (row M-08)."""
    message = b"Subject: mended\nFrom: joe@example.test\r\n\none\rtwo\n.\nMAIL FROM:<>\n\r\nlast\r\n"
    with submitting(server, listener="tolerant") as client:
        envelope(client, ANN, sender=JOE)
        client.say(b"DATA", b"354")
        client.send(message + b".\r\n")
        assert client.reply().startswith(TAKEN)
        client.say(b"NOOP", b"250 2.0.0")
    found = the_one(server, ANN, b"Subject: mended").partition(b"Subject: mended\r\n")[2]
    header, _, body = found.partition(b"\r\n\r\n")
    assert [name for name, _ in fields(header)] == ["from", "date", "message-id"]
    assert body == b"one\r\ntwo\r\n.\r\nMAIL FROM:<>\r\n\r\nlast\r\n"
    assert b"\n" not in found.replace(b"\r\n", b"")
    with submitting(server) as client:
        envelope(client, ANN, sender=JOE)
        client.say(b"DATA", b"354")
        client.send(message.replace(b"mended", b"refused") + b".\r\n")
        assert client.reply().startswith(b"550 5.5.2 ")
    assert reached(server, b"Subject: refused") == {}


def test_a_letter_beyond_ascii(server: Server) -> None:
    """With SMTPUTF8 and without; octets that are no text at all stay what they are."""
    header = "From: Jörg <joe@example.test>\r\nX-Raw: ".encode() + bytes(range(128, 256)) + b"\r\n"
    for words in (b" BODY=8BITMIME", b" BODY=8BITMIME SMTPUTF8", b""):
        mark = b"Subject: raw" + words + b"\r\n"
        with submitting(server) as client:
            envelope(client, ANN, sender=JOE, words=words)
            assert data(client, mark + header + b"\r\n" + bytes(range(128, 256)) + b"\r\n").startswith(TAKEN)
        assert header in the_one(server, ANN, mark)
        assert the_one(server, ANN, mark).endswith(b"\r\n\r\n" + bytes(range(128, 256)) + b"\r\n")


def test_smtp_and_submission_differ_in_the_same_message(server: Server) -> None:
    """Of one server, at the same time: the door decides."""
    message = b"Subject: by two doors\r\nBcc: bob@example.test\r\n\r\n"
    with smtp(server) as outside, submitting(server) as inside:
        envelope(outside, ANN)
        envelope(inside, BOB, sender=JOE)
        assert data(inside, message).startswith(TAKEN)
        assert data(outside, message).startswith(TAKEN)
    assert values(the_one(server, ANN, b"by two doors"), "Bcc") == [b"bob@example.test"]
    assert values(the_one(server, BOB, b"by two doors"), "Bcc") == []
