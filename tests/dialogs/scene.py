"""The scene of a dialogue: who exists, and what lies in the maildrop. README.md tells it in words."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

import attrs

_ORDINARY = b"""\
Message-ID: <ordinary@elsewhere.example>
From: Ann Other <ann@elsewhere.example>
To: the user of this maildrop
Subject: An ordinary message
Date: Fri, 20 Nov 2026 09:30:00 +0000

The first line.
The second line.

The fourth line, after an empty one.
The fifth and last line.
"""
_DOTS = b"""\
.No field: this, but the first octet of the file is a dot.
Message-ID: <dots@elsewhere.example>
Subject: Lines that begin with dots

.
..
.hidden
a dot at the end.

.
"""
_HEADER_ONLY = b"""\
Message-ID: <header-only@elsewhere.example>
Subject: No body, and no empty line in front of it
"""
MESSAGES = tuple(text.replace(b"\n", b"\r\n") for text in (_ORDINARY, _DOTS, _HEADER_ONLY))
"""What the user's maildrop holds when a dialogue begins, oldest first, in wire form."""


@attrs.frozen
class Scene:
    """What the words in braces stand for."""

    user: str = "joe@example.test"
    """An account: its address and login name."""
    password: str = "copper vivid  lantern 42"
    """Has spaces, as a password may (RFC 1939 section 7, PASS)."""
    secret: str = "thimble orchard 48 lagoon"
    """The password of a device of the user's, with which every mechanism is possible."""
    other: str = "ann@example.test"
    """A second account."""
    host: str = "mail.example.test"
    """What the server calls itself."""
    max_message: int = 16 * 1024
    """The largest message that the server takes, in octets."""
    sizes: tuple[int, ...] = tuple(map(len, MESSAGES))
    """Of the messages in the maildrop, in octets."""

    def words(self) -> dict[str, str]:
        local, _, domain = self.user.partition("@")
        domain = domain or self.host
        return {
            "user": self.user,
            "local": local,
            "domain": domain,
            "password": self.password,
            "secret": self.secret,
            "other": self.other,
            "unknown": f"nobody-of-that-name@{domain}",
            "elsewhere": "somebody@elsewhere.example",
            "host": self.host,
            "max-message": str(self.max_message),
        }


def fill_maildir(maildir: Path) -> None:
    """Put the known messages, and nothing else, into a maildir. New files belong to whom it belongs to."""
    folders = [maildir / name for name in ("tmp", "new", "cur")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
    owner = maildir.stat()
    for path in folders:
        os.chown(path, owner.st_uid, owner.st_gid)
    for number, message in enumerate(MESSAGES, 1):
        file = maildir / "new" / next(_names)
        file.write_bytes(message)
        os.chown(file, owner.st_uid, owner.st_gid)
        os.utime(file, (1_700_000_000 + number, 1_700_000_000 + number))


_names = (
    f"{1_700_000_000 + number}.M{os.getpid()}P{number}.{socket.gethostname().partition('.')[0]}"
    for number in itertools.count()
)
"""Names that no message had before: the older message has the smaller number."""
