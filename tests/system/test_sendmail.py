"""``sendmail`` against a running server: who calls is what the kernel says (row S-B05)."""

from __future__ import annotations

import os
import pwd
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.cli.sendmail import SOCKET_VARIABLE
from mailsuite.cli.sysexits import Exit
from tests.system.clients import within
from tests.system.harness import LIMITS, PATIENCE, Server
from tests.system.sockets import SocketServer, called, letters

ME = pwd.getpwuid(os.geteuid()).pw_name
MINE, JOE = f"{ME}@example.test", "joe@example.test"
DOOR = """
[[listener]]
name    = "calls"
service = "submission"
socket  = "{sockets}/submission.sock"
socket_mode = "0666"
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run programs as somebody else")
PROGRAM = """
import os, pwd
from mailsuite.cli.sendmail import main
if {user!r}:
    who = pwd.getpwnam({user!r})
    os.setgroups([])
    os.setgid(who.pw_gid)
    os.setuid(who.pw_uid)
main()
"""
"""Python itself may lie where another user cannot go, so it changes into one when it is there."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    """Whoever runs the tests has an account here, and no right to send as joe."""
    running = SocketServer(tmp_path_factory.mktemp("server"), listeners=DOOR, extra=LIMITS)
    running.more = running.account(MINE) + running.account("nobody@example.test")
    with running:
        running.socket.parent.chmod(0o755)
        yield running


@pytest.fixture
def place(server: SocketServer) -> Path:
    """Of the socket."""
    return server.submission


def sendmail(
    place: Path, *arguments: str, stdin: bytes = b"Subject: x\n\nhello\n", user: str = ""
) -> tuple[int, str]:
    """As whoever we are, or as *user* where we are root."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(user=user), *arguments],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, SOCKET_VARIABLE: str(place), "USER": "joe", "LOGNAME": "joe"},
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_a_program_hands_in(server: SocketServer, place: Path) -> None:
    """What is missing is put in by the server; it comes from who calls, whatever the environment says."""
    assert sendmail(place, JOE) == (0, "")
    letter = letters(server, JOE)[-1]
    assert letter.startswith(f"Return-Path: <{MINE}>\r\n".encode())
    for field in (b"\r\nDate: ", b"\r\nMessage-ID: <", f"\r\nFrom: {MINE}".encode()):
        assert field.lower() in letter.lower()


def test_an_account_that_is_off_hands_in_nothing(server: SocketServer, place: Path) -> None:
    before, count = server.more, len(letters(server, JOE))
    with called(place) as open_before:
        open_before.line()
        open_before.say(b"EHLO localhost", b"250")
        open_before.say(b"MAIL FROM:<%s>" % MINE.encode(), b"250")
        server.more = before.replace(server.account(MINE), server.account(MINE, 'state = "off"'))
        assert server.more != before
        server.reload()
        try:
            assert open_before.line() == b""
            code, said = sendmail(place, JOE)
        finally:
            server.more = before
            server.reload()
    assert (code, "550 5.7.13 Your account is switched off" in said) == (Exit.NOPERM, True), said
    assert "submission.call_refused session=" in server.logged()
    assert sendmail(place, JOE) == (0, "")
    assert len(letters(server, JOE)) == count + 1


def test_cron(server: SocketServer, place: Path) -> None:
    message = b"From: %s (Cron Daemon)\nTo: joe\nSubject: Cron\n\n.\noutput\n" % ME.encode()
    assert sendmail(place, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "joe", stdin=message) == (0, "")
    letter = letters(server, JOE)[-1]
    assert f"From: {MINE} (Cron Daemon)\r\nTo: joe@example.test\r\n".encode() in letter
    assert letter.endswith(b"\r\n\r\n.\r\noutput\r\n")


def test_by_the_header(server: SocketServer, place: Path) -> None:
    message = b"To: joe@example.test\nBcc: ann@example.test\nSubject: hidden\n\nx\n"
    assert sendmail(place, "-t", "-oi", stdin=message) == (0, "")
    for account in (JOE, "ann@example.test"):
        letter = letters(server, account)[-1]
        assert b"Subject: hidden" in letter
        assert b"Bcc" not in letter


