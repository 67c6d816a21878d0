"""Debian's Dovecot on loopback: IMAP and POP3 in Maildirs of the test's choice, on ports that are free."""

from __future__ import annotations

import imaplib
import os
import poplib
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import attrs

from tests.interop.programs import PATIENCE, SEARCH_PATH, needs
from tests.ports import free_port

needs_dovecot = (needs("dovecot", "dovecot-imapd"), needs("dovecot", "dovecot-pop3d"))
"""For a module's ``pytestmark``."""

PASSWORD = "walnut-harbor-crystal-58"
UNPRIVILEGED = "mail"
"""Who owns the mail where tests run as root: Dovecot touches no mail as root."""


def owner() -> str:
    """The user whose mail it is."""
    return UNPRIVILEGED if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


_CONFIGURATION = """
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
protocols = imap pop3
listen = {address}
{tls}auth_failure_delay = 0
default_internal_user = {nobody}
default_internal_group = {group}
default_login_user = {nobody}
first_valid_uid = 1
mail_location = maildir:{location}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service auth {{
  user = {root}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
passdb {{
  driver = {passdb}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/home
}}
namespace inbox {{
  inbox = yes
}}
{more}
"""


@attrs.define
class Dovecot:
    """One Dovecot of ours. *location*: where the Maildir of a user is (``%n``: name, ``%d``: domain)."""

    base: Path
    """A folder of its own that everybody may enter; its path is short, for there are sockets in it."""
    location: str
    more: str = ""
    address: str = "127.0.0.1"
    """Where it listens. A client at this very address counts as secured; from 127.0.0.2 on none does."""
    users: Sequence[str] = ()
    """Who there is; empty: everybody."""
    imap_port: int = attrs.field(factory=free_port, init=False)
    pop3_port: int = attrs.field(factory=free_port, init=False)
    pop3s_port: int = attrs.field(factory=free_port, init=False)
    """Where *more* has a certificate."""
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    def __enter__(self) -> Dovecot:
        user = pwd.getpwnam(owner())
        is_root = os.geteuid() == 0
        nobody = "nobody" if is_root else user.pw_name
        text = _CONFIGURATION.format(
            base=self.base,
            location=self.location,
            nobody=nobody,
            group="nogroup" if is_root else "",
            root="root" if is_root else user.pw_name,
            imap=self.imap_port,
            pop3=self.pop3_port,
            pop3s=self.pop3s_port,
            address=self.address,
            passdb=self._passdb(),
            uid=user.pw_uid,
            gid=user.pw_gid,
            tls="" if "ssl =" in self.more else "ssl = no\ndisable_plaintext_auth = no\n",
            more=self.more,
        )
        (self.base / "run").mkdir()
        home = self.base / "home"
        home.mkdir()
        if is_root:
            os.chown(home, user.pw_uid, user.pw_gid)
        file = self.base / "dovecot.conf"
        file.write_text(text.replace("default_internal_group = \n", ""))
        with (self.base / "stderr").open("wb") as said:
            self._process = subprocess.Popen(
                ["dovecot", "-F", "-c", str(file)],
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
            )
        try:
            self._await_greetings()
        except BaseException:
            self._end()
            raise
        return self

    def _passdb(self) -> str:
        if not self.users:
            return f"static\n  args = password={PASSWORD}"
        file = self.base / "users"
        file.write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in self.users))
        return f"passwd-file\n  args = username_format=%u {file}"

    def _await_greetings(self) -> None:
        deadline = time.monotonic() + PATIENCE
        for port in (self.imap_port, self.pop3_port):
            while not greets(port, self.address):
                assert self._process is not None
                assert self._process.poll() is None, self.said()
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)

    def said(self) -> str:
        """Its log."""
        files = (self.base / "stderr", self.base / "log")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def imap(self, user: str) -> imaplib.IMAP4:
        """A session of *user*, with the inbox selected."""
        client = imaplib.IMAP4(self.address, self.imap_port, timeout=PATIENCE)
        client.login(user, PASSWORD)
        status, words = client.select("INBOX")
        assert status == "OK", words
        return client

    def pop3(self, user: str) -> poplib.POP3:
        """A session of *user*, logged in."""
        client = poplib.POP3(self.address, self.pop3_port, timeout=PATIENCE)
        client.user(user)
        client.pass_(PASSWORD)
        return client


def greets(port: int, address: str = "127.0.0.1") -> bool:
    """Whether somebody says something there."""
    try:
        with socket.create_connection((address, port), timeout=PATIENCE) as client:
            return bool(client.recv(1))
    except ConnectionRefusedError:
        return False
