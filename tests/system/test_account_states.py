"""Accounts that are off, that forward, that POP3 is closed to: set in the file and by command (S-A12)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.system.clients import greeted, smtp
from tests.system.harness import AT_ONCE, PASSWORDS, Server, password_of
from tests.system.mechanisms import authenticate

JOE, ANN, BOB = PASSWORDS
IN_FILE = {
    "off": 'state = "off"',
    "sent": f'state = "forward"\nforward = "{ANN}"',
    "copied": f'state = "forward"\nforward = "{ANN}"\nkeep_copy = true',
    "unread": 'pop3 = "deny"',
}
BY_COMMAND = {
    "off": ("disable",),
    "sent": ("change", "--forward", ANN),
    "copied": ("change", "--forward", ANN, "--keep-copy"),
    "unread": ("change", "--pop3", "deny"),
}
NO_MAIL = b"550 5.2.1 This mailbox takes no mail"
CIRCLE = b"451 4.4.6 "

where = pytest.mark.parametrize("where", ["file", "database"])


def of(name: str, where: str) -> str:
    return f"{name}-{where}@example.test"


def make(server: Server, address: str) -> None:
    """An account in the database, by command."""
    server.cli("account", "add", address, "--stdin", stdin=password_of(address) + "\n")


def turn(server: Server, address: str, command: str, *options: str) -> None:
    server.cli("account", command, address, *options)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each state twice: once in the file, once set by command."""
    running = Server(tmp_path_factory.mktemp("server"))
    running.more = "".join(running.account(of(name, "file"), state) for name, state in IN_FILE.items())
    with running:
        for name, (command, *options) in BY_COMMAND.items():
            make(running, of(name, "database"))
            turn(running, of(name, "database"), command, *options)
        yield running


def kept(server: Server, account: str) -> list[bytes]:
    """What lies in a maildrop."""
    folder = server.maildir(account)
    return sorted(file.read_bytes() for name in ("new", "cur") for file in (folder / name).glob("*"))


def delivered(server: Server, text: str, *recipients: str) -> dict[str, int]:
    """How many copies of a message with *text* there are in each maildrop that has any."""
    server.deliver(f"Subject: {text}\r\n\r\n{text}\r\n".encode(), *recipients)
    folders = (server.state / "mail" / "example.test").iterdir()
    counts = {
        folder.name: sum(text.encode() in message for message in kept(server, f"{folder.name}@example.test"))
        for folder in folders
    }
    return {name: count for name, count in counts.items() if count}


def rcpt(server: Server, *recipients: str) -> list[bytes]:
    with smtp(server) as client:
        client.say(b"MAIL FROM:<sender@elsewhere.example>", b"250")
        return [client.say(f"RCPT TO:<{recipient}>".encode()) for recipient in recipients]


def answer(server: Server, listener: str, mechanism: str, account: str, password: str = "") -> bytes:
    """To a login, with the account's own password where no other is given."""
    with greeted(server, listener) as client:
        return authenticate(client, mechanism, account, password or password_of(account))


def refused(server: Server, listener: str, mechanism: str, account: str) -> bool:
    """Whether the right password is answered as a wrong one, word for word."""
    wrong = answer(server, listener, mechanism, BOB, "a-wrong-password")
    assert wrong.startswith((b"-ERR [AUTH]", b"535 5.7.8"))
    return answer(server, listener, mechanism, account) == wrong


@where
def test_an_account_that_is_off_takes_no_mail(server: Server, where: str) -> None:
    off = of("off", where)
    assert rcpt(server, off, JOE, off.upper()) == [NO_MAIL, b"250 2.1.5 Recipient OK", NO_MAIL]
    assert kept(server, off) == []


