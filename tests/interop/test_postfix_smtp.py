"""Debian's Postfix relays to us by SMTP: over TLS, in UTF-8, what is too large, what waits (row S-B05)."""

from __future__ import annotations

import re
import shutil
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.interop.hall import JOERG, MAX_MESSAGE
from tests.interop.letters import PLAIN, numbered, split_trace
from tests.interop.postfix import Postfix, needs_postfix
from tests.interop.programs import SEARCH_PATH, Desk, needs
from tests.system.clients import within
from tests.system.harness import PATIENCE
from tests.system.sockets import SocketServer, letters

pytestmark = [*needs_postfix, needs("smtp-source", "postfix")]

JOE, ANN, GONE = "joe@example.test", "ann@example.test", "gone@example.test"
_MORE = """
maillog_file = {base}/log
virtual_transport = smtp:[127.0.0.1]:{port}
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 1
minimal_backoff_time = 1000s
"""


@pytest.fixture(scope="module")
def running(open_hall: SocketServer) -> Iterator[Postfix]:
    base = Path(tempfile.mkdtemp(prefix="ms-"))
    base.chmod(0o755)
    users = [address.partition("@")[0] for address in (JOE, ANN, GONE, JOERG)]
    try:
        with Postfix(base, users=users, more=_MORE.format(base=base, port=open_hall.ports["mx"])) as postfix:
            yield postfix
    finally:
        shutil.rmtree(base)


@pytest.fixture
def postfix(running: Postfix) -> Iterator[Postfix]:
    """Nothing waits in it when the test is over."""
    yield running
    emptied(running)


def emptied(postfix: Postfix, seconds: float = PATIENCE) -> None:
    """Wait until every message has gone on, or come back."""

    def look() -> None:
        folders = (postfix.base / "queue" / name for name in ("maildrop", "incoming", "active", "deferred"))
        assert not [file for folder in folders for file in folder.rglob("*") if file.is_file()], (
            postfix.said()
        )

    within(seconds, look, AssertionError, FileNotFoundError)


def hand_in(
    postfix: Postfix,
    message: bytes,
    *recipients: str,
    sender: str = "sender@elsewhere.example",
    mail: tuple[str, ...] = (),
    recipient: tuple[str, ...] = (),
) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.port, "client.example", PATIENCE) as client:
        assert client.sendmail(sender, recipients, message, mail, recipient) == {}


def test_over_tls(hall: SocketServer, postfix: Postfix) -> None:
    hand_in(postfix, PLAIN, JOE, ANN, mail=("BODY=8BITMIME",))
    emptied(postfix)
    assert "TLS connection established to 127.0.0.1" in postfix.said()
    for account in (JOE, ANN):
        [message] = letters(hall, account)
        trace, letter = split_trace(message)
        assert letter.endswith(PLAIN)
        assert b"Received: from postfix.example.test (" in trace
        assert b" with ESMTPS id " in trace
        assert message.startswith(b"Return-Path: <sender@elsewhere.example>\r\n")


def test_never_in_clear(hall: SocketServer, postfix: Postfix) -> None:
    """Where TLS has to be and is not there, mail waits; it comes once when that is over."""
    hand_over_to(postfix, hall.ports["mx-clear"])
    hand_in(postfix, PLAIN, JOE)
    within(PATIENCE, lambda: postfix.said().index("status=deferred (TLS is required"), ValueError)
    assert letters(hall, JOE) == []
    hand_over_to(postfix, hall.ports["mx"])
    try_again(postfix)
    assert len(letters(hall, JOE)) == 1


def hand_over_to(postfix: Postfix, port: int) -> None:
    """From now on it brings mail there."""
    set_and_read(postfix, f"virtual_transport = smtp:[127.0.0.1]:{port}")


def set_and_read(postfix: Postfix, line: str) -> None:
    """Say something else in main.cf, and have it read."""
    command(postfix, "postconf", "-e", line)
    command(postfix, "postfix", "reload")


def try_again(postfix: Postfix) -> None:
    """Have all that waits go on. While Postfix reads its settings anew it does not hear that it is to."""

    def look() -> None:
        command(postfix, "postqueue", "-f")
        emptied(postfix, 1.0)

    within(PATIENCE, look, AssertionError)


def command(postfix: Postfix, name: str, *what: str) -> None:
    subprocess.run(
        [name, "-c", str(postfix.base / "conf"), *what],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
        env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
    )


