"""A disk that is nearly full: mail is put off in time, what is there can be fetched, and it ends by itself.

The state directory lies on a tmpfs of 16 MiB, of which half stays free (config/kinds_space.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.clients import Client, begin_data, pid_of, pop3, retrieve_all, smtp, within
from tests.system.harness import Server
from tests.system.load import files_below
from tests.system.test_disk import unshare

MIB = 1 << 20
SMALL = b"Subject: small\r\n\r\nsmall\r\n"
PUT_OFF = b"452 4.3.1 "
SOON = 8.0
"""Seconds: the server looks at its disk as often as mail comes, and every ten seconds else."""


class Disk:
    """The state directory of a server, on a tmpfs that only the server sees."""

    def __init__(self, server: Server, options: str) -> None:
        command = unshare()
        if command is None:
            pytest.skip("needs to mount a tmpfs: as root, or with user namespaces")
        self.server = server
        server.state.mkdir(parents=True)
        mounting = f'mount -t tmpfs -o {options},mode=700 none "$0" && exec "$@"'
        python = (sys.executable, "-m", "mailsuite")
        server.keep_free = ""
        server.command = (*command, "sh", "-c", mounting, str(server.state), *python)
        server.start()
        self.path = Path(f"/proc/{pid_of(server)}/root{server.state}")

    def leave(self, octets: int) -> None:
        """Take all space but so much."""
        state = os.statvfs(self.path)
        with (self.path / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, state.f_bavail * state.f_frsize - octets)

    def crowd(self, spare: int) -> None:
        """Take all inodes but so many."""
        (self.path / "many").mkdir()
        for number in range(os.statvfs(self.path).f_favail - spare):
            (self.path / "many" / str(number)).touch()

    def clear(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)
        for each in (self.path / "many").glob("*"):
            each.unlink()


@pytest.fixture
def disk(own_server: Server) -> Iterator[Disk]:
    found = Disk(own_server, "size=16m,nr_inodes=1000")
    yield found
    log = own_server.logged()
    assert [line for line in log.splitlines() if " error " in line and "disk.low" not in line] == []


def begin(client: Client, *parameters: str) -> bytes:
    """The answer to MAIL."""
    return client.say(" ".join(("MAIL FROM:<sender@elsewhere.example>", *parameters)).encode())


def hand_in(server: Server) -> bytes:
    """The answer to a small message, or to its MAIL."""
    with smtp(server) as client:
        answer = begin(client)
        if not answer.startswith(b"250"):
            return answer
        client.say(b"RSET", b"250")
        begin_data(client)
        client.send(SMALL + b".\r\n")
        return client.line()


def told(server: Server) -> list[str]:
    """What the log has said of the disk."""
    words = (line.split() for line in server.logged().splitlines())
    return [each[2] for each in words if each[2:3] and each[2].startswith("disk.")]


def answered(server: Server, begins: bytes) -> None:
    """MAIL is answered so; that may take the second for which a look at the disk is good."""

    def look() -> None:
        with smtp(server) as client:
            assert begin(client).startswith(begins)

    within(SOON, look, AssertionError)


def has_told(server: Server, *events: str) -> None:
    def look() -> None:
        assert told(server) == list(events)

    within(SOON + 10, look, AssertionError)


def test_mail_is_put_off_before_the_disk_is_full(disk: Disk) -> None:
    server = disk.server
    assert hand_in(server).startswith(b"250 2.0.0 ")
    disk.leave(7 * MIB)
    answered(server, PUT_OFF)
    for _ in range(5):
        assert hand_in(server).startswith(PUT_OFF)
    assert list(files_below(disk.path / "mail/example.test/joe", "tmp")) == []
    with pop3(server) as client:
        [message] = retrieve_all(client).values()
        assert message.endswith(SMALL)
        client.say(b"DELE 1", b"+OK")
        client.say(b"QUIT", b"+OK")
    with pop3(server) as client:
        assert retrieve_all(client) == {}
    has_told(server, "disk.low")
    disk.clear()
    answered(server, b"250")
    assert hand_in(server).startswith(b"250 2.0.0 ")
    has_told(server, "disk.low", "disk.recovered")


def test_a_message_that_has_begun_is_taken(disk: Disk) -> None:
    """The space that stays free is for it."""
    server = disk.server
    with smtp(server) as client:
        begin_data(client)
        disk.leave(7 * MIB)
        answered(server, PUT_OFF)
        client.send(SMALL + b".\r\n")
        assert client.line().startswith(b"250 2.0.0 ")
        assert begin(client).startswith(PUT_OFF)


def test_what_others_have_promised_counts(disk: Disk) -> None:
    """Features row M-06."""
    server = disk.server
    size = f"SIZE={5 * MIB}"
    with smtp(server) as first, smtp(server) as second:
        assert begin(first, size).startswith(b"250")
        assert begin(second, size).startswith(PUT_OFF)
        assert begin(second, "SIZE=1000").startswith(b"250")
        second.say(b"RSET", b"250")
        first.say(b"RSET", b"250")
        assert begin(second, size).startswith(b"250")
        assert begin(first, size).startswith(PUT_OFF)
        second.close()
        within(SOON, lambda: promise(first, size), AssertionError)
    assert told(server) == [], "the disk itself has room"


def promise(client: Client, size: str) -> None:
    assert begin(client, size).startswith(b"250")


def test_a_promise_is_over_when_the_message_has_come(disk: Disk) -> None:
    server = disk.server
    size = f"SIZE={5 * MIB}"
    with smtp(server) as first, smtp(server) as second:
        assert begin(first, size).startswith(b"250")
        first.say(b"RCPT TO:<joe@example.test>", b"250")
        first.say(b"DATA", b"354")
        assert begin(second, size).startswith(PUT_OFF)
        first.send(SMALL)
        first.say(b".", b"250")
        assert begin(second, size).startswith(b"250")


def test_inodes(disk: Disk) -> None:
    server = disk.server
    assert hand_in(server).startswith(b"250 2.0.0 ")
    disk.crowd(spare=45)
    answered(server, PUT_OFF)
    has_told(server, "disk.low")
    assert "of=inodes" in server.logged()
    disk.clear()
    answered(server, b"250")
    assert hand_in(server).startswith(b"250 2.0.0 ")


def test_what_is_to_stay_free_is_taken_over_while_it_runs(disk: Disk) -> None:
    server = disk.server
    disk.leave(7 * MIB)
    answered(server, PUT_OFF)
    server.extra += '[delivery]\nkeep_free = "10%"\n'
    server.keep_free = ""
    server.reload()
    assert hand_in(server).startswith(b"250 2.0.0 ")
