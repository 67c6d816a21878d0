"""Debian's Exim on loopback; see peers.py."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import attrs

from tests.accounts.sources.certificates import Pair
from tests.interop.peers import DOMAIN, NAME, SIZE, Unpacked, package

USER = "Debian-exim"
_SETTINGS = """
primary_hostname = {name}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
log_file_path = {base}/log/%s
log_selector = +tls_sni +received_recipients
message_size_limit = {size}
tls_advertise_hosts = *
tls_certificate = {base}/tls.pem
tls_privatekey = {base}/tls.key
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
accept_8bitmime = true
{more}
host_lookup =
rfc1413_hosts =
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = recipient
acl_smtp_data = accept

begin acl
recipient:
  defer domains = {domain}
        local_parts = later
        message = Come again
  accept domains = {domain}
         local_parts = joe : ann
  deny message = Who is that?

begin routers
ours:
  driver = accept
  domains = {domain}
  local_parts = joe : ann
  transport = keep

begin transports
keep:
  driver = appendfile
  maildir_format
  directory = {base}/mail/$local_part_data
  user = mail
  group = mail

begin retry
* * F,1h,1m
"""

_START = """
mount -t tmpfs -o mode=755 tmpfs /var/spool
install -d -o {user} -g {user} /var/spool/exim4 {base}/log
mkdir -p {base}/etc
mount -t overlay overlay -o lowerdir={base}/etc:/etc /etc
mount --bind {base}/passwd /etc/passwd
mount --bind {base}/group /etc/group
chown {user} {base}/tls.pem {base}/tls.key
exec /usr/sbin/exim4 -bdf -q1h
"""


def unpacked_exim() -> Path:
    libraries = ("libgnutls-dane0", "libunbound8", "libidn12", "libnsl2", "libtirpc3", "libevent-2.1-7")
    return package("exim4-daemon-light", "exim4-base", "libnghttp2-14", "libdb5.3", *libraries)


@attrs.define
class Exim(Unpacked):
    """One Exim of ours. By its own way it knows SMTPUTF8, DSN, CHUNKING and PIPELINING."""

    users: ClassVar[Sequence[str]] = (USER,)

    more: str = ""
    """Further settings, as ``chunking_advertise_hosts =``."""

    def script(self, pair: Pair) -> str:
        shutil.copy(pair.certificate, self.base / "tls.pem")
        shutil.copy(pair.key, self.base / "tls.key")
        (self.base / "tls.key").chmod(0o600)
        settings = self.base / "etc" / "exim4" / "exim4.conf"
        settings.parent.mkdir(parents=True)
        facts = {"base": self.base, "name": NAME, "domain": DOMAIN, "size": SIZE, "more": self.more}
        settings.write_text(_SETTINGS.format(port=self.port, **facts))
        return _START.format(user=USER, base=self.base)

    def said(self) -> str:
        files = (self.base / "said", *sorted((self.base / "log").glob("*")))
        return "".join(file.read_text(errors="replace") for file in files)
