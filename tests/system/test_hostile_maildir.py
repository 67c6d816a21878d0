"""What else may lie in a live maildir: the messages are served, and nothing else is touched."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.clients import pop3, retrieve_all, sizes, uidls
from tests.system.harness import Server

JOE = "joe@example.test"


def a_file_elsewhere(place: Path) -> Path:
    """Not in new/ or cur/, and as long as the name of *place* says."""
    size = re.search(r",S=(\d+)", place.name)
    secret = place.parents[1] / "secret"
    secret.write_bytes(b"Subject: of somebody else\r\n\r\n".ljust(int(size[1]) if size else 0, b"."))
    return secret


def symlink(place: Path) -> None:
    place.symlink_to(a_file_elsewhere(place))


def dangling_symlink(place: Path) -> None:
    place.symlink_to(place.parent / "nothing")


def symlink_to_itself(place: Path) -> None:
    place.symlink_to(place)


def symlink_to_a_device(place: Path) -> None:
    place.symlink_to("/dev/zero")


def directory(place: Path) -> None:
    place.mkdir()
    (place / "message").write_bytes(b"Subject: within\r\n\r\n")


def fifo(place: Path) -> None:
    os.mkfifo(place)


def unix_socket(place: Path) -> None:
    where = os.getcwd()
    os.chdir(place.parent)  # the path of a Unix socket has 107 octets at most
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(place.name)
    finally:
        os.chdir(where)


ODD = [symlink, dangling_symlink, symlink_to_itself, symlink_to_a_device, directory, fifo, unix_socket]


@pytest.fixture
def drop(server: Server) -> Path:
    """The new/ of a maildrop with three messages and nothing else."""
    maildir = server.maildir(JOE)
    for path in [*maildir.glob("new/*"), *maildir.glob("cur/*")]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for number in range(3):
        server.deliver(b"Subject: %d\r\n\r\n" % number)
    return maildir / "new"


def name_of(drop: Path, number: int) -> Path:
    """A file of the three, oldest first."""
    return sorted(path for path in drop.iterdir() if b".R" in os.fsencode(path.name))[number]


@pytest.mark.parametrize("where", ["new", "cur"])
def test_odd_files_are_no_messages(server: Server, drop: Path, where: str) -> None:
    """Each of them twice: with a name like any, and with one that says a size."""
    with pop3(server) as client:
        before = retrieve_all(client)
    place = drop.parent / where
    place.mkdir(exist_ok=True)
    for number, make in enumerate(ODD):
        make(place / f"160000000{number}.M1P1.odd")
        make(place / f"170000000{number}.M1P1.odd,S=21,W=21")
    with pop3(server) as client:
        assert retrieve_all(client) == before
        client.say(b"DELE 1", b"+OK")
        client.say(b"QUIT", b"+OK")
    assert len(list(place.glob("*.odd*"))) == 2 * len(ODD)
    with pop3(server) as client:
        assert len(uidls(client)) == 2


@pytest.mark.parametrize("make", ODD)
def test_a_message_that_turns_into_something_else(
    server: Server, drop: Path, make: Callable[[Path], None]
) -> None:
    with pop3(server) as client:
        victim = name_of(drop, 1)
        victim.unlink()
        make(victim)
        client.say(b"RETR 1", b"+OK")
        client.lines()
        client.say(b"RETR 2", b"-ERR")
        client.say(b"TOP 2 5", b"-ERR")
        client.say(b"RETR 3", b"+OK")
        client.lines()
        client.say(b"QUIT", b"+OK")


def test_a_message_that_vanishes(server: Server, drop: Path) -> None:
    with pop3(server) as client:
        name_of(drop, 1).unlink()
        client.say(b"RETR 2", b"-ERR")
        client.say(b"RETR 3", b"+OK")
        client.lines()
        for number in (1, 2):
            client.say(b"DELE %d" % number, b"+OK")
        client.say(b"QUIT", b"+OK")
    with pop3(server) as client:
        assert len(uidls(client)) == 1


def test_a_message_that_cannot_be_read(server: Server, drop: Path) -> None:
    """For root no mode forbids reading; a name that lies of the size is refused in the same place."""
    liar = drop / "1600000000.M1P1.other,S=900,W=900"
    liar.write_bytes(b"Subject: short\r\n\r\n")
    forbidden = drop / "1600000001.M1P1.other"
    forbidden.write_bytes(b"Subject: forbidden\r\n\r\n")
    forbidden.chmod(0)
    readable = os.access(forbidden, os.R_OK)
    with pop3(server) as client:
        assert len(sizes(client)) == 4 + readable
        client.say(b"RETR 1", b"-ERR [SYS/TEMP]")
        for number in range(2, 5 + readable):
            client.say(b"RETR %d" % number, b"+OK")
            client.lines()
        client.say(b"QUIT", b"+OK")
    assert liar.exists()


def test_a_message_that_is_cut_while_it_is_sent(server: Server, drop: Path) -> None:
    """The client must not take what it got for the whole: the connection ends without the final dot."""
    server.deliver(b"Subject: cut\r\n\r\n" + b"a line of it\r\n" * 1_000_000)
    with pop3(server, receive_buffer=4096) as client:
        victim = max(drop.iterdir(), key=lambda path: path.stat().st_size)
        client.say(b"RETR 4", b"+OK")
        os.truncate(victim, 12_000_000)
        client.send(b"NOOP\r\n")
        assert not client.rest().endswith((b"\r\n.\r\n", b"+OK Done\r\n"))


def test_other_programs_rename_while_we_serve(server: Server, drop: Path) -> None:
    cur = drop.parent / "cur"
    with pop3(server) as client:
        before = retrieve_all(client)
        for path in list(drop.iterdir()):
            path.rename(cur / f"{path.name}:2,S")
        assert retrieve_all(client) == before
        client.say(b"DELE 2", b"+OK")
        client.say(b"QUIT", b"+OK")
    assert len(list(cur.iterdir())) == 2
    with pop3(server) as client:
        assert retrieve_all(client).items() < before.items(), "the same UIDLs, and the same octets"
