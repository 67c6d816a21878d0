"""The control socket: where it is opened, for whom, and in whose place."""

from __future__ import annotations

import grp
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from mailsuite.admin.control import (
    DIRECTORY_MODE,
    MAX_SOCKET_PATH,
    SOCKET_MODE,
    ControlError,
    control_site,
    open_control_socket,
)
from mailsuite.admin.resources import Desk, Document
from mailsuite.cli.control import Control
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.account import IPAddress
from mailsuite.observe.log import Log
from tests.accounts.offices import JOE, World
from tests.admin.operations import operations_of


class FakePort:
    stopped = False

    def stopListening(self) -> None:
        self.stopped = True


class Unix:
    """A reactor that binds, and serves nobody."""

    def __init__(self) -> None:
        self.port = FakePort()
        self.bound: list[str] = []

    def listenUNIX(self, path: str, site: Site, mode: int) -> FakePort:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path)
        os.chmod(path, mode)
        self.bound.append(path)
        return self.port


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose name is short enough for a Unix socket in it."""
    with tempfile.TemporaryDirectory(prefix="ms-") as name:
        yield Path(name)


SITE = Site(Resource(), reactor=reactor)


def refused(path: Path, group: str = "", unix: Unix | None = None) -> str:
    with pytest.raises(ControlError) as caught:
        open_control_socket(unix or Unix(), path, group, SITE)
    return str(caught.value)


def test_owner_and_group_and_nobody_else(place: Path) -> None:
    path = place / "run" / "control.sock"
    own = grp.getgrgid(os.getegid()).gr_name
    open_control_socket(Unix(), path, own, SITE)
    assert stat.S_IMODE(path.stat().st_mode) == SOCKET_MODE
    assert stat.S_IMODE(path.parent.stat().st_mode) == DIRECTORY_MODE
    assert path.stat().st_gid == os.getegid()


def test_an_unknown_group_closes_it_again(place: Path) -> None:
    unix = Unix()
    words = refused(place / "c", "no-such-group", unix)
    assert words == "server.control_group: there is no group 'no-such-group'"
    assert unix.port.stopped


def test_a_group_that_is_not_ours_to_give(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chown(path: Path, user: int, group: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    unix = Unix()
    words = refused(place / "c", "root", unix)
    assert words == f"server.control_group: {place}/c cannot be given to 'root': Operation not permitted"
    assert unix.port.stopped


def test_the_longest_path(place: Path) -> None:
    path = place / ("x" * (MAX_SOCKET_PATH - len(str(place)) - 1))
    open_control_socket(Unix(), path, "", SITE)
    assert f"longer than the {MAX_SOCKET_PATH} octets" in refused(path.with_name(path.name + "x"))


def test_a_directory_that_cannot_be_made() -> None:
    assert refused(Path("/proc/mailsuite/c")) == "/proc/mailsuite/c: No such file or directory"


def test_what_a_dead_server_left_is_replaced(place: Path) -> None:
    path = place / "c"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    open_control_socket(Unix(), path, "", SITE)


@pytest.mark.parametrize("queue", [0, 5])
def test_a_live_server_keeps_its_socket(place: Path, queue: int) -> None:
    """Also one that is too busy to accept."""
    path = place / "c"
    with socket.socket(socket.AF_UNIX) as living, socket.socket(socket.AF_UNIX) as client:
        living.bind(str(path))
        living.listen(queue)
        if not queue:
            client.connect(str(path))
        assert refused(path) == f"{path}: another server listens there"
        assert path.exists()


def test_nothing_but_a_socket_is_removed(place: Path) -> None:
    path = place / "precious"
    path.write_text("data")
    assert refused(path) == f"{path}: something else than a socket is there"
    link = place / "link"
    link.symlink_to(path)
    refused(link)
    assert path.read_text() == "data"


class Served(TestCase):
    """By a real reactor, to the client of the command line."""

    async def test_the_command_line_is_answered(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="ms-")
        self.addCleanup(directory.cleanup)
        log = Log()
        tasks = Tasks(lambda failure: log.failure("failed", failure))
        world = World(Path(directory.name))

        async def status() -> Document:
            return {"state": "well"}

        async def reload(caller: IPAddress | None, force: bool) -> tuple[int, Document]:
            return 200, {"caller": str(caller), "force": force}

        operations = operations_of(reactor, log, Path(directory.name), status, reload)
        site = control_site(reactor, Desk(log, tasks), world.office, operations)
        path = Path(directory.name) / "c"
        port: Any = open_control_socket(reactor, path, "", site)
        control = Control(path)
        self.assertEqual(await deferToThread(control.get, "/v1/status"), {"state": "well"})
        added = await deferToThread(control.post, "/v1/domains", {"name": "example.test"})
        self.assertEqual(added["domain"]["name"], "example.test")
        world.add_joe()
        device = await deferToThread(control.post, "/v1/accounts/joe@example.test/devices", {"name": "x"})
        await deferToThread(control.delete, "/v1/accounts/joe@example.test/devices/x")
        self.assertEqual(world.ended, [(JOE, device["device"]["id"], "the device was removed")])
        self.assertTrue((await deferToThread(control.post, "/v1/keys/rotate", {}))["dropped"])
        asked = {"from": "::ffff:192.0.2.7", "force": True}
        reloaded = await deferToThread(control.post, "/v1/reload", asked)
        self.assertEqual(reloaded, {"caller": "192.0.2.7", "force": True})
        stopped = await deferToThread(control.post, "/v1/services/pop3", {"action": "stop"})
        self.assertEqual(stopped["service"]["state"], "stopped")
        with self.assertRaisesRegex(ControlError, "another server"):
            open_control_socket(reactor, path, "", site)
        closed: Deferred[None] = port.stopListening()
        await closed
        self.assertFalse(path.exists())


def test_a_socket_that_cannot_be_bound(place: Path) -> None:
    """What Twisted raises then, in words."""
    from twisted.internet.error import CannotListenError

    class Broken(Unix):
        def listenUNIX(self, path: str, site: Site, mode: int) -> FakePort:
            raise CannotListenError(None, path, OSError(28, "No space left on device"))

    assert refused(place / "c", unix=Broken()) == f"{place}/c: No space left on device"