def test_in_utf_8(hall: SocketServer, postfix: Postfix) -> None:
    """With ORCPT of type rfc822 all the same, and UTF-8 in its xtext."""
    with smtplib.SMTP("127.0.0.1", postfix.port, "client.example", PATIENCE) as client:
        client.ehlo()
        client.mail("jürgen@elsewhere.example", ("SMTPUTF8", "BODY=8BITMIME"))
        assert client.rcpt(JOERG)[0] == 250
        assert client.data("Subject: Grüße\r\n\r\n.Grüße\r\n".encode())[0] == 250
    emptied(postfix)
    [message] = letters(hall, JOERG)
    trace, letter = split_trace(message)
    assert message.startswith("Return-Path: <jürgen@elsewhere.example>\r\n".encode())
    assert b" with UTF8SMTPS id " in trace
    header, _, body = letter.partition(b"\r\n\r\n")
    assert "\r\nSubject: Grüße\r\n".encode() in header
    assert body == ".Grüße\r\n".encode()


def test_what_the_sender_wants_to_be_told(hall: SocketServer, postfix: Postfix) -> None:
    """Postfix hands DSN's parameters on, and reports nothing itself (RFC 3461 section 5.2.1)."""
    hand_in(
        postfix,
        PLAIN,
        JOE,
        sender=ANN,
        mail=("RET=HDRS", "ENVID=a+2Bb"),
        recipient=("NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;j+2Bx@example.test"),
    )
    emptied(postfix)
    assert len(letters(hall, JOE)) == 1
    assert not [report for report in letters(hall, ANN) if b"Action: relayed" in report]


def bounce(hall: SocketServer, account: str) -> str:
    """What the one message in a maildrop, a report of a failure, tells."""
    [message] = letters(hall, account)
    assert message.startswith(b"Return-Path: <>\r\n")
    parts = message_from_bytes(message).get_payload()
    assert isinstance(parts, list)
    [report] = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    return report.as_string()


@pytest.fixture(params=["told", "not told"])
def size(postfix: Postfix, request: pytest.FixtureRequest) -> Iterator[str]:
    """Whether Postfix listens to the SIZE that EHLO says."""
    if request.param == "told":
        yield request.param
        return
    set_and_read(postfix, "smtp_discard_ehlo_keywords = size")
    yield request.param
    set_and_read(postfix, "smtp_discard_ehlo_keywords =")


def test_too_large(hall: SocketServer, postfix: Postfix, size: str) -> None:
    """Where Postfix knows of SIZE it does not even begin; else all of it comes, and is refused.

    The sender hears of it once.
    """
    hand_in(postfix, PLAIN + (b"x" * 76 + b"\r\n") * (MAX_MESSAGE // 78), JOE, sender=ANN)
    emptied(postfix)
    told = bounce(hall, ANN)
    assert "Status: 5.3.4" in told
    assert ("552 5.3.4" in told) == (size == "not told")
    assert letters(hall, JOE) == []


def test_who_is_not_there(hall: SocketServer, postfix: Postfix) -> None:
    """The sender hears of that one, the others have their mail."""
    hand_in(postfix, PLAIN, JOE, GONE, sender=ANN)
    emptied(postfix)
    told = bounce(hall, ANN)
    assert re.findall(r"(?m)^Final-Recipient: rfc822; (.+)$", told) == [GONE]
    assert "550 5.1.1" in told
    assert len(letters(hall, JOE)) == 1


@pytest.mark.parametrize("octets", [100_000, MAX_MESSAGE - 10_000])
def test_large(hall: SocketServer, postfix: Postfix, octets: int) -> None:
    body = (b"." + b"x" * 74 + b"\r\n") * (octets // 77)
    hand_in(postfix, b"Subject: large\r\n\r\n" + body, JOE)
    emptied(postfix)
    [message] = letters(hall, JOE)
    assert message.partition(b"\r\n\r\n")[2] == body


def test_many(hall: SocketServer, postfix: Postfix, desk: Desk) -> None:
    """Two hundred, in all the connections that Postfix makes; each comes once."""
    where = f"127.0.0.1:{postfix.port}"
    envelope = ("-f", "sender@elsewhere.example", "-t", JOE, "-M", "client.example")
    desk.run("smtp-source", "-s", "5", "-m", "200", "-l", "2000", *envelope, where)
    emptied(postfix)
    ids = [message_from_bytes(message)["Message-Id"] for message in letters(hall, JOE)]
    assert len(ids) == len(set(ids)) == 200


def test_while_we_are_away_mail_waits(hall: SocketServer, postfix: Postfix) -> None:
    before = postfix.said().count("status=deferred")
    hall.cli("service", "stop", "smtp")
    try:
        for number in range(3):
            hand_in(postfix, numbered(number), JOE)

        def look() -> None:
            assert postfix.said().count("status=deferred") >= before + 3

        within(PATIENCE, look, AssertionError)
    finally:
        hall.cli("service", "start", "smtp")
        hall.read_ports()
    hand_over_to(postfix, hall.ports["mx"])
    try_again(postfix)
    ids = {message_from_bytes(message)["Message-ID"] for message in letters(hall, JOE)}
    assert (len(letters(hall, JOE)), len(ids)) == (3, 3)
