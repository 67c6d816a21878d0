"""Unix sockets as the kernel has them: whose they are, and what was there before."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import socket
import stat
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from mailsuite.frontends.door import Door
from mailsuite.frontends.doors import DoorError
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.listener import Listener, Place
from mailsuite.frontends.unix import Rights, caller_of
from tests.frontends.test_sockets import PATIENCE, BigSession, SocketCase, line

IS_ROOT = os.geteuid() == 0
ME = pwd.getpwuid(os.geteuid()).pw_name
MY_GROUP = grp.getgrgid(os.getegid()).gr_name


class UnixCase(SocketCase):
    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="ms-")
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        self.path = self.folder / "run" / "line.sock"
        self.callers: list[int | None] = []

    def listener(self, rights: Rights = Rights(), path: Path | None = None) -> Listener:  # noqa: B008 - frozen
        door = Door("line", "door", reactor, self.log, 300.0)

        class Session(BigSession):
            def connectionMade(session) -> None:
                self.callers.append(caller_of(session.transport))
                super().connectionMade()

        factory = SessionFactory(reactor, lambda: Session(door), self.admission, b"full\n", self.log)
        self.factories.append(factory)
        return Listener(
            "door", "line", (Place("", 0, socket=str(path or self.path), rights=rights),), factory, ""
        )

    async def become(self, *wanted: Listener) -> None:
        await self.doors.open({each.name: each.places for each in wanted})
        self.doors.turn(wanted)

    async def refused(self, listener: Listener) -> str:
        try:
            await self.doors.open({listener.name: listener.places})
        except DoorError as error:
            return str(error)
        raise AssertionError("it was opened")

    def talk_in_vain(self) -> Deferred[bytes]:
        """What comes on a connection that is closed at once."""

        def talk() -> bytes:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE)
                connection.connect(str(self.path))
                try:
                    return connection.recv(100)
                except ConnectionResetError:
                    return b""

        return deferToThread(talk)

    def talk(self) -> Deferred[bytes]:
        def talk() -> bytes:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE)
                connection.connect(str(self.path))
                greeting = line(connection)
                connection.sendall(b"quit\n")
                return greeting

        return deferToThread(talk)

    @property
    def mode(self) -> int:
        return stat.S_IMODE(self.path.stat().st_mode)


class Opening(UnixCase):
    async def test_a_session_and_who_calls(self) -> None:
        await self.become(self.listener())
        self.assertEqual(await self.talk(), b"hello\n")
        self.assertEqual(self.callers, [os.geteuid()])
        self.assertEqual(self.doors.addresses(self.doors.listeners[0]), (str(self.path),))
        self.assertEqual((self.mode, stat.S_IMODE(self.path.parent.stat().st_mode)), (0o660, 0o755))

    async def test_root_meets_the_limit_of_all_alone_and_others_their_own(self) -> None:
        """Four connections at once; the last two are one too many for somebody."""
        self.admission.per_address, self.admission.total = 2, 3
        await self.become(self.listener())

        def talk() -> list[bytes]:
            with contextlib.ExitStack() as stack:
                words = []
                for _ in range(4):
                    connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                    connection.settimeout(PATIENCE)
                    connection.connect(str(self.path))
                    words.append(line(connection))
                return words

        places = 3 if IS_ROOT else 2
        self.assertEqual(await deferToThread(talk), [b"hello\n"] * places + [b"full\n"] * (4 - places))
        [logged] = [each for each in self.lines if "connection.refused" in each]
        self.assertIn(f" user={os.geteuid()}", logged)

    async def test_nobody_is_let_in_while_it_closes(self) -> None:
        listener = self.listener()
        await self.become(listener)
        place, *_ = listener.places
        self.doors._sockets[place].entrance.shut()
        self.assertEqual(await self.talk_in_vain(), b"")

    async def test_its_file_goes_with_it(self) -> None:
        await self.become(self.listener())
        await self.doors.drain(0.0)
        self.assertFalse(self.path.exists())

    async def test_the_file_of_a_dead_server(self) -> None:
        self.path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.path))
        await self.become(self.listener())
        self.assertEqual(await self.talk(), b"hello\n")

    async def test_another_server_that_lives(self) -> None:
        self.path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as living:
            living.bind(str(self.path))
            living.listen()
            self.assertIn(
                f"cannot listen on {self.path}: another server listens there",
                await self.refused(self.listener()),
            )
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.path))

    async def test_another_program_that_takes_datagrams(self) -> None:
        """As /dev/log does: whoever connects is told that this is the wrong kind."""
        self.path.parent.mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as living:
            living.bind(str(self.path))
            self.assertIn("another server listens there", await self.refused(self.listener()))
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.sendto(b"x", str(self.path))

    async def test_a_file_that_is_no_socket_stays(self) -> None:
        self.path.parent.mkdir()
        for make in (
            self.path.touch,
            self.path.mkdir,
            lambda: self.path.symlink_to(self.folder / "elsewhere"),
        ):
            make()
            self.assertIn("something else than a socket is there", await self.refused(self.listener()))
            self.assertTrue(self.path.is_symlink() or self.path.exists())
            self.path.rmdir() if self.path.is_dir() else self.path.unlink()

    async def test_a_link_to_a_dead_socket_stays(self) -> None:
        self.path.parent.mkdir()
        target = self.folder / "dead.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(target))
        self.path.symlink_to(target)
        self.assertIn("something else than a socket is there", await self.refused(self.listener()))
        self.assertTrue(target.exists())

    async def test_a_folder_into_which_everybody_may_write(self) -> None:
        self.path.parent.mkdir()
        self.path.parent.chmod(0o777)
        self.assertIn("everybody may write into", await self.refused(self.listener()))
        self.path.parent.chmod(0o1777)
        await self.become(self.listener())

    async def test_a_folder_that_cannot_be_made(self) -> None:
        (self.folder / "run").touch()
        self.assertIn(
            "Not a directory", await self.refused(self.listener(path=self.folder / "run" / "x" / "sock"))
        )
        self.assertIn("Not a directory", await self.refused(self.listener(path=self.folder / "run" / "sock")))

    async def test_a_path_that_is_too_long(self) -> None:
        words = await self.refused(self.listener(path=self.folder / ("x" * 120)))
        self.assertIn("longer than the 107 octets", words)

    async def test_two_listeners_at_one_place(self) -> None:
        with self.assertRaisesRegex(DoorError, f"cannot listen on {self.path}: listener a does"):
            await self.doors.open({"a": self.listener().places, "b": self.listener().places})


class Whose(UnixCase):
    async def test_rights(self) -> None:
        await self.become(self.listener(Rights(ME, MY_GROUP, 0o600)))
        status = self.path.stat()
        self.assertEqual((status.st_uid, status.st_gid, self.mode), (os.geteuid(), os.getegid(), 0o600))

    async def test_of_another_with_the_folder(self) -> None:
        if not IS_ROOT:
            await self.refused(self.listener(Rights("root")))
            return
        await self.become(self.listener(Rights("nobody", "mail", 0o666)))
        nobody, mail = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("mail").gr_gid
        status = self.path.stat()
        self.assertEqual((status.st_uid, status.st_gid, self.mode), (nobody, mail, 0o666))
        self.assertEqual(self.path.parent.stat().st_uid, nobody)

    async def test_who_does_not_exist(self) -> None:
        for rights in (Rights("nobody-at-all"), Rights(group="nobody-at-all")):
            self.assertIn("nobody-at-all", await self.refused(self.listener(rights)))
            self.assertFalse(self.path.exists())
        await self.become(self.listener())

    async def test_who_does_not_exist_where_the_folder_does(self) -> None:
        self.path.parent.mkdir()
        self.assertIn("nobody-at-all", await self.refused(self.listener(Rights("nobody-at-all"))))
        self.assertFalse(self.path.exists())
        await self.become(self.listener())

    async def test_they_change_while_it_is_open(self) -> None:
        await self.become(self.listener())
        before = self.path.stat().st_ino
        await self.become(self.listener(Rights(mode=0o666)))
        self.assertEqual((self.mode, self.path.stat().st_ino), (0o666, before))
        self.assertEqual(await self.talk(), b"hello\n")

    async def test_and_stay_where_that_fails(self) -> None:
        await self.become(self.listener())
        await self.become(self.listener(Rights("nobody-at-all", mode=0o666)))
        self.assertEqual(self.mode, 0o660)
        self.assertEqual(len([each for each in self.lines if "listener.rights_kept" in each]), 1)
        self.assertEqual(await self.talk(), b"hello\n")

    async def test_a_file_that_was_replaced_is_left_alone(self) -> None:
        await self.become(self.listener())
        self.path.unlink()
        self.path.write_text("somebody else's")
        await self.become(self.listener(Rights(mode=0o666)))
        self.assertNotEqual(self.mode, 0o666)
        self.assertIn(
            "not ours any more", next(each for each in self.lines if "listener.rights_kept" in each)
        )
        await self.doors.drain(0.0)
        self.assertEqual(self.path.read_text(), "somebody else's")

    async def test_a_link_that_takes_its_place_at_once(self) -> None:
        """Whoever owns the folder would have the rights of any file changed, as root starts us."""
        victim = self.folder / "victim"
        victim.touch(mode=0o600)
        chmod = os.chmod

        def then_link(path: bytes | str, mode: int) -> None:
            chmod(path, mode)
            if os.fsdecode(path) == str(self.path):
                self.path.unlink()
                self.path.symlink_to(victim)

        self.patch(os, "chmod", then_link)
        self.assertIn("not ours any more", await self.refused(self.listener(Rights(mode=0o666))))
        self.assertEqual(stat.S_IMODE(victim.stat().st_mode), 0o600)

    async def test_a_file_that_is_gone(self) -> None:
        await self.become(self.listener())
        self.path.unlink()
        await self.doors.drain(0.0)

    def test_nobody_calls_over_anything_else(self) -> None:
        self.assertIsNone(caller_of(object()))
        with socket.socket() as tcp:

            class Transport:
                socket = tcp

            self.assertIsNone(caller_of(Transport()))
