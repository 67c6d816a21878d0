"""A wire between a client of ours and somebody's server: it keeps all that the client says."""

from __future__ import annotations

import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType

import attrs

from tests.interop.false_ends import BARE
from tests.interop.programs import PATIENCE

_READ_OCTETS = 65_536
_END = b"\r\n.\r\n"


@attrs.define
class Tap:
    """A Unix socket behind which is a TCP port of this machine. Takes one connection after the other."""

    port: int
    said: list[bytes] = attrs.field(factory=list, init=False)
    """All that the client of each connection said, once it has gone."""
    _folder: tempfile.TemporaryDirectory[str] = attrs.field(
        factory=lambda: tempfile.TemporaryDirectory(prefix="ms-"), init=False
    )
    _socket: socket.socket = attrs.field(factory=lambda: socket.socket(socket.AF_UNIX), init=False)
    _thread: threading.Thread = attrs.field(init=False)

    @property
    def path(self) -> Path:
        """Of the socket: short, as such a path has to be."""
        return Path(self._folder.name) / "tap"

    def __enter__(self) -> Tap:
        self._socket.bind(str(self.path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._socket.close()
        self._folder.cleanup()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:  # it was shut down
                return
            with client, socket.create_connection(("127.0.0.1", self.port), PATIENCE) as server:
                client.settimeout(PATIENCE)
                back = threading.Thread(target=_copy, args=(server, client))
                back.start()
                self.said.append(_copy(client, server))
                back.join(PATIENCE)


def _copy(source: socket.socket, target: socket.socket) -> bytes:
    """Hand on all that comes, and then the end; what it was."""
    pieces = []
    try:
        while data := source.recv(_READ_OCTETS):
            pieces.append(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # the other side has gone before
        pass
    return b"".join(pieces)


def only_message(said: bytes, *recipients: str) -> bytes:
    """The one message of a session for these recipients, unstuffed; there is nothing but it. All lines end
    with CRLF and all dots are stuffed (RFC 5321 section 4.5.2): nobody can see another end in it."""
    before, data, rest = said.partition(b"DATA\r\n")
    assert data, said
    hello, mail, *named = before.decode().splitlines()
    assert hello in {"EHLO localhost", "LHLO localhost"}
    assert mail.startswith("MAIL FROM:<")
    assert [each.partition("<")[2].partition(">")[0] for each in named] == [*recipients]
    content, end, after = rest.partition(_END)
    assert (end, after) == (_END, b"QUIT\r\n"), "there is a second end of data"
    assert BARE.search(content) is None
    lines = content.split(b"\r\n")
    assert all(line[:2] == b".." for line in lines if line.startswith(b"."))
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)
