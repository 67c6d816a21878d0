"""Debian's OpenSMTPD on loopback; see peers.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import attrs

from tests.accounts.sources.certificates import Pair
from tests.interop.peers import ANN, JOE, LATER, NAME, ROOT, SIZE, Unpacked, package
from tests.interop.releases import options_for

_SETTINGS = """
pki {name} cert "{pair.certificate}"
pki {name} key "{pair.key}"
smtp max-message-size "{size}"
table people file:{base}/people
table known {{ "{joe}", "{ann}", "{later}" }}
table later {{ "{later}" }}
filter later phase rcpt-to match rcpt-to <later> reject "450 4.2.1 Come again"
listen on 127.0.0.1 port {port} hostname {name} tls pki {name} filter later
action "keep" maildir "{base}/mail/%{{rcpt.user}}" virtual <people>
match from any for rcpt-to <known> action "keep"
"""

_START = """
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p /var/lib/opensmtpd/empty
mount -t tmpfs -o mode=755 tmpfs /var/spool
mkdir -m 711 /var/spool/smtpd
exec /usr/sbin/smtpd -d -f {base}/smtpd.conf
"""


LIBRARIES = (
    *("libc6", "libssl3t64", "libevent-2.1-7t64", "libdb5.3t64", "libcrypt1", "zlib1g", "libzstd1"),
    *("libpam0g", "libaudit1", "libcap-ng0", "libselinux1", "libpcre2-8-0"),
)


def unpacked_opensmtpd() -> Path:
    """That of Debian 13, with all the libraries it wants: the one of Debian 12 offers STARTTLS, and fails at
    each handshake (OpenSMTPD/OpenSMTPD issue 1171)."""
    options = options_for("trixie", ROOT / ".venv" / "peers" / "trixie")
    return package("opensmtpd", *LIBRARIES, options=options)


@attrs.define
class OpenSmtpd(Unpacked):
    """One OpenSMTPD of ours. It knows neither SMTPUTF8 nor CHUNKING nor PIPELINING."""

    users: ClassVar[Sequence[str]] = ("opensmtpd", "opensmtpq")

    def script(self, pair: Pair) -> str:
        pair.key.chmod(0o600)
        people = (JOE, ANN, LATER)
        (self.base / "people").write_text("".join(f"{each} mail\n" for each in people))
        facts = {"name": NAME, "joe": JOE, "ann": ANN, "later": LATER, "size": SIZE}
        settings = _SETTINGS.format(base=self.base, pair=pair, port=self.port, **facts)
        (self.base / "smtpd.conf").write_text(settings)
        return _START.format(base=self.base)
