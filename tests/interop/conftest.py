"""Servers for the whole folder, with empty maildrops for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts.sources.certificates import Authority
from tests.interop.doors import Doors, doors_of
from tests.interop.hall import hall_of
from tests.interop.lineup import Lineup
from tests.interop.programs import Desk
from tests.system.harness import LIMITS, Server
from tests.system.sockets import SocketServer

AS_IT_IS = LIMITS.replace("[pop3]\n", '[pop3]\nutf8_mail = "as-is"\n')
"""These programs do not say UTF8, and are to get each message octet for octet."""


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), extra=AS_IT_IS) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The server; whatever a test has left in the maildrops is gone for the next one."""
    yield running
    _empty(running)


@pytest.fixture(scope="package")
def open_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with doors_of(Server(tmp_path_factory.mktemp("doors"))) as doors:
        yield doors


@pytest.fixture
def doors(open_doors: Doors) -> Iterator[Doors]:
    """The server that offers every way to log in."""
    yield open_doors
    _empty(open_doors.server)


@pytest.fixture(scope="package")
def open_hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    with hall_of(tmp_path_factory.mktemp("hall")) as running:
        yield running


@pytest.fixture
def hall(open_hall: SocketServer) -> Iterator[SocketServer]:
    """The server with every way to bring mail; see hall.py."""
    yield open_hall
    _empty(open_hall)


@pytest.fixture(scope="package")
def lineup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lineup]:
    """Servers of others that take mail from us; whoever looks for some there tells it from that before."""
    with Lineup(Authority(tmp_path_factory.mktemp("authority"))) as running:
        yield running


def _empty(server: Server) -> None:
    for account in server.accounts:
        for folder in ("new", "cur"):
            for message in (server.maildir(account) / folder).glob("*"):
                message.unlink()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Where the test's client lives: nothing of this machine's own settings reaches it."""
    home = tmp_path / "home"
    home.mkdir()
    return Desk(home)
