"""File names in a maildir: how ours are made, and what a name says whoever made it.

Ours are ``<seconds>.R<start><random>Q<sequence>.<host>,S=<stored octets>,W=<wire octets>,D=<0|1>``. S and W
are Dovecot's and Courier's fields; D=0 says that no line begins with a dot; ``,U=1`` behind it that the
header is UTF-8 beyond ASCII. What stands before the first ``,`` or ``:`` is the unique part: it names the
message for all time, whatever flags other programs append.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import secrets
import socket
import time
from collections.abc import Callable

import attrs

MAX_UIDL_CHARACTERS = 70
"""RFC 1939 section 7."""
MAX_HOST_CHARACTERS = 24
"""Keeps our unique part below 70 characters whatever the host is called."""

_UNIQUE = re.compile(r"[^,:]*")
_SECONDS = re.compile(r"[0-9]{1,15}\.")
_FIELD = re.compile(r",([A-Z])=([0-9]{1,15})(?=[,:]|\Z)")
_USUAL = re.compile(
    r"([0-9]{10}\.[!-+\--9;-~]{1,59}),S=[0-9]{1,15},W=([0-9]{1,15})(?:,D=([01]))?(,U=1)?(?::.*)?", re.DOTALL
)
_DELIVERED = re.compile(r"([0-9]{9,11})\.")
_DELETED = re.compile(r"([0-9]{1,15})_(.+)", re.DOTALL)
_FLAGS = re.compile(r"[A-Za-z]*")
_UIDL = re.compile(rf"[\x21-\x7e]{{1,{MAX_UIDL_CHARACTERS}}}")


@attrs.frozen
class FileName:
    """What a file name says; None where it says nothing."""

    unique: str
    stored: int | None
    """Octets in the file (S)."""
    wire: int | None
    """Octets in wire form (W)."""
    dot_lines: bool
    """False only where the name says that no line begins with a dot."""
    utf8_header: bool = False
    """True only where the name says that the header is UTF-8 beyond ASCII."""


def parse(name: str) -> FileName:
    """Read a file name of any program. Fields behind the first ``:`` are flags and say nothing of sizes."""
    fields = dict(_FIELD.findall(name.partition(":")[0]))
    stored, wire = fields.get("S"), fields.get("W")
    return FileName(
        unique_part(name),
        None if stored is None else int(stored),
        None if wire is None else int(wire),
        fields.get("D") != "0",
        fields.get("U") == "1",
    )


usual = _USUAL.fullmatch
"""Reads at once the names that we and Dovecot make (unique part, wire size, D, U); None for any other name.

What makes the listing of a large maildrop quick: such a unique part is the UIDL, and sorts as it stands.
"""


def unique_part(name: str) -> str:
    """What names the message for all time; empty for a name that no delivery program makes."""
    match = _UNIQUE.match(name)
    return match[0] if match else ""


def uidl(unique: str) -> str:
    """The UIDL of a message (RFC 1939 section 7): its unique part, or a hash where that cannot be sent."""
    if _UIDL.fullmatch(unique):
        return unique
    return hashlib.sha256(os.fsencode(unique)).hexdigest()[:40]


def age_order(unique: str) -> str:
    """Sorts by the time in the name, then by name; names without a time come first."""
    match = _SECONDS.match(unique)
    return unique.zfill(len(unique) + 11 - match.end()) if match else " " + unique


def delivered_at(unique: str) -> int | None:
    """When the message was delivered, in seconds since the epoch; None where the name does not tell."""
    match = _DELIVERED.match(unique)
    return int(match[1]) if match else None


def is_seen(name: str) -> bool:
    """Whether the name has the flag S (maildir(5)): somebody has read the message."""
    return "S" in name.partition(":2,")[2]


def with_seen(name: str) -> str | None:
    """The name with the flag S beside those it has; None where it has that, or flags of another kind."""
    if ":" not in name:
        return name + ":2,S"
    base, standard, flags = name.partition(":2,")
    if not standard or "S" in flags or not _FLAGS.fullmatch(flags):
        return None
    return base + standard + "".join(sorted(flags + "S"))


def deleted_name(name: str, at: int) -> str:
    """What a message is called that was deleted at that time (seconds since the epoch)."""
    return f"{at}_{name}"


def parse_deleted(name: str) -> tuple[int, str] | None:
    """When it was deleted, and what it was called before; None for what no deletion has made."""
    match = _DELETED.fullmatch(name)
    return (int(match[1]), match[2]) if match else None


def final_name(unique: str, size: int, dot_lines: bool, utf8_header: bool = False) -> str:
    """The name of a message that is stored in wire form."""
    return f"{unique},S={size},W={size},D={dot_lines:d}{',U=1' if utf8_header else ''}"


@attrs.define(eq=False)
class UniqueNames:
    """Makes unique parts: a token for each start and a sequence keep them apart, whatever the clock says."""

    clock: Callable[[], float] = time.time
    host: str = attrs.field(factory=socket.gethostname)
    token: str = attrs.field(init=False)
    """Of this start: its time in milliseconds, so that it sorts behind an earlier start of the same second;
    and 48 random bits."""
    _sequence: itertools.count[int] = attrs.field(factory=itertools.count, init=False)

    @token.default
    def _token(self) -> str:
        return f"{int(self.clock() * 1000):011x}{secrets.token_hex(6)}"

    def fresh(self) -> str:
        """A unique part; those of one second sort in the order they were made."""
        host = re.sub(r"[^A-Za-z0-9.-]", "_", self.host)[:MAX_HOST_CHARACTERS] or "localhost"
        return f"{int(self.clock())}.R{self.token}Q{next(self._sequence):08d}.{host}"
