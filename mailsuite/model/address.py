"""Mail addresses as values: a local part and a domain, already unquoted and normalised.

The grammar of paths on the wire (``<...>``, source routes, literals) is the wire's business;
this module says which local parts and domains exist at all (RFC 5321 section 4.1.2) and how
they compare.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache

import attrs
import idna

MAX_LOCAL_OCTETS = 64
"""RFC 5321 section 4.5.3.1.1."""
MAX_DOMAIN_OCTETS = 255
"""RFC 5321 section 4.5.3.1.2."""
MAX_LABEL_OCTETS = 63
"""RFC 1035 section 2.3.4."""

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]"
_DOT_STRING = re.compile(rf"{_ATEXT}+(\.{_ATEXT}+)*")
_QUOTABLE = re.compile(r"[\x20-\x7e\u00a0-\ud7ff\ue000-\U0010ffff]*")
"""No control characters of either kind, and no surrogates, which stand for octets that are no UTF-8."""
_LDH_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?")


class AddressSyntaxError(ValueError):
    """The text is no mail address; the message says why, in words for a person."""


@lru_cache(maxsize=1024)
def normalise_domain(text: str) -> str:
    """Return *text* as lower-case A-labels (RFC 5890), or an address literal in one spelling.

    A look-alike letter therefore gives a different, foreign domain. Raises AddressSyntaxError.
    """
    if text.startswith("["):
        return _normalise_literal(text)
    if not text:
        raise AddressSyntaxError("the domain is empty")
    lowered = text.lower()
    if not lowered.isascii():
        try:
            lowered = idna.encode(text, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise AddressSyntaxError("the domain is no internationalised domain name") from error
    if len(lowered) > MAX_DOMAIN_OCTETS:
        raise AddressSyntaxError(f"the domain is longer than {MAX_DOMAIN_OCTETS} octets")
    for label in lowered.split("."):
        if len(label) > MAX_LABEL_OCTETS or not _LDH_LABEL.fullmatch(label):
            raise AddressSyntaxError("the domain has a label that is no host name")
    return lowered


def _normalise_literal(text: str) -> str:
    inner = text[1:-1]
    if not text.endswith("]"):
        raise AddressSyntaxError("the address literal has no closing bracket")
    try:
        if inner[:5].lower() == "ipv6:" and "%" not in inner:  # a zone means nothing elsewhere
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:]).compressed}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError as error:
        raise AddressSyntaxError("the address literal holds no IP address") from error


@attrs.frozen(order=True)
class Address:
    """A mailbox name: ``local`` without quoting, ``domain`` normalised.

    The one address without a domain is the bare ``postmaster`` of RFC 5321 section 4.5.1.
    """

    local: str
    domain: str

    @classmethod
    def of(cls, local: str, domain: str) -> Address:
        """Check and normalise both halves. Raises AddressSyntaxError."""
        if not local:
            raise AddressSyntaxError("the part before the @ is empty")
        if not _QUOTABLE.fullmatch(local):
            raise AddressSyntaxError("the part before the @ has a control character")
        if len(local.encode("utf-8")) > MAX_LOCAL_OCTETS:
            raise AddressSyntaxError(f"the part before the @ is longer than {MAX_LOCAL_OCTETS} octets")
        return cls(local, normalise_domain(domain))

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read what a person types (``joe@example.net``): no quoting, no brackets.

        Raises AddressSyntaxError.
        """
        local, at, domain = text.rpartition("@")
        if not at:
            raise AddressSyntaxError("there is no @ in it")
        if not _DOT_STRING.fullmatch(local):
            raise AddressSyntaxError("the part before the @ has a character that needs quoting")
        return cls.of(local, domain)

    @property
    def canonical(self) -> Address:
        """The form under which an account is stored: local part in lower case, composed (RFC 8265
        section 3.3.3; what that forbids is not judged here)."""
        local = unicodedata.normalize("NFC", self.local.lower())
        return self if local == self.local else Address(local, self.domain)

    @property
    def is_ascii(self) -> bool:
        return self.local.isascii()

    def __str__(self) -> str:
        """The wire form without angle brackets, quoted where it must be."""
        local = self.local
        if not _DOT_STRING.fullmatch(local):
            local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{local}@{self.domain}" if self.domain else local


ROLES = frozenset({"postmaster", "abuse"})
"""Names that every domain must read (RFC 5321 section 4.5.1, RFC 2142 section 2); the admin does where nobody
else does (docs/adr/0010-role-addresses.md)."""
POSTMASTER = Address("postmaster", "")
"""``RCPT TO:<Postmaster>`` without a domain (RFC 5321 section 4.5.1)."""