@pytest.mark.parametrize("sender", [JOE, "x@elsewhere.example", "joe"])
def test_nobody_sends_as_somebody_else(server: SocketServer, place: Path, sender: str) -> None:
    before = len(letters(server, JOE))
    status, said = sendmail(place, "-f", sender, JOE)
    assert (status, len(letters(server, JOE))) == (Exit.NOPERM, before)
    assert "550 5.7.1" in said


def test_nor_by_the_header(server: SocketServer, place: Path) -> None:
    before = len(letters(server, JOE))
    status, _ = sendmail(place, JOE, stdin=b"From: joe@example.test\nSubject: x\n\nx\n")
    assert (status, len(letters(server, JOE))) == (Exit.NOPERM, before)


@needs_root
def test_another_user_is_another_account(server: SocketServer, place: Path) -> None:
    assert sendmail(place, JOE, user="nobody") == (0, "")
    assert letters(server, JOE)[-1].startswith(b"Return-Path: <nobody@example.test>\r\n")
    assert sendmail(place, "-f", MINE, JOE, user="nobody")[0] == Exit.NOPERM
    assert sendmail(place, JOE, user="daemon") == (0, ""), "who has no account sends as itself all the same"
    assert letters(server, JOE)[-1].startswith(b"Return-Path: <daemon@example.test>\r\n")


def test_to_another_server(server: SocketServer, place: Path) -> None:
    """There is no way out yet, so the whole message stays with the program."""
    before = len(letters(server, JOE))
    status, said = sendmail(place, JOE, "x@elsewhere.example")
    assert (status, len(letters(server, JOE))) == (Exit.UNAVAILABLE, before)
    assert "x@elsewhere.example: 550 5.7.1 " in said
    assert "handed over to nobody" in said
    assert sendmail(place, "nobody-at-all@example.test")[0] == Exit.NOUSER


def test_smtp_by_hand(server: SocketServer, place: Path) -> None:
    commands = f"EHLO me\nMAIL FROM:<{MINE}>\nRCPT TO:<joe@example.test>\nDATA\nSubject: bs\n\nx\n.\nQUIT\n"
    status, said = sendmail(place, "-bs", stdin=commands.encode())
    codes = [line[:3] for line in said.splitlines() if line[3:4] == " "]
    assert (status, codes) == (0, ["220", "250", "250", "250", "354", "250", "221"])
    assert b"Subject: bs" in letters(server, JOE)[-1]


def test_a_login_is_not_offered_there(server: SocketServer, place: Path) -> None:
    with called(place) as client:
        assert client.line().startswith(b"220 example.test ")
        client.send(b"EHLO x\r\n")
        lines = [client.line()]
        while lines[-1][3:4] == b"-":
            lines.append(client.line())
        assert not [line for line in lines if line[4:8] == b"AUTH" or line[4:] == b"STARTTLS"]
        assert client.say(b"AUTH PLAIN AGpvZQB4")[:1] == b"5"


def test_by_tcp_nobody_is_known(server: Server, tmp_path: Path) -> None:
    """A submission listener on TCP asks for a login as ever."""
    with (
        Server(tmp_path) as other,
        smtplib.SMTP("127.0.0.1", other.ports["submission"], timeout=PATIENCE) as client,
    ):
        client.starttls(context=other.tls())
        client.ehlo()
        assert client.mail(JOE)[0] == 530


def test_who_called_is_logged(server: SocketServer, place: Path) -> None:
    assert sendmail(place, JOE) == (0, "")

    words = ("submission.called", f"account={MINE}", f"user={os.geteuid()}")

    def look() -> None:
        assert any(all(word in line for word in words) for line in server.logged().splitlines())

    within(PATIENCE, look, AssertionError)


@needs_root
def test_a_socket_for_others(server: SocketServer, place: Path) -> None:
    """Whom the file's mode keeps out waits until somebody has mended that."""
    place.chmod(0o600)
    try:
        status, said = sendmail(place, JOE, user="nobody")
    finally:
        place.chmod(0o666)
    assert (status, "permission denied" in said) == (Exit.TEMPFAIL, True)


def test_no_server(place: Path) -> None:
    assert sendmail(place.with_name("nothing.sock"), JOE)[0] == Exit.TEMPFAIL


def test_a_queue_that_is_not_there(place: Path) -> None:
    status, said = sendmail(place, "-bp")
    assert (status, "there is no queue here" in said) == (Exit.UNAVAILABLE, True)