@where
@pytest.mark.parametrize("listener", ["pop3s", "submissions"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_an_account_that_is_off_lets_nobody_in(
    server: Server, where: str, listener: str, mechanism: str
) -> None:
    assert refused(server, listener, mechanism, of("off", where))


@where
def test_mail_is_forwarded(server: Server, where: str) -> None:
    sent, copied = of("sent", where), of("copied", where)
    assert delivered(server, f"sent {where}", sent) == {"ann": 1}
    assert delivered(server, f"copied {where}", copied) == {"ann": 1, copied.partition("@")[0]: 1}


@where
def test_mail_for_several_comes_once(server: Server, where: str) -> None:
    recipients = (of("sent", where), of("copied", where), ANN, JOE)
    copies = delivered(server, f"all of {where}", *recipients)
    assert copies == {"ann": 1, "joe": 1, of("copied", where).partition("@")[0]: 1}


@where
@pytest.mark.parametrize("name", ["sent", "copied"])
def test_whoever_forwards_his_mail_logs_in_as_before(server: Server, where: str, name: str) -> None:
    for listener in ("pop3s", "submissions"):
        assert answer(server, listener, "PLAIN", of(name, where)).startswith((b"+OK", b"235"))


@where
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_whom_pop3_is_closed_to_sends_and_is_sent_mail(server: Server, where: str, mechanism: str) -> None:
    unread = of("unread", where)
    assert refused(server, "pop3s", mechanism, unread)
    assert answer(server, "submissions", mechanism, unread).startswith(b"235")
    text = f"{mechanism} {where}"
    assert delivered(server, text, unread) == {unread.partition("@")[0]: 1}


def test_an_account_goes_off_and_comes_back_by_command(own_server: Server) -> None:
    """Its sessions end at once; what it had stays."""
    own_server.start()
    sue = "sue@example.test"
    make(own_server, sue)
    assert delivered(own_server, "before", sue) == {"sue": 1}
    with greeted(own_server, "pop3s") as pop3, greeted(own_server, "submissions") as submission:
        for client in (pop3, submission):
            assert authenticate(client, "PLAIN", sue, password_of(sue)).startswith((b"+OK", b"235"))
        turn(own_server, sue, "disable")
        began = time.monotonic()
        for client in (pop3, submission):
            client.rest()
        assert time.monotonic() - began < AT_ONCE
    assert rcpt(own_server, sue) == [NO_MAIL]
    assert refused(own_server, "pop3s", "PLAIN", sue)
    turn(own_server, sue, "enable")
    assert delivered(own_server, "after", sue) == {"sue": 1}
    with greeted(own_server, "pop3s") as client:
        authenticate(client, "PLAIN", sue, password_of(sue))
        assert client.say(b"STAT").startswith(b"+OK 2 ")


def test_an_account_goes_off_and_comes_back_by_the_file(own_server: Server) -> None:
    own_server.start()
    own_server.settings = {BOB: IN_FILE["off"]}
    own_server.reload()
    assert rcpt(own_server, BOB) == [NO_MAIL]
    said = own_server.cli("account", "enable", BOB, status=1)
    assert "configuration" in said
    own_server.settings = {}
    own_server.reload()
    assert delivered(own_server, "again", BOB) == {"bob": 1}
    assert answer(own_server, "pop3s", "PLAIN", BOB).startswith(b"+OK")


def test_mail_that_would_go_round_stays_with_the_sender(own_server: Server) -> None:
    """File and database each look innocent."""
    own_server.start()
    sue = "sue@example.test"
    make(own_server, sue)
    turn(own_server, sue, "change", "--forward", BOB)
    assert delivered(own_server, "straight", sue) == {"bob": 1}
    own_server.settings = {BOB: f'state = "forward"\nforward = "{sue}"'}
    own_server.reload()
    for reply in rcpt(own_server, sue, BOB):
        assert reply.startswith(CIRCLE)
    own_server.settings = {BOB: f'state = "forward"\nforward = "{sue}"\nkeep_copy = true'}
    own_server.reload()
    assert delivered(own_server, "kept by one", sue) == {"bob": 1}
    assert "smtp.forward_stranded" in own_server.logged()
    turn(own_server, sue, "change", "--state", "enabled")
    assert delivered(own_server, "at an end", BOB) == {"bob": 1, "sue": 1}


def test_a_circle_is_refused_by_command(own_server: Server) -> None:
    own_server.start()
    for name in ("sue", "tim"):
        make(own_server, f"{name}@example.test")
    turn(own_server, "sue@example.test", "change", "--forward", "tim@example.test")
    said = own_server.cli("account", "change", "tim@example.test", "--forward", "sue@example.test", status=1)
    assert "the mail would come back" in said


def test_a_postmaster_who_is_off(own_server: Server) -> None:
    """He takes no mail, and the check of the configuration says so."""
    own_server.settings = {JOE: IN_FILE["off"]}
    own_server.start()
    assert rcpt(own_server, "postmaster@example.test", "postmaster") == [NO_MAIL, NO_MAIL]
    assert "mail for postmaster is refused" in own_server.cli("config", "check")
