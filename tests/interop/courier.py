"""Debian's courier-pop on loopback.

Its package and Dovecot's shut each other out, so it is unpacked, and laid over the system's folders for its
own processes alone (unshare(1)): it looks for its files where its packages put them.
"""

from __future__ import annotations

import fcntl
import os
import poplib
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import attrs
import pytest

from tests.interop.dovecot import PASSWORD, greets
from tests.interop.programs import PATIENCE, SEARCH_PATH
from tests.ports import free_port

PACKAGES = (
    "courier-pop",
    "courier-base",
    "courier-authlib",
    "courier-authdaemon",
    "courier-authlib-userdb",
    "libcourier-unicode4",
    "libgdbm6",
    "libltdl7",
)
OWNER = "mail"
PROBE = "probe@example.test"
"""The user as whom we try whether it serves."""
TLS_USER = "courier"
"""Whom couriertls(1) becomes; its packages would have made this user."""
_TLS_ID = 65_000
"""Reserved, so that nobody has it (Debian policy, 9.2.2)."""

_START = """
set -e
mount -t overlay overlay -o lowerdir={root}/usr:/usr /usr
mount -t overlay overlay -o lowerdir={root}/etc:/etc /etc
mount --bind {base}/courier /etc/courier
mount --bind {base}/passwd /etc/passwd
mount --bind {base}/group /etc/group
mount -t tmpfs tmpfs /run
mkdir -p /run/courier/authdaemon
makeuserdb
set -a
. /etc/courier/authdaemonrc
. /etc/courier/pop3d-ssl
. /etc/courier/pop3d
TLS_CERTFILE={certificate}
TLS_PRIVATE_KEYFILE=
TLS_CACHEFILE=
POP3AUTH="PLAIN LOGIN"
POP3AUTH_TLS="PLAIN LOGIN"
set +a
/usr/lib/courier/courier-authlib/authdaemond &
door="/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=100 -maxperip=100 -nodnslookup -noidentlookup"
session="/usr/lib/courier/courier/courierpop3login /usr/lib/courier/courier/courierpop3d Maildir"
$door {tls_port} /usr/bin/couriertls -server -tcpd $session &
exec $door {port} $session
"""


def unpacked(folder: Path, packages: Sequence[str], options: Sequence[str] = ()) -> Path:
    """Debian packages fetched and unpacked below *folder*; skips the test where they cannot be had. *options*
    are for apt-get."""
    root = folder / "root"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of another process may want the same
        if not root.exists():
            _fetch(folder, packages, options).rename(root)
    return root


def _fetch(folder: Path, packages: Sequence[str], options: Sequence[str]) -> Path:
    for old in folder.glob("*.deb"):
        old.unlink()
    fetched = subprocess.run(
        ["apt-get", *options, "download", *packages], cwd=folder, capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        pytest.skip(f"apt-get download fails: {fetched.stderr.strip()[-200:]}")
    half = folder / "half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(half)], check=True)
    return half


@attrs.define
class Courier:
    """One courier-pop of ours, with the Maildirs of some users."""

    base: Path
    """A folder of its own that everybody may enter."""
    root: Path
    """Where the packages are unpacked."""
    certificate: Path
    """A certificate and its key in one file, for its user to read."""
    users: Sequence[str] = (PROBE,)
    port: int = attrs.field(factory=free_port, init=False)
    tls_port: int = attrs.field(factory=free_port, init=False)
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    def maildir(self, user: str) -> Path:
        return self.base / "mail" / user

    def __enter__(self) -> Courier:
        self._write_settings()
        script = _START.format(
            root=self.root,
            base=self.base,
            certificate=self.certificate,
            port=self.port,
            tls_port=self.tls_port,
        )
        with (self.base / "said").open("wb") as said:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
                stdout=said,
                stderr=said,
                cwd="/",
                env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
            )
        try:
            deadline = time.monotonic() + PATIENCE
            while not self._serves():
                assert self._process.poll() is None, self.said()
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.05)
        except BaseException:
            self._end()
            raise
        return self

    def _serves(self) -> bool:
        """Also its authdaemon, which answers nobody at first."""
        if not greets(self.port):
            return False
        client = poplib.POP3("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            client.user(PROBE)
            client.pass_(PASSWORD)
        except poplib.error_proto:
            return False
        finally:
            client.close()
        return True

    def _write_settings(self) -> None:
        settings = self.base / "courier"
        shutil.copytree(self.root / "etc/courier", settings)
        daemon = settings / "authdaemonrc"
        text = daemon.read_text()
        daemon.write_text(text.replace('authmodulelist="authpam"', 'authmodulelist="authuserdb"'))
        for name, more in (("passwd", f"{_TLS_ID}::/:/usr/sbin/nologin"), ("group", "")):
            text = Path("/etc", name).read_text(encoding="utf-8")
            (self.base / name).write_text(f"{text}{TLS_USER}:x:{_TLS_ID}:{more}\n")
        owner = pwd.getpwnam(OWNER)
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
        ).stdout.strip()
        lines = []
        for user in self.users:
            maildir = self.maildir(user)
            for name in ("new", "cur", "tmp"):
                (maildir / name).mkdir(parents=True)
            ids = f"uid={owner.pw_uid}|gid={owner.pw_gid}"
            lines.append(f"{user}\thome={maildir}|mail={maildir}|{ids}|systempw={hashed}\n")
        chown(self.base / "mail")
        userdb = settings / "userdb"
        userdb.touch(mode=0o600)
        userdb.write_text("".join(lines))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        """The first process of its own process namespace takes all others with it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)

    def said(self) -> str:
        return (self.base / "said").read_text(errors="replace")


def chown(folder: Path) -> None:
    """Give a folder and all that is below it to the owner of mail."""
    owner = pwd.getpwnam(OWNER)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)
