"""Dovecot's IMAP and our SMTP and POP3 in the same Maildirs at the same time."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import attrs

from tests.interop.dovecot import Dovecot, owner
from tests.system.harness import Server

JOE = "joe@example.test"


def letter(number: int) -> bytes:
    return (
        b"From: sender@elsewhere.example\r\nTo: joe@example.test\r\n"
        b"Subject: letter %d\r\nMessage-ID: <%d@elsewhere.example>\r\n\r\nThe text of letter %d.\r\n"
    ) % (number, number, number)


@attrs.frozen
class Both:
    """The two servers on one Maildir."""

    ours: Server
    dovecot: Dovecot

    def uidls(self) -> dict[bytes, bytes]:
        """Message-ID -> UIDL, as our POP3 tells them; nothing comes twice."""
        with self.ours.pop3(JOE) as client:
            listed = [line.split() for line in client.uidl()[1]]
            found = {message_id(client.top(int(number), 0)[1]): uidl for number, uidl in listed}
        assert len(found) == len(listed), "a message is shown twice"
        return found


def message_id(lines: list[bytes]) -> bytes:
    (found,) = [line for line in lines if line.lower().startswith(b"message-id:")]
    return found.split()[1]


@contextlib.contextmanager
def both_servers(devices: Mapping[str, str] = MappingProxyType({})) -> Iterator[Both]:
    """In a folder that Dovecot's user may enter; pytest's own is for the one who runs it alone.

    *devices*: passwords of Joe's devices that have views of their own.
    """
    with tempfile.TemporaryDirectory(prefix="ms-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "d").mkdir(mode=0o755)
        server = Server(folder / "s", user=owner() if os.geteuid() == 0 else "")
        server.directory.mkdir()
        server.directory.chmod(0o755)
        server.settings[JOE] = "".join(
            server.device(name, "view = true", password=password) for name, password in devices.items()
        )
        ours = stack.enter_context(server)
        dovecot = stack.enter_context(Dovecot(folder / "d", f"{server.state}/mail/%d/%n"))
        yield Both(ours, dovecot)
        assert " Error: " not in dovecot.said(), dovecot.said()
