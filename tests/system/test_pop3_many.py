"""Two hundred thousand messages in one maildrop (features row P-26): login, STAT and UIDL.

Measured is processor time of the server, so that what else this machine does counts for little. Limits are
twice what the row names, for machines slower than the one that bench/ tells of.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.system.boxes import JOE, Way
from tests.system.clients import cpu_seconds, pid_of
from tests.system.harness import Server

MANY = 200_000
COLD, WARM = 2 * 2.0, 2 * 0.3
"""Seconds."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    maildir = made.maildir(JOE)
    for folder in ("tmp", "new", "cur"):
        (maildir / folder).mkdir(parents=True)
    for number in range(MANY):
        name = f"{1700000000 + number // 7}.R0123456789abcdefQ{number:08d}.mail.example.test,S=2,W=2,D=0"
        os.mknod(f"{maildir}/{'cur' if number % 2 else 'new'}/{name}{':2,S' * (number % 2)}", 0o600)
    with made:
        Way(made, "nobody@example.test", "wrong").answer()  # what the first login of all imports is there
        yield made


def visit(server: Server) -> float:
    """What a session costs that asks for all UIDLs."""
    before = cpu_seconds(pid_of(server))
    with Way(server).open() as client:
        client.say(b"STAT", b"+OK %d %d" % (MANY, 2 * MANY))
        names = client.multiline(b"UIDL")
        client.say(b"QUIT", b"+OK")
    took = cpu_seconds(pid_of(server)) - before
    assert len({line.split()[1] for line in names}) == MANY
    return took


def test_cold_and_warm(server: Server) -> None:
    cold = visit(server)
    warm = min(visit(server) for _ in range(3))
    print(f"cold {cold:.2f} s, warm {warm:.2f} s")  # noqa: T201 - pytest shows it with a failure
    assert cold < COLD
    assert warm < WARM
