"""Sessions by any name and password, for tests of views and of what is deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.system.clients import Client, Refused, connect, sizes, uidls, within
from tests.system.harness import PASSWORDS, Server

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"
TRASH = "mailsuite.deleted"
"""The directory of deleted mail in a Maildir."""


def boxed(account: str, box: str = "") -> str:
    """The login name of a box: ``joe+trash@example.test``."""
    local, at, domain = account.partition("@")
    return local + box + at + domain


@attrs.frozen
class Way:
    """A name and a password that open a box."""

    server: Server
    name: str = JOE
    password: str = PASSWORDS[JOE]

    @classmethod
    def of(cls, server: Server, account: str, box: str = "", password: str = "") -> Way:
        return cls(server, boxed(account, box), password or PASSWORDS[account])

    def box(self, box: str) -> Way:
        return attrs.evolve(self, name=boxed(self.name, box))

    def answer(self) -> bytes:
        """What the login is told; it ends right after that, by QUIT."""
        with connect(self.server, "pop3-trusted") as client:
            told = self._log_in(client)
            client.say(b"QUIT")
        return told

    @contextlib.contextmanager
    def open(self) -> Iterator[Client]:
        """Logged in; no QUIT at the end."""
        with connect(self.server, "pop3-trusted") as client:
            if not (told := self._log_in(client)).startswith(b"+OK"):
                raise Refused(told.decode())
            yield client

    def _log_in(self, client: Client) -> bytes:
        client.line()
        client.say(b"USER " + self.name.encode(), b"+OK")
        return client.say(b"PASS " + self.password.encode())

    def messages(self) -> dict[str, bytes]:
        """UIDL -> text of all that is there, in order; read whole, by TOP.

        That changes nothing, except that ``+trash+restore`` brings back all that was read.
        """
        with contextlib.ExitStack() as stack:  # whoever just went away may still hold the lock
            client = within(5, lambda: stack.enter_context(self.open()), Refused)
            found = {
                uidl: b"".join(line + b"\r\n" for line in client.multiline(b"TOP %d 999999" % number))
                for uidl, number in uidls(client).items()
            }
            announced = list(sizes(client).values())
            client.say(b"QUIT", b"+OK")
        if announced != [len(text) for text in found.values()]:
            raise Refused(f"LIST says {announced}, {[*map(len, found.values())]} came")
        return found

    def names(self) -> list[str]:
        return list(self.messages())

    def do(self, *commands: bytes, quit: bool = True) -> list[bytes]:
        """Say these, and QUIT or not; the first line of each answer, which must be +OK."""
        with contextlib.ExitStack() as stack:
            client = within(5, lambda: stack.enter_context(self.open()), Refused)
            told = []
            for command in commands:
                told.append(client.say(command, b"+OK"))
                if command.startswith((b"RETR", b"TOP")):
                    client.lines()
            if quit:
                client.say(b"QUIT", b"+OK")
        return told


def deliver(server: Server, account: str, *subjects: str) -> None:
    """Messages with what transparency is about in them."""
    for subject in subjects:
        server.deliver(f"Subject: {subject}\r\n\r\n.\r\n..dots\r\nof {subject}\r\n".encode(), account)


def subjects(messages: dict[str, bytes]) -> list[str]:
    """Of messages that came from deliver()."""
    return [text.rpartition(b"of ")[2].strip().decode() for text in messages.values()]


def make_older(maildir: Path, seconds: int) -> None:
    """What is deleted there was deleted so much earlier."""
    for file in list((maildir / TRASH).iterdir()):
        at, mark, name = file.name.partition("_")
        file.rename(file.with_name(f"{int(at) - seconds}{mark}{name}"))
