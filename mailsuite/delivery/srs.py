"""Senders of what is forwarded, by the Sender Rewriting Scheme (features rows L-09, Q-11): pure.

What an alias or a forward leads to another server comes from us there, and whoever checks SPF (RFC 7208)
compares us with the domain of the reverse-path. So that domain becomes one of ours, and the local part says
who the sender was: ``SRS0=HHHHHH=TT=domain=local``, with the day and a keyed hash, so that only what we have
written leads back, and for some days. A sender that another forwarder has rewritten becomes
``SRS1=HHHHHH=host==HHH=TT=domain=local``: what comes back goes to the first forwarder, who knows the rest.

Servers on the way may change the case of letters: the hash and the day are base32, and nothing goes by case.
"""

from __future__ import annotations

import base64
import enum
import hmac
import re
import unicodedata
from collections.abc import Callable
from typing import Final

import attrs

from mailsuite.model.address import MAX_LOCAL_OCTETS, Address, AddressSyntaxError

MAX_AGE: Final = 21
"""Days in which what was sent may still come back: four times as long as servers usually try (RFC 5321
section 4.5.4.1), as other servers have it."""
HASH_LETTERS: Final = 6
"""30 bits of HMAC-SHA-256: to guess one takes a thousand million attempts, each a refused recipient."""
_DAY: Final = 86_400
_DAYS: Final = 1024
"""The count of days begins anew then: two letters hold it."""
_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
"""RFC 4648 section 6, in lower case."""

_FLAGS: Final = re.ASCII | re.IGNORECASE | re.DOTALL
_OURS: Final = re.compile(rf"srs0=([a-z2-7]{{{HASH_LETTERS}}})=([a-z2-7]{{2}})=([^=]+)=(.+)", _FLAGS)
_OURS_OF_ANOTHER: Final = re.compile(rf"srs1=([a-z2-7]{{{HASH_LETTERS}}})=([^=]+)=([=+-].+)", _FLAGS)
_REWRITTEN: Final = re.compile(r"srs0([=+-].+)", _FLAGS)
"""By anybody: the separator behind the tag is one of three."""
_REWRITTEN_TWICE: Final = re.compile(r"srs1[=+-][^=]+=([^=]+)=([=+-].+)", _FLAGS)
_TAGGED: Final = re.compile(r"srs[01]=", _FLAGS)
_ROUTING: Final = frozenset("%!@")
"""What would have another server relay."""


class Unreturnable(enum.Enum):
    """An address that looks like one of ours, and leads nowhere."""

    MALFORMED = "malformed"
    FORGED = "forged"
    EXPIRED = "expired"


@attrs.frozen
class SenderRewriting:
    """Both directions under one *key*, by the clock *seconds*, which counts from the epoch."""

    _key: bytes = attrs.field(repr=False)
    _seconds: Callable[[], float]

    def rewritten(self, sender: Address, domain: str) -> Address:
        """What is said in the place of *sender*, who is not ours, in a *domain* that is.

        The sender itself where that cannot be: what would be longer than every server takes (RFC 5321 section
        4.5.3.1.1), and what no notice is sent to, so that none is sent there by us: an address literal, a
        name of one network alone, an address with another one in it.
        """
        rewritten = Address(self._local(sender), domain)
        too_long = len(rewritten.local.encode("utf-8", "replace")) > MAX_LOCAL_OCTETS
        return sender if too_long or not _is_plain(sender) else rewritten

    def _local(self, sender: Address) -> str:
        if again := _REWRITTEN_TWICE.fullmatch(sender.local):
            return self._twice(again[1], again[2])
        if once := _REWRITTEN.fullmatch(sender.local):
            return self._twice(sender.domain, once[1])
        day = _day_letters(self._today())
        mark = self._hash("0", day, sender.domain, sender.local)
        return f"SRS0={mark}={day}={sender.domain}={sender.local}"

    def _twice(self, host: str, rest: str) -> str:
        return f"SRS1={self._hash('1', host, rest)}={host}={rest}"

    def original(self, address: Address) -> Address | Unreturnable | None:
        """Who it was rewritten from, or the rewritten address of the first forwarder; None: it is no address
        of this kind."""
        local = address.local
        if found := _OURS.fullmatch(local):
            mark, day, domain, name = found.groups()
            if not hmac.compare_digest(mark.lower(), self._hash("0", day, domain, name)):
                return Unreturnable.FORGED
            is_old = (self._today() - _day_of(day)) % _DAYS > MAX_AGE
            return Unreturnable.EXPIRED if is_old else _address(name, domain)
        if found := _OURS_OF_ANOTHER.fullmatch(local):
            mark, host, rest = found.groups()
            if not hmac.compare_digest(mark.lower(), self._hash("1", host, rest)):
                return Unreturnable.FORGED
            return _address(f"SRS0{rest}", host)
        return Unreturnable.MALFORMED if _TAGGED.match(local) else None

    def _today(self) -> int:
        return int(self._seconds() // _DAY) % _DAYS

    def _hash(self, *parts: str) -> str:
        said = "\0".join(unicodedata.normalize("NFC", part.lower()) for part in parts)
        digest = hmac.digest(self._key, said.encode("utf-8", "surrogatepass"), "sha256")
        return base64.b32encode(digest).decode("ascii").lower()[:HASH_LETTERS]


def _is_plain(sender: Address) -> bool:
    """Whether it is a mailbox of the Internet by its name, and nothing hides another in it."""
    again = _REWRITTEN_TWICE.fullmatch(sender.local)
    host = sender.domain if again is None else again[1]
    return _ROUTING.isdisjoint(sender.local) and _is_of_the_world(host)


def _is_of_the_world(domain: str) -> bool:
    first, dot, last = domain.rpartition(".")
    return bool(first and dot) and not domain.startswith("[") and not last.isdigit()


def _address(local: str, domain: str) -> Address | Unreturnable:
    try:
        return Address.of(local, domain)
    except AddressSyntaxError:  # of a server that held others for addresses
        return Unreturnable.MALFORMED


def _day_letters(day: int) -> str:
    return _BASE32[day // 32] + _BASE32[day % 32]


def _day_of(letters: str) -> int:
    high, low = (_BASE32.index(letter) for letter in letters.lower())
    return high * 32 + low
