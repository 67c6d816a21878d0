"""Debian's Postfix on loopback, in folders of its own: takes mail by SMTP into Maildirs, or hands it on.

Needs root: its master process changes into other users. The service of the package is not touched.
"""

from __future__ import annotations

import datetime
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import attrs
import pytest

from mailsuite.frontends.certificates import self_signed
from tests.accounts.sources.certificates import Authority, Pair
from tests.interop import peers
from tests.interop.peers import await_greeting, kept
from tests.interop.programs import PATIENCE, SEARCH_PATH, needs
from tests.ports import free_port

needs_postfix = (
    needs("postfix"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root only"),
)
"""For a module's ``pytestmark``."""

DOMAIN = "example.test"
OWNER = "mail"
"""Whose the Maildirs are."""

_MAIN = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = postfix.example.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
smtputf8_enable = yes
maillog_file_prefixes = {base}
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {base}/mail
virtual_mailbox_maps = texthash:{base}/users
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtp_dns_support_level = disabled
{more}
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{tls_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


_DESTINATION = """
mynetworks = 127.255.255.255/32
myhostname = {name}
message_size_limit = {size}
virtual_mailbox_limit = {size}
mailbox_size_limit = {size}
smtpd_recipient_restrictions =
  check_recipient_access inline:{{ {{ {later} = 450 4.2.1 Come again }} }}, reject_unauth_destination
maillog_file = {base}/log
"""
"""What belongs to one that is a peers.Peer."""


@attrs.define(kw_only=True)
class Postfix:
    """One Postfix of ours. Takes mail for its *users* from everybody; *more* goes into main.cf."""

    base: Path = attrs.field(kw_only=False)
    """A folder of its own, which everybody may enter; its path is short, for there are sockets in it."""
    users: Sequence[str] = ("joe", "ann")
    """Local parts of the domain."""
    domain: str = DOMAIN
    more: str = ""
    pair: Pair | None = None
    """Its certificate; None: one that it has signed itself."""
    without: Sequence[str] = ()
    """Extensions, as EHLO calls them: for each there is a port where it is not offered."""
    ports_without: Mapping[str, int] = attrs.field(factory=dict, init=False)
    port: int = attrs.field(factory=free_port, init=False)
    tls_port: int = attrs.field(factory=free_port, init=False)
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    @property
    def pid(self) -> int:
        """Of the process that all others descend from."""
        return int((self.base / "queue" / "pid" / "master.pid").read_text())

    def maildir(self, local: str) -> Path:
        """Where the mail of a local part is, once there is some."""
        return self.base / "mail" / local

    def messages(self, local: str = "joe") -> list[bytes]:
        """All that has arrived there, with CRLF, the oldest first."""
        return kept(self.maildir(local))

    def __enter__(self) -> Postfix:
        owner, postfix = pwd.getpwnam(OWNER), pwd.getpwnam("postfix")
        certificate, key = (
            (self.pair.certificate, self.pair.key)
            if self.pair
            else self_signed("localhost", self.base / "tls", datetime.datetime.now(datetime.UTC))
        )
        for name, user in (("mail", owner), ("data", postfix)):
            (self.base / name).mkdir()
            os.chown(self.base / name, user.pw_uid, user.pw_gid)
        for name in ("queue", "conf"):
            (self.base / name).mkdir()
        (self.base / "users").write_text("".join(f"{user}@{self.domain} {user}/\n" for user in self.users))
        facts = {"base": self.base, "domain": self.domain, "uid": owner.pw_uid, "gid": owner.pw_gid}
        text = _MAIN.format(certificate=certificate, key=key, more=self.more, **facts)
        (self.base / "conf" / "main.cf").write_text(text)
        self.ports_without = {word: free_port() for word in self.without}
        master = _MASTER.format(port=self.port, tls_port=self.tls_port)
        for word, port in self.ports_without.items():
            master += f"127.0.0.1:{port} inet n - n - - smtpd\n  -o smtpd_discard_ehlo_keywords={word}\n"
        (self.base / "conf" / "master.cf").write_text(master)
        with (self.base / "said").open("wb") as said:
            self._process = subprocess.Popen(
                ["postfix", "-c", str(self.base / "conf"), "start-fg"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
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
        """End it. Any number of times."""
        assert self._process is not None
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        self._process.wait(PATIENCE)

    def said(self) -> str:
        """What it complained of at its start; and its log, where *more* names the file so: ``log``."""
        files = (self.base / "said", self.base / "log")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())


def destination(base: Path, authority: Authority, *without: str) -> Postfix:
    """One as tests.interop.peers says, with a port more for each of the extensions *without*."""
    facts = {"name": peers.NAME, "size": peers.SIZE, "later": peers.LATER, "base": base}
    return Postfix(
        base,
        users=("joe", "ann", "later"),
        domain=peers.DOMAIN,
        pair=authority.sign(peers.NAME, "127.0.0.1"),
        without=without,
        more=_DESTINATION.format(**facts),
    )
