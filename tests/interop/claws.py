"""claws-mail, a graphical mail program, with a prepared profile on a display that nobody sees."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import attrs

from tests.interop.programs import PATIENCE, SEARCH_PATH, Desk

IMPLICIT_TLS, STLS = 1, 2
"""What ``ssl_pop`` says in its ``accountrc``."""

_COMMON = """\
[Common]
config_version=4
receive_dialog_mode=0
no_receive_error_panel=1
check_on_startup=0
confirm_on_exit=0
warn_queued_on_exit=0
work_offline=0
"""

_ACCOUNT = """\
[Account: 1]
config_version=4
account_name=joe
is_default=1
name=Joe
address={user}
protocol=0
receive_server=localhost
smtp_server=localhost
user_id={user}
use_pop_auth=0
receive_at_get_all=1
inbox=#mh/Mail/inbox
local_inbox=#mh/Mail/inbox
set_popport=1
pop_port={port}
ssl_pop={tls}
ssl_certs_auto_accept=1
remove_mail={remove}
message_leave_time=0
message_leave_hour=0
"""

_FOLDERS = """\
<?xml version="1.0" encoding="UTF-8"?>
<folderlist config_version="4">
 <folder type="mh" name="Mail" path="Mail">
  <folderitem name="inbox" path="inbox" type="inbox" mtime="0"/>
  <folderitem name="sent" path="sent" type="outbox" mtime="0"/>
  <folderitem name="queue" path="queue" type="queue" mtime="0"/>
  <folderitem name="draft" path="draft" type="draft" mtime="0"/>
  <folderitem name="trash" path="trash" type="trash" mtime="0"/>
 </folder>
</folderlist>
"""


@attrs.frozen
class Profile:
    """All that its dialogues would ask for. What it fetches lies below the desk's ``Mail/inbox``."""

    desk: Desk
    user: str
    password: str
    port: int
    tls: int
    certificate: Path
    """The one that it trusts; it asks the user about any other."""

    def write(self, *, remove: bool) -> None:
        """*remove*: what was fetched is deleted from the server, also what was fetched before."""
        text = _ACCOUNT.format(user=self.user, port=self.port, tls=self.tls, remove=int(remove))
        self.desk.file(".claws-mail/accountrc", text)
        if self._inbox.exists():
            return
        self.desk.file(".claws-mail/clawsrc", _COMMON)
        self.desk.file(".claws-mail/folderlist.xml", _FOLDERS)
        secret = f"[config_version:4]\n[account:1]\nrecv {self.password}\n"
        self.desk.file(".claws-mail/passwordstorerc", secret)
        for name in ("inbox", "sent", "queue", "draft", "trash"):
            (self.desk.home / "Mail" / name).mkdir(parents=True)

    @property
    def _inbox(self) -> Path:
        return self.desk.home / "Mail" / "inbox"

    def inbox(self) -> list[bytes]:
        """The messages that it has, oldest first."""
        files = [file for file in self._inbox.iterdir() if file.name.isdigit()]
        return [file.read_bytes() for file in sorted(files, key=lambda file: int(file.name))]


@contextmanager
def display(said: Path) -> Iterator[str]:
    """The name of an X display of its own, of which nobody else on this machine knows. *said*: its log."""
    reading, writing = os.pipe()
    command = ("Xvfb", "-displayfd", str(writing), "-nolisten", "tcp", "-screen", "0", "1024x768x24")
    with (
        open(reading, "rb") as number,
        said.open("wb") as log,
        subprocess.Popen(
            command, pass_fds=[writing], stdout=log, stderr=log, env={"PATH": SEARCH_PATH}
        ) as process,
    ):
        os.close(writing)
        try:
            assert select.select([number], [], [], PATIENCE)[0], said.read_text()
            name = number.readline().decode().strip()
            assert name, said.read_text()
            yield f":{name}"
        finally:
            process.terminate()


@attrs.define
class Claws:
    """The program, running; entering fetches mail for the first time."""

    profile: Profile
    display: str
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)
    _sockets: tempfile.TemporaryDirectory[str] = attrs.field(
        factory=lambda: tempfile.TemporaryDirectory(prefix="ms-"), init=False
    )
    """Where the second one finds it: the path of a Unix socket has 107 octets at most."""

    def __enter__(self) -> Claws:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["claws-mail", "--receive-all"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self.profile.desk.home,
            )
        return self

    @property
    def _log(self) -> Path:
        return self.profile.desk.home / "claws.said"

    @property
    def _environment(self) -> dict[str, str]:
        return self.profile.desk.environment | {
            "DISPLAY": self.display,
            "XDG_RUNTIME_DIR": self._sockets.name,
            "SSL_CERT_FILE": str(self.profile.certificate),
            "NO_AT_BRIDGE": "1",
            "GSETTINGS_BACKEND": "memory",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        }

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def tell(self, word: str) -> None:
        """What the running program is to do: it hears of it through a second one."""
        done = subprocess.run(
            ["claws-mail", word],
            capture_output=True,
            env=self._environment,
            cwd=self.profile.desk.home,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        try:
            if error is None:
                self.tell("--exit")
                assert self._process.wait(PATIENCE) == 0, self.said()
        finally:
            self._process.kill()
            self._process.wait()
            self._sockets.cleanup()
