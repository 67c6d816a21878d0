"""POP3 servers for bench.pop3, each with maildirs of its own: ours, and Dovecot as shipped or tuned."""

from __future__ import annotations

import datetime
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import attrs

from bench.measure import family
from mailsuite.frontends.certificates import self_signed
from tests.system.harness import LIMITS, Server, password_of

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 30.0
OWNER = "mail"
"""Whose Dovecot's mail is where we are root: it touches no mail as root."""

TUNED = """
service pop3-login {
  service_count = 0
  process_min_avail = 2
}
service pop3 {
  service_count = 0
  process_min_avail = 16
}
"""
"""Login processes are reused; mail processes are there before they are needed, and reused."""


class Peer(Protocol):
    """A server that runs."""

    name: str
    port: int
    tls_port: int
    pid: int

    def password(self, user: str) -> str: ...

    def maildir(self, user: str) -> Path: ...

    def fill(self, user: str, text: bytes, count: int) -> None:
        """Put so many copies of a message with CRLF line ends into ``new/``, in the form that the server
        itself would have written."""

    def close(self) -> None: ...


def make_maildir(maildir: Path) -> None:
    for name in ("tmp", "new", "cur"):
        (maildir / name).mkdir(parents=True, exist_ok=True)


class Ours:
    """One process of mailsuite."""

    def __init__(self, directory: Path, users: Sequence[str], keeps_no_heap: bool = False) -> None:
        """*keeps_no_heap*: whatever is freed in large pieces, as after the hash of a password, goes back to
        the system, and is no room that the memory of later sessions would be hidden in."""
        self.name = "mailsuite"
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"} if keeps_no_heap else None
        self._server = Server(directory, extra=LIMITS, accounts=tuple(users), environment=environment).start()
        self.port, self.tls_port = self._server.ports["pop3-trusted"], self._server.ports["pop3s"]
        assert self._server.process is not None
        self.pid = self._server.process.pid

    def password(self, user: str) -> str:
        return password_of(user)

    def maildir(self, user: str) -> Path:
        return self._server.maildir(user)

    def fill(self, user: str, text: bytes, count: int) -> None:
        make_maildir(self.maildir(user))
        size = len(text)
        for number in range(count):
            unique = f"{1700000000 + number // 10}.R0123456789abcdefQ{number:08d}.mail"
            (self.maildir(user) / "new" / f"{unique},S={size},W={size},D=0").write_bytes(text)

    def close(self) -> None:
        self._server.close()


@attrs.define
class Dovecot:
    """Debian's Dovecot, from *program*, installed or unpacked: its other programs and its libraries are in
    the place that belongs to it."""

    name: str
    directory: Path
    program: Path
    more: str = ""
    port: int = 0
    tls_port: int = 0
    greets_at: int = 0
    """The port whose greeting says that it runs; 0: that of POP3."""
    pid: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> Dovecot:
        self.port, self.tls_port = free_port(), free_port()
        self.greets_at = self.greets_at or self.port
        user = pwd.getpwnam(OWNER) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.directory.chmod(0o755)
        certificate, key = self_signed(
            "localhost", self.directory / "tls", datetime.datetime.now(datetime.UTC)
        )
        root = self.program.parents[2]
        libexec = root / "usr/lib/dovecot"
        configuration = self.directory / "dovecot.conf"
        configuration.write_text(
            f"""
base_dir = {self.directory}/run
state_dir = {self.directory}/run
libexec_dir = {libexec}
mail_plugin_dir = {libexec}/modules
import_environment = TZ LD_LIBRARY_PATH
log_path = {self.directory}/log
protocols = pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_failure_delay = 0
default_internal_user = {user.pw_name}
default_internal_group = {OWNER if os.geteuid() == 0 else user.pw_name}
default_login_user = {"nobody" if os.geteuid() == 0 else user.pw_name}
first_valid_uid = 1
mail_location = maildir:{self.directory}/mail/%u
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {self.port}
  }}
  inet_listener pop3s {{
    port = {self.tls_port}
  }}
}}
passdb {{
  driver = static
  args = password={self.password("")}
}}
userdb {{
  driver = static
  args = uid={user.pw_uid} gid={user.pw_gid} home={self.directory}/home
}}
{self.more}
"""
        )
        for name in ("run", "home", "mail"):
            (self.directory / name).mkdir()
            shutil.chown(self.directory / name, user.pw_uid, user.pw_gid)
        environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"}
        if root != Path("/"):
            environment["LD_LIBRARY_PATH"] = f"{libexec}:{libexec}/modules"
        with (self.directory / "stderr").open("wb") as said:
            self._process = subprocess.Popen(
                [str(self.program), "-F", "-c", str(configuration)], stderr=said, env=environment
            )
        self.pid = self._process.pid
        self._await_greeting()
        return self

    def _await_greeting(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._greets():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    (self.directory / "stderr").read_text() + (self.directory / "log").read_text()
                )
            time.sleep(0.05)

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.greets_at), timeout=PATIENCE) as client:
                return bool(client.recv(1))
        except ConnectionRefusedError:
            return False

    def password(self, user: str) -> str:
        return "harbor-signal-mosaic-31"

    def maildir(self, user: str) -> Path:
        return self.directory / "mail" / user

    def fill(self, user: str, text: bytes, count: int) -> None:
        maildir = self.maildir(user)
        make_maildir(maildir)
        stored = text.replace(b"\r\n", b"\n")
        for number in range(count):
            unique = f"{1700000000 + number // 10}.M{number:06d}P1.mail"
            (maildir / "new" / f"{unique},S={len(stored)},W={len(text)}").write_bytes(stored)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            for path in (maildir, *maildir.rglob("*")):
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def close(self) -> None:
        assert self._process is not None
        children = set(family(self.pid)) - {self.pid}
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
            time.sleep(0.05)


def find_dovecot(folder: Path | None) -> Path | None:
    """The program, of a *folder* that Debian's packages were unpacked into (dpkg -x), or of this system."""
    if folder is not None:
        return folder.resolve() / "usr/sbin/dovecot"
    found = shutil.which("dovecot", path=SEARCH_PATH)
    return Path(found) if found else None


def free_port() -> int:
    """A port that was free a moment ago: Dovecot cannot be told to let the kernel choose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unverified() -> ssl.SSLContext:
    """For a client that talks to a server of its own: speed is measured, not trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
