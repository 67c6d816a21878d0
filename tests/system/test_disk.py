"""A sick machine: no space, no large files, no descriptors, a bad disk. Mail is put off and never torn."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.clients import (
    Refused,
    begin_data,
    connect,
    cpu_seconds,
    pid_of,
    pop3,
    retrieve_all,
    smtp,
    within,
)
from tests.system.harness import NOTHING_KEPT, PATIENCE, Server
from tests.system.load import files_below
from tests.system.tracing import MOVES, SENDS, SYNCS, Call, read_trace, traced, why_not

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"
EVERYBODY = (JOE, ANN, BOB)
SMALL = b"Subject: small\r\n\r\nsmall\r\n"
BUFFERED = b"Subject: buffered\r\n\r\n" + b"%s\r\n" % (b"b" * 70) * 2000
SPOOLED = b"Subject: spooled\r\n\r\n" + b"%s\r\n" % (b"s" * 70) * 20_000


def hand_in(server: Server, message: bytes, *recipients: str) -> bytes:
    """The answer to a message."""
    with smtp(server) as client:
        begin_data(client, *recipients)
        client.send(message + b".\r\n")
        return client.line()


def stored(server: Server, account: str = JOE) -> list[bytes]:
    """What POP3 gives: the text of each message, without the fields that we put in front."""
    with pop3(server, account) as client:
        messages = retrieve_all(client).values()
        client.say(b"QUIT", b"+OK")
    return sorted(message[message.index(b"Subject: ") :] for message in messages)


def check_files(server: Server, seen: Path, counts: dict[str, int]) -> None:
    """So many messages for each account, and nothing half done. *seen*: the state directory."""
    for account, count in counts.items():
        local, _, domain = account.partition("@")
        maildir = seen / "mail" / domain / local
        assert len(list(files_below(maildir, "new", "cur"))) == count, account
        assert list(files_below(maildir, "tmp")) == [], account


# A disk that is full


@functools.cache
def unshare() -> tuple[str, ...] | None:
    """A command behind which one may mount, if there is any."""
    mounting = ("sh", "-c", "mount -t tmpfs none /mnt")
    for command in (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount")):
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run([*command, *mounting], capture_output=True, check=False).returncode == 0:
                return command
    return None


class Disk:
    """The state directory of a server, on a tmpfs of 16 MiB that only the server sees."""

    def __init__(self, server: Server) -> None:
        command = unshare()
        if command is None:
            pytest.skip("needs to mount a tmpfs: as root, or with user namespaces")
        self.server = server
        server.state.mkdir(parents=True)
        mounting = 'mount -t tmpfs -o size=16m,mode=700 none "$0" && exec "$@"'
        python = (sys.executable, "-m", "mailsuite")
        server.command = (*command, "sh", "-c", mounting, str(server.state), *python)
        server.start()
        self.path = Path(f"/proc/{pid_of(server)}/root{server.state}")
        assert (self.path / "lock").exists()
        assert not (server.state / "lock").exists(), "the tmpfs is the server's own"

    def fill(self, spare: int = 0) -> None:
        """Take all space but *spare* octets."""
        with (self.path / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while ballast.write(bytes(65_536)) == 65_536:
                pass
        free = os.statvfs(self.path)
        assert free.f_bavail == 0
        os.truncate(self.path / "ballast", (self.path / "ballast").stat().st_size - spare)

    def clear(self) -> None:
        (self.path / "ballast").unlink()


@pytest.fixture
def disk(own_server: Server) -> Disk:
    return Disk(own_server)


def test_a_full_disk(disk: Disk) -> None:
    server = disk.server
    assert hand_in(server, SMALL, *EVERYBODY).startswith(b"250 2.0.0 ")
    disk.fill()
    for message in (SMALL, BUFFERED, SPOOLED):
        for recipients in ((JOE,), EVERYBODY):
            assert hand_in(server, message, *recipients).startswith(b"452 4.3.1 "), (len(message), recipients)
    check_files(server, disk.path, dict.fromkeys(EVERYBODY, 1))
    for account in EVERYBODY:
        assert stored(server, account) == [SMALL], "what was there can be fetched"
    disk.clear()
    for message in (SMALL, BUFFERED, SPOOLED):
        assert hand_in(server, message, JOE).startswith(b"250 2.0.0 ")
    assert stored(server) == sorted([SMALL, SMALL, BUFFERED, SPOOLED])
    check_files(server, disk.path, {JOE: 4, ANN: 1, BOB: 1})


def test_a_disk_that_becomes_full(disk: Disk) -> None:
    """There is room for one copy and not for two: then nobody gets one."""
    server = disk.server
    assert hand_in(server, SMALL, *EVERYBODY).startswith(b"250 2.0.0 ")
    disk.fill(spare=len(SPOOLED) * 3 // 2)
    assert hand_in(server, SPOOLED, JOE, ANN).startswith(b"452 4.3.1 ")
    check_files(server, disk.path, {JOE: 1, ANN: 1})
    assert hand_in(server, SPOOLED, ANN).startswith(b"250 2.0.0 ")
    assert stored(server, ANN) == [SMALL, SPOOLED]


def test_mail_is_deleted_from_a_full_disk(disk: Disk) -> None:
    """The way out of it where nothing is kept: what was fetched and deleted makes room."""
    server = disk.server
    server.extra += NOTHING_KEPT
    server.reload()
    assert hand_in(server, SPOOLED, JOE).startswith(b"250 2.0.0 ")
    disk.fill()
    assert hand_in(server, SMALL, JOE).startswith(b"452 4.3.1 ")
    with pop3(server) as client:
        client.say(b"DELE 1", b"+OK")
        client.say(b"QUIT", b"+OK")
    assert hand_in(server, SMALL, JOE).startswith(b"250 2.0.0 ")
    assert stored(server) == [SMALL]


def test_deleted_mail_makes_room_on_a_full_disk_when_it_is_forgotten(disk: Disk) -> None:
    """Deleting works all the same, and the mail can be brought back; forgetting it makes room."""
    server = disk.server
    assert hand_in(server, SPOOLED, JOE).startswith(b"250 2.0.0 ")
    assert hand_in(server, SPOOLED, JOE).startswith(b"250 2.0.0 ")
    disk.fill()
    with pop3(server) as client:
        client.say(b"DELE 1", b"+OK")
        client.say(b"DELE 2", b"+OK")
        client.say(b"QUIT", b"+OK")
    assert stored(server) == []
    assert hand_in(server, SMALL, JOE).startswith(b"452 4.3.1 ")
    [uidl, _] = [each["uidl"] for each in server.control.get(f"/v1/accounts/{JOE}/deleted")["deleted"]]
    server.cli("undelete", JOE, uidl)
    assert stored(server) == [SPOOLED]
    server.cli("undelete", JOE, "--purge", "--yes")
    assert hand_in(server, SMALL, JOE).startswith(b"250 2.0.0 ")
    assert stored(server) == sorted([SMALL, SPOOLED])


# Files that may not grow


def test_a_limit_on_the_size_of_files(own_server: Server) -> None:
    """The second way to a write that fails in the middle: EFBIG."""
    server = own_server.start()
    assert hand_in(server, SMALL, *EVERYBODY).startswith(b"250 2.0.0 ")
    with limited(pid_of(server), resource.RLIMIT_FSIZE, 100_000):
        for message in (BUFFERED, SPOOLED):
            for recipients in ((JOE,), EVERYBODY):
                assert hand_in(server, message, *recipients).startswith(b"451 4.3.0 ")
        check_files(server, server.state, dict.fromkeys(EVERYBODY, 1))
        assert hand_in(server, SMALL, JOE).startswith(b"250 2.0.0 ")
        assert stored(server) == [SMALL, SMALL]
    assert hand_in(server, SPOOLED, JOE).startswith(b"250 2.0.0 ")
    assert stored(server) == sorted([SMALL, SMALL, SPOOLED])


@contextlib.contextmanager
def limited(pid: int, kind: int, soft: int) -> Iterator[None]:
    """Put a limit on a process for a while."""
    before = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, kind, before)


# Descriptors


def test_no_descriptors(own_server: Server) -> None:
    server = own_server.start()
    pid = pid_of(server)
    assert hand_in(server, SMALL, *EVERYBODY).startswith(b"250 2.0.0 ")
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(pop3(server))
        sender = stack.enter_context(smtp(server))
        highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        stack.enter_context(limited(pid, resource.RLIMIT_NOFILE, highest + 8))
        crowd = [stack.enter_context(connect(server, "mx")) for _ in range(40)]
        within(PATIENCE, lambda: exhausted(pid, highest + 8), AssertionError)
        used = cpu_seconds(pid)
        time.sleep(1)  # this is what is measured
        assert cpu_seconds(pid) - used < 0.3, "no busy loop"
        reader.say(b"NOOP", b"+OK")
        reader.say(b"RETR 1", b"-ERR [SYS/TEMP]")
        begin_data(sender, JOE)
        sender.send(SMALL + b".\r\n")
        assert sender.line().startswith(b"451 4.3.0 ")
        for client in crowd:
            client.close()
        assert within(5, lambda: hand_in(server, SMALL, JOE), Refused, OSError).startswith(b"250 2.0.0 ")
        reader.say(b"RETR 1", b"+OK")
        assert reader.lines()
        reader.say(b"QUIT", b"+OK")
        assert stored(server) == [SMALL, SMALL]
    check_files(server, server.state, {JOE: 2, ANN: 1, BOB: 1})


def exhausted(pid: int, limit: int) -> None:
    """The process has no descriptor left, but for one that it may keep for this case."""
    assert len(os.listdir(f"/proc/{pid}/fd")) >= limit - 1


# A disk that fails: strace lets a system call fail at every so-manyeth time


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        ("fsync:error=EIO:when=18+9", b"451 4.3.0 "),
        ("fsync:error=ENOSPC:when=17+10", b"452 4.3.1 "),
        ("renameat2:error=EDQUOT:when=3+3", b"452 4.3.1 "),
        ("renameat2:error=EIO:when=4+2", b"451 4.3.0 "),
    ],
)
def test_a_disk_that_fails(own_server: Server, tmp_path: Path, failure: str, answer: bytes) -> None:
    """Each message is there for all its recipients, or for none and its sender was told so."""
    if reason := why_not():
        pytest.skip(reason)
    server = traced(own_server, tmp_path / "trace", "-e", f"inject={failure}").start()
    taken: dict[str, list[bytes]] = {account: [] for account in EVERYBODY}
    refused = 0
    for number in range(15):
        message = b"Subject: %02d\r\n\r\n" % number
        recipients = EVERYBODY[: 3 - number % 3]
        said = hand_in(server, message, *recipients)
        if said.startswith(b"250 2.0.0 "):
            for account in recipients:
                taken[account].append(message)
        else:
            assert said.startswith(answer), said
            refused += 1
    assert 1 < refused < 14
    for account in EVERYBODY:
        assert stored(server, account) == taken[account]
    check_files(server, server.state, {account: len(messages) for account, messages in taken.items()})
    pid = pid_of(server)
    server.stop()
    check_no_failure_was_passed_over(read_trace(tmp_path / "trace", pid))


def check_no_failure_was_passed_over(calls: list[Call]) -> None:
    """Between a call that failed and the next 250 there is an answer that admits it."""
    failed: Call | None = None
    failures = 0
    for call in calls:
        if call.name in {*SYNCS, *MOVES} and call.result < 0:
            failed, failures = call, failures + 1
        elif call.name in SENDS and '"45' in call.arguments:
            failed = None
        elif call.name in SENDS and '"250 2.0.0 OK, queued' in call.arguments:
            assert failed is None
    assert failures


@pytest.mark.parametrize(
    ("failure", "more"),
    [
        ("unlink,unlinkat:error=EIO:when=6+2", NOTHING_KEPT),  # SQLite removes fewer files at the start
        ("renameat2:error=EIO:when=3+4", ""),
    ],
)
def test_a_deletion_that_fails(own_server: Server, tmp_path: Path, failure: str, more: str) -> None:
    """QUIT says so, and what was not removed is there. Calls are counted for each thread."""
    if reason := why_not():
        pytest.skip(reason)
    own_server.extra += more
    server = traced(own_server, tmp_path / "trace", "-e", f"inject={failure}").start()
    for number in range(8):
        hand_in(server, b"Subject: %d\r\n\r\n" % number, JOE)
    answers = []
    while count := len(stored(server)):
        with pop3(server) as client:
            for number in range(1, count + 1):
                client.say(b"DELE %d" % number, b"+OK")
            answers.append(client.say(b"QUIT"))
        left = len(stored(server))
        assert left <= count
        assert len(answers) < 20
        assert answers[-1].startswith(b"-ERR [SYS/TEMP] " if left else b"+OK ")
    assert len(answers) > 1
