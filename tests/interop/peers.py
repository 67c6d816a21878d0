"""What the servers of others have in common that take mail for example.org in tests.

JOE and ANN have Maildirs; LATER is refused for now, and nobody else is known. They offer STARTTLS with a
certificate for NAME, and take SIZE octets. Debian's packages of most shut each other out, so those are
unpacked, and run with their files laid over the system's folders for their own processes alone (unshare(1)):
that needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol

import attrs
import pytest

from tests.accounts.sources.certificates import Authority, Pair
from tests.interop.courier import chown, unpacked
from tests.interop.programs import PATIENCE, SEARCH_PATH
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
DOMAIN = "example.org"
NAME = "mx.example.org"
JOE, ANN, LATER, NOBODY = (f"{local}@{DOMAIN}" for local in ("joe", "ann", "later", "nobody"))
SIZE = 1 << 20
NOBODYS_ID = 65_000
"""Reserved, so that nobody has it (Debian policy, 9.2.2); further users have the next ones."""


class Peer(Protocol):
    """A server that runs."""

    port: int

    def messages(self, local: str = "joe") -> list[bytes]:
        """All that has arrived for somebody, with CRLF, the oldest first."""

    def stop(self) -> None:
        """End it. Any number of times."""

    def said(self) -> str:
        """Its log."""


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="it starts as root only")


def package(name: str, *more: str, options: Sequence[str] = ()) -> Path:
    """Where these packages are unpacked, fetched the first time. Skips the test where they cannot be had."""
    return unpacked(ROOT / ".venv" / "peers" / name, (name, *more), options)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A short place that everybody may enter."""
    base = Path(tempfile.mkdtemp(prefix="ms-"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        shutil.rmtree(base)


@attrs.define
class Unpacked:
    """A server from Debian's packages, run by a shell script in namespaces of its own."""

    users: ClassVar[Sequence[str]] = ()
    """Of the system, that its packages would have made."""

    base: Path
    """A folder of its own that everybody may enter."""
    root: Path
    """Where the packages are unpacked."""
    authority: Authority
    port: int = attrs.field(factory=free_port, init=False)
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    def script(self, pair: Pair) -> str:
        """Write what it wants to have, and say how it is started. All of the system that the script does not
        lay over is the same there; /usr, the users and /run are laid over already."""
        raise NotImplementedError

    def messages(self, local: str = "joe") -> list[bytes]:
        return kept(self.base / "mail" / local)

    def __enter__(self) -> Unpacked:
        pair = self.authority.sign(NAME, "127.0.0.1")
        (self.base / "mail").mkdir()
        chown(self.base / "mail")
        for name, more in (("passwd", "::/:/usr/sbin/nologin"), ("group", ":")):
            lines = [Path("/etc", name).read_text(encoding="utf-8")]
            for number, user in enumerate(self.users, NOBODYS_ID):
                ids = f"{number}:{number}" if name == "passwd" else f"{number}"
                lines.append(f"{user}:x:{ids}{more}\n")
            (self.base / name).write_text("".join(lines))
        script = _NAMESPACE.format(base=self.base, root=self.root) + self.script(pair)
        with (self.base / "said").open("wb") as said:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd="/",
                env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
            )
        try:
            await_greeting(self.port, self._process, self.said)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """The first process of its own process namespace takes all others with it; unshare(1) waits for that.
        It would end it itself, but that is forgotten where it becomes another user (PR_SET_PDEATHSIG)."""
        assert self._process is not None
        if self._process.poll() is None:
            pid = self._process.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for each in children or [str(pid)]:
                os.kill(int(each), signal.SIGKILL)
            self._process.wait(PATIENCE)

    def said(self) -> str:
        return (self.base / "said").read_text(errors="replace")


_NAMESPACE = """
set -e
mount -t overlay overlay -o lowerdir={root}/usr:/usr /usr
mount --bind {base}/passwd /etc/passwd
mount --bind {base}/group /etc/group
mount -t tmpfs tmpfs /run
"""


def greets(port: int) -> bool:
    """Whether an SMTP server says 220 there."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            return client.recv(4) == b"220 "
    except (ConnectionRefusedError, ConnectionResetError):
        return False


def await_greeting(port: int, process: subprocess.Popen[bytes], said: Callable[[], str]) -> None:
    """Return when *process* greets there; fails with what it has *said* where it ends, or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not greets(port):
        assert process.poll() is None, said()
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)


def kept(maildir: Path) -> list[bytes]:
    """What is new there, as it was on the wire: they keep it with LF, and we send nothing but CRLF."""
    if not (maildir / "new").is_dir():
        return []
    files = sorted((maildir / "new").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    return [file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for file in files]
