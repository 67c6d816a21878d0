"""mutt: sends by SMTP, reads by POP3, and reads the maildir itself while a session is open."""

from __future__ import annotations

import contextlib
import poplib
from pathlib import Path

import pytest

from tests.interop.letters import PLAIN, crlf, numbered, split_trace
from tests.interop.programs import Desk, Done, needs
from tests.system.harness import PASSWORDS, PATIENCE, Server

pytestmark = needs("mutt")

ANN, JOE = "ann@example.test", "joe@example.test"


def settings(desk: Desk, server: Server, *lines: str) -> Path:
    common = (
        f'set from="{ANN}" realname="" hostname="client.example" use_envelope_from=yes',
        f'set ssl_ca_certificates_file="{server.certificate}" ssl_verify_host=yes ssl_verify_dates=yes',
        "set ssl_starttls=yes ssl_force_tls=yes",
        f'set folder="{desk.home}" charset=utf-8 send_charset=utf-8 editor=false',
        "set copy=no move=no quit=yes delete=yes sleep_time=0 wait_key=no pipe_decode=no header_cache=''",
    )
    return desk.file("muttrc", "\n".join((*common, *lines)) + "\n")


def mutt(desk: Desk, config: Path, mailbox: str | Path, keys: str, status: int = 0) -> Done:
    """Open a mailbox and press keys."""
    command = ("mutt", "-n", "-F", config, "-f", mailbox, "-e", f'push "{keys}"')
    return desk.run_in_terminal(*command, status=status)


@pytest.mark.parametrize("mechanism", ["plain", "login"])
@pytest.mark.parametrize(("scheme", "listener"), [("smtp", "submission"), ("smtps", "submissions")])
def test_sending(server: Server, desk: Desk, scheme: str, listener: str, mechanism: str) -> None:
    config = settings(
        desk,
        server,
        f'set smtp_url="{scheme}://ann%40example.test@localhost:{server.ports[listener]}/"',
        f'set smtp_pass="{PASSWORDS[ANN]}" smtp_authenticators="{mechanism}"',
    )
    attachment = desk.file("picture.bin", bytes(range(256)))
    text = "Grüße\n.\n.. and dots\n".encode()
    desk.run("mutt", "-n", "-F", config, "-s", "Grüße", "-a", attachment, "--", JOE, stdin=text)
    [message] = server.messages()
    trace, letter = split_trace(message)
    assert trace.startswith(b"Return-Path: <ann@example.test>\r\n")
    assert b" with ESMTPSA id " in trace
    assert "\r\n\r\nGrüße\r\n.\r\n.. and dots\r\n".encode() in letter
    assert b'filename="picture.bin"' in letter


@pytest.mark.parametrize(("scheme", "listener"), [("pop", "pop3"), ("pops", "pop3s")])
def test_reading_by_pop3(server: Server, desk: Desk, scheme: str, listener: str) -> None:
    server.deliver(PLAIN)
    config = settings(
        desk,
        server,
        f'set pop_user="{JOE}" pop_pass="{PASSWORDS[JOE]}" pop_authenticators="user" pop_delete=no',
    )
    mailbox, copy = f"{scheme}://localhost:{server.ports[listener]}/", desk.home / "copy"
    mutt(desk, config, mailbox, f"<pipe-message>cat >{copy}<enter><quit>")
    assert split_trace(crlf(copy.read_bytes()))[1] == PLAIN
    assert len(server.messages()) == 1
    mutt(desk, config, mailbox, "<delete-message><quit>")
    assert server.messages() == []


def test_the_maildir_while_a_session_is_open(server: Server, desk: Desk) -> None:
    """mutt reads a message and moves it; the session still finds it, and the next one knows it again."""
    server.deliver(PLAIN)
    config, copy = settings(desk, server), desk.home / "copy"
    with server.pop3() as session:
        [listed] = session.uidl()[1]
        mutt(desk, config, server.maildir(JOE), f"<pipe-message>cat >{copy}<enter><clear-flag>N<quit>")
        [file] = (server.maildir(JOE) / "cur").iterdir()
        assert file.name.endswith(":2,S"), "mutt has marked it as read"
        back = b"".join(line + b"\r\n" for line in session.retr(1)[1])
        assert split_trace(back)[1] == PLAIN
    assert split_trace(crlf(copy.read_bytes()))[1] == PLAIN
    with server.pop3() as session:
        assert session.uidl()[1] == [listed]


def test_a_message_that_mutt_deletes(server: Server, desk: Desk) -> None:
    """The open session says so; it gives no other message in its place."""
    for number in range(2):
        server.deliver(numbered(number))
    config = settings(desk, server, "set sort=mailbox-order")
    with server.pop3() as session:
        mutt(desk, config, server.maildir(JOE), "<first-entry><delete-message><quit>")
        gone, left = sorted((1, 2), key=lambda number: is_there(session, number))
        assert not is_there(session, gone)
        assert is_there(session, left)
        session.dele(gone)
    assert len(server.messages()) == 1


def is_there(session: poplib.POP3, number: int) -> bool:
    try:
        session.retr(number)
    except poplib.error_proto:
        return False
    return True


def test_what_mutt_writes_into_the_maildir(server: Server, desk: Desk) -> None:
    """A copy saved with bare LF by another program goes out with CRLF, and LIST knows its size."""
    server.deliver(PLAIN)
    config = settings(desk, server, "set confirmappend=no")
    letter = desk.file(
        "letters", b"From x@elsewhere.example Sat Nov 21 10:00:00 2026\n" + PLAIN.replace(b"\r\n", b"\n")
    )
    mutt(desk, config, letter, f"<copy-message>{server.maildir(JOE)}<enter><quit>")
    client = poplib.POP3("127.0.0.1", server.ports["pop3-trusted"], timeout=PATIENCE)
    with contextlib.closing(client):
        client.user(JOE)
        client.pass_(PASSWORDS[JOE])
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        copies = [b"".join(line + b"\r\n" for line in client.retr(number)[1]) for number in (1, 2)]
        client.quit()
    assert [len(copy) for copy in copies] == sizes
    [foreign] = [copy for copy in copies if not copy.startswith(b"Return-Path:")]
    header, _, text = PLAIN.partition(b"\r\n\r\n")
    assert foreign.endswith(b"\r\n\r\n" + text)
    assert foreign.startswith(header[: header.index(b"\r\nMIME-Version")])
