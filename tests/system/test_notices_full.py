"""While what is kept for notices cannot be written, as on a full disk, mail goes on; and when there is room
again, so do notices, from what is in the log."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.clients import pid_of
from tests.system.harness import Server
from tests.system.hooks import Hooks, subjects, subscribe
from tests.system.streams import ANN, JOE, WITH_NOTIFY, Listening
from tests.system.test_happenings import rows

SMALLEST = 4096
"""Octets that a file may have: more than a letter, less than a row's page with its frame in the -wal file."""


def letter(subject: str) -> bytes:
    return f"Subject: {subject}\r\n\r\ntext\r\n".encode()


@contextmanager
def full(server: Server) -> Iterator[None]:
    pid = pid_of(server)
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (SMALLEST, most))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def test_notices_go_on_when_there_is_room_again(own_server: Server) -> None:
    with Hooks() as hooks:
        own_server.extra, own_server.listeners = hooks.settings(), WITH_NOTIFY
        with own_server.start() as server:
            subscribe(server, JOE, hooks.url())
            stream = Listening.open(server)
            server.deliver(letter("before"))
            hooks.until_last("before", "/hook")
            with full(server):
                for number in range(3):
                    server.deliver(letter(f"meanwhile {number}"), JOE, ANN)
            server.deliver(letter("after"))
            hooks.until_last("after", "/hook")
            assert hooks.subjects("/hook") == ["before", "after"]
            assert subjects(stream.next(2)) == ["before", "after"]
            assert [seq for _, seq, _, _ in rows(server)] == [1, 2], "no seq is given twice or left out"
            assert (len(server.messages(JOE)), len(server.messages(ANN))) == (5, 3)
            stream.close()
            log = server.logged()
            server.stop()
            assert " notify.lost " in log
            server.start()
            server.deliver(letter("after a restart"))
            hooks.until_last("after a restart", "/hook")
            assert hooks.subjects("/hook") == ["before", "after", "after a restart"], "nothing is told twice"
