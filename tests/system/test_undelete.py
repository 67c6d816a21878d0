"""Deleted mail comes back, octet by octet, by POP3 or by command, or is forgotten (features row B-02)."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.boxes import JOE, TRASH, Way, deliver, make_older, subjects
from tests.system.clients import Client
from tests.system.harness import LIMITS, PATIENCE, Server, password_of

ACCOUNTS = tuple(f"user{number}@example.test" for number in range(40))
DAY = 86400


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), accounts=(JOE, *ACCOUNTS)) as server:
        yield server


@pytest.fixture(scope="module")
def unused() -> Iterator[str]:
    """Accounts that no other test has touched."""
    return iter(ACCOUNTS)


@pytest.fixture
def inbox(running: Server, unused: Iterator[str]) -> Way:
    """One with three messages."""
    name = next(unused)
    deliver(running, name, "one", "two", "three")
    return Way(running, name, password_of(name))


def trash_files(way: Way) -> list[Path]:
    folder = way.server.maildir(way.name) / TRASH
    return sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else []


# By POP3


def test_the_trash_shows_what_was_deleted_with_the_same_names_and_octets(inbox: Way) -> None:
    before = inbox.messages()
    one, two, three = before
    inbox.do(b"DELE 1", b"DELE 3")
    assert inbox.messages() == {two: before[two]}
    assert inbox.box("+trash").messages() == {one: before[one], three: before[three]}
    assert inbox.box("+trash+restore").messages() == {one: before[one], three: before[three]}
    assert inbox.messages() == before, "a TOP of the whole text has fetched it, and so brought it back"


def test_reading_in_the_trash_restores_nothing(inbox: Way) -> None:
    inbox.do(b"DELE 1", b"DELE 2")
    trash = inbox.box("+trash")
    trash.do(b"STAT", b"RETR 1", b"TOP 2 1", b"RETR 2")
    assert subjects(trash.messages()) == ["one", "two"]
    assert subjects(inbox.messages()) == ["three"]


def test_what_is_fetched_to_restore_is_back_as_it_was(inbox: Way) -> None:
    before = inbox.messages()
    inbox.do(b"DELE 1", b"DELE 2", b"DELE 3")
    assert inbox.messages() == {}
    restore = inbox.box("+trash+restore")
    restore.do(b"RETR 3", b"TOP 2 0", b"RETR 1")
    one, two, three = before
    assert inbox.messages() == {one: before[one], three: before[three]}
    assert inbox.box("+trash").names() == [two], "TOP of a part brings nothing back"


def test_nothing_comes_back_without_quit(inbox: Way) -> None:
    inbox.do(b"DELE 1")
    restore = inbox.box("+trash+restore")
    for end in (Client.close, Client.reset, Client.half_close):
        with restore.open() as client:
            client.multiline(b"RETR 1")
            end(client)
        assert subjects(inbox.box("+trash").messages()) == ["one"]
    restore.do(b"RETR 1", b"RSET")
    assert subjects(inbox.messages()) == ["one", "two", "three"], "RSET is about deletion alone"


def test_a_program_that_deletes_what_it_fetches_gets_it_back_all_the_same(inbox: Way) -> None:
    before = inbox.messages()
    inbox.do(b"DELE 1", b"DELE 2")
    inbox.box("+trash+restore").do(b"RETR 1", b"DELE 1", b"DELE 2")
    one, _, three = before
    assert inbox.messages() == {one: before[one], three: before[three]}
    assert inbox.box("+trash").messages() == {}, "what was deleted there and not fetched is forgotten"


def test_deleted_in_the_trash_is_forgotten(inbox: Way) -> None:
    inbox.do(b"DELE 1", b"DELE 2")
    trash = inbox.box("+trash")
    trash.do(b"DELE 1", quit=False)
    assert subjects(trash.messages()) == ["one", "two"], "nothing goes without QUIT"
    trash.do(b"DELE 1")
    assert subjects(trash.messages()) == ["two"]
    assert len(trash_files(inbox)) == 1
    assert "1 message brought back" in inbox.server.cli("undelete", inbox.name, "--all")
    assert subjects(inbox.messages()) == ["two", "three"]


def test_the_trash_has_a_lock_of_its_own(inbox: Way) -> None:
    with inbox.open() as client:
        client.say(b"DELE 1", b"+OK")
        with inbox.box("+trash").open():
            assert inbox.box("+trash").answer().startswith(b"-ERR [IN-USE] ")
            assert inbox.answer().startswith(b"-ERR [IN-USE] ")
        client.say(b"QUIT", b"+OK")
    assert subjects(inbox.box("+trash").messages()) == ["one"]


@pytest.mark.parametrize("box", ["+trash", "+trash+restore", "+TRASH"])
def test_nobody_else_gets_in(inbox: Way, box: str) -> None:
    name = inbox.box(box)
    assert name.answer().startswith(b"+OK")
    assert Way(inbox.server, name.name, "wrong").answer() == b"-ERR [AUTH] Name or password is wrong"
    assert Way(inbox.server, "nobody+trash@example.test", "wrong").answer() == (
        b"-ERR [AUTH] Name or password is wrong"
    )


@pytest.mark.parametrize(
    "box", ["+inbox", "+restore", "+trash+trash", "+trash+restore+trash", "+trash+", "trash"]
)
def test_what_is_no_box(inbox: Way, box: str) -> None:
    assert inbox.box(box).answer() == b"-ERR [AUTH] Name or password is wrong"


def test_an_account_that_is_called_so_wins(own_server: Server) -> None:
    own_server.accounts = (JOE, "joe+trash@example.test")
    own_server.start()
    deliver(own_server, "joe+trash@example.test", "literal")
    deliver(own_server, JOE, "mine")
    Way(own_server).do(b"DELE 1")
    literal = Way(own_server, "joe+trash@example.test", password_of("joe+trash@example.test"))
    assert subjects(literal.messages()) == ["literal"]
    assert Way(own_server, "joe+trash@example.test").answer().startswith(b"-ERR [AUTH] ")
    assert subjects(Way(own_server).box("+trash+restore").messages()) == ["mine"]


def test_nobody_sends_from_a_box(running: Server) -> None:
    with smtplib.SMTP("127.0.0.1", running.ports["submission"], timeout=PATIENCE) as client:
        client.starttls(context=running.tls())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("joe+trash@example.test", password_of(JOE))


# By command


def test_the_list(inbox: Way) -> None:
    server, before = inbox.server, inbox.messages()
    assert "Nothing that" in server.cli("undelete", inbox.name)
    inbox.do(b"DELE 2")
    listed = json.loads(server.cli("undelete", inbox.name, "--list", "--json"))
    [message] = listed["deleted"]
    name = list(before)[1]
    assert (message["uidl"], message["size"]) == (name, len(before[name]))
    octets = [len(text) for text in before.values()]
    assert listed["usage"] == {
        "messages": 2,
        "octets": octets[0] + octets[2],
        "deleted_messages": 1,
        "deleted_octets": octets[1],
    }
    shown = server.cli("undelete", inbox.name, "--list")
    assert name in shown
    assert "1 deleted message" in shown
    assert len(inbox.messages()) == 2, "listing brings nothing back"


def test_one_by_its_uidl(inbox: Way) -> None:
    before = inbox.messages()
    one, two, three = before
    inbox.do(b"DELE 1", b"DELE 2")
    assert "1 message brought back" in inbox.server.cli("undelete", inbox.name, two)
    assert inbox.messages() == {two: before[two], three: before[three]}
    said = inbox.server.cli("undelete", inbox.name, one, three, "never-was", status=1)
    assert "1 message brought back" in said
    assert "2 messages are not among" in said
    assert inbox.messages() == before


def test_all_and_again(inbox: Way) -> None:
    before = inbox.messages()
    for _ in range(3):
        inbox.do(b"DELE 1", b"DELE 2", b"DELE 3")
        assert "3 messages brought back" in inbox.server.cli("undelete", inbox.name, "--all")
        assert inbox.messages() == before
    assert trash_files(inbox) == []


def test_what_was_deleted_since(inbox: Way) -> None:
    inbox.do(b"DELE 1")
    make_older(inbox.server.maildir(inbox.name), 2 * DAY)
    inbox.do(b"DELE 1")
    assert "1 message brought back" in inbox.server.cli("undelete", inbox.name, "--since", "1d")
    assert subjects(inbox.messages()) == ["two", "three"]


def test_while_a_session_is_open(inbox: Way) -> None:
    """Its snapshot stays as it is; the next one has the message."""
    inbox.do(b"DELE 1")
    with inbox.open() as client:
        client.say(b"STAT", b"+OK 2 ")
        inbox.server.cli("undelete", inbox.name, "--all")
        client.say(b"STAT", b"+OK 2 ")
        client.say(b"DELE 1", b"+OK")
        client.say(b"QUIT", b"+OK")
    assert subjects(inbox.messages()) == ["one", "three"]


def test_forget_it_now(inbox: Way) -> None:
    inbox.do(b"DELE 1", b"DELE 2")
    assert "2 deleted messages" in inbox.server.cli("undelete", inbox.name, "--purge", "--yes")
    assert trash_files(inbox) == []
    assert inbox.box("+trash").messages() == {}
    assert "0 messages brought back" in inbox.server.cli("undelete", inbox.name, "--all")
    assert subjects(inbox.messages()) == ["three"]


def test_what_cannot_be_asked(inbox: Way) -> None:
    server = inbox.server
    assert "exclude each other" in server.cli("undelete", inbox.name, "--all", "--purge", status=2)
    assert "nobody@example.test" in server.cli("undelete", "nobody@example.test", status=1)


# How long


@pytest.mark.parametrize(("days", "there"), [(13, True), (15, False)])
def test_two_weeks(inbox: Way, days: int, there: bool) -> None:
    before = inbox.messages()
    inbox.do(b"DELE 1")
    make_older(inbox.server.maildir(inbox.name), days * DAY)
    assert bool(inbox.box("+trash").messages()) is there
    assert bool(json.loads(inbox.server.cli("undelete", inbox.name, "--json"))["deleted"]) is there
    if there:
        inbox.box("+trash+restore").do(b"RETR 1")
        assert inbox.messages() == before
    else:
        assert "0 messages" in inbox.server.cli("undelete", inbox.name, "--all")
        assert len(inbox.messages()) == 2


def test_another_time_and_none_at_all(own_server: Server) -> None:
    """By a reload: what is kept is shorter, longer, or nothing from now on."""
    own_server.start()
    inbox = Way(own_server)
    deliver(own_server, JOE, "one", "two", "three")
    inbox.do(b"DELE 1")
    make_older(own_server.maildir(JOE), 5 * DAY)
    for setting, there in (("3d", 0), ("6d", 1)):
        own_server.extra = LIMITS + f'[delivery]\nkeep_deleted = "{setting}"\n'
        own_server.reload()
        assert len(inbox.box("+trash").messages()) == there
    own_server.extra = LIMITS + '[delivery]\nkeep_deleted = "0s"\n'
    own_server.reload()
    inbox.do(b"DELE 1")
    assert subjects(inbox.messages()) == ["three"]
    assert inbox.box("+trash").messages() == {}
    assert len(trash_files(inbox)) == 1, "the one of before; nothing was added"


def test_a_kill_right_after_quit_and_in_a_restoring_session(own_server: Server) -> None:
    own_server.start()
    inbox = Way(own_server)
    deliver(own_server, JOE, "one", "two")
    before = inbox.messages()
    inbox.do(b"DELE 1", b"DELE 2")
    own_server.kill()
    own_server.start()
    assert inbox.box("+trash").messages() == before
    with inbox.box("+trash+restore").open() as client:
        client.multiline(b"RETR 1")
        own_server.kill()
    own_server.start()
    assert inbox.box("+trash").messages() == before
    inbox.box("+trash+restore").do(b"RETR 1", b"RETR 2")
    own_server.kill()
    own_server.start()
    assert inbox.messages() == before
