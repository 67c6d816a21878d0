"""The URLs that users name: read once, judged, and in one spelling.

What is refused here is refused at once and in words; what a *name* leads to is judged when it is connected
to, each time, since it can change in between.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal

import attrs

from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress
from mailsuite.model.address import AddressSyntaxError, normalise_domain
from mailsuite.notify.outgoing.addresses import AddressRules

MAX_URL: Final = 512
"""Characters (notifications.md section 9)."""
USUAL_PORTS: Final = frozenset({443, 8443})

_WHOLE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]*)(.*)", re.DOTALL)
_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?", re.DOTALL)
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]*")
_UNWISE: Final = re.compile(r'[<>"{}|\\^`]')
"""No URL has these; a backslash is read in two ways."""
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*")


class UrlError(ValueError):
    """The URL is none that notices may go to; the message says why, in words for whoever wrote it, and holds
    nothing of its path."""


@attrs.frozen
class UrlRules:
    """Which URLs notices may go to. At a reload it is replaced by another one."""

    addresses: AddressRules = attrs.field(factory=AddressRules)
    ports: frozenset[int] = USUAL_PORTS


@attrs.frozen
class WebTarget:
    """A URL that may be tried."""

    scheme: Literal["https", "http"]
    """``http`` leads nowhere but to networks that an administrator has named."""
    host: str
    """A name in lower-case A-labels, or an IP address without brackets."""
    port: int
    path: str = attrs.field(repr=False)
    """With the query, as it goes into a request. It is often all that keeps strangers out."""

    @property
    def address(self) -> IPAddress | None:
        """The host, where it is an address."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def key(self) -> str:
        """Host and port: the unit of budgets and of failures. May be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """In its one spelling."""
        return f"{self.origin}{self.path}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, the port only where it is not the usual one (RFC 6454 section 6.2)."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """What the Host field says (RFC 9110 section 7.2)."""
        is_usual = self.port == _USUAL_PORT[self.scheme]
        return self.key.rpartition(":")[0] if is_usual else self.key


_USUAL_PORT: Final = {"https": 443, "http": 80}


def web_target(url: str, rules: UrlRules) -> WebTarget:
    """Read and judge a URL. Raises UrlError."""
    if len(url) > MAX_URL:
        raise UrlError(f"the URL is longer than {MAX_URL} characters")
    whole = _WHOLE.fullmatch(url)
    if whole is None:
        raise UrlError("write the whole URL, with https:// in front")
    scheme, authority, path = whole[1].lower(), whole[2], whole[3]
    if scheme != "https" and not (scheme == "http" and rules.addresses.allow_networks):
        raise UrlError(f"{scheme}:// is not possible; use https://")
    _check_path(path)
    host, port = _host_and_port(authority)
    usual: Literal["https", "http"] = "https" if scheme == "https" else "http"
    target = WebTarget(
        usual, host, _USUAL_PORT[usual] if port is None else port, path if path[:1] == "/" else f"/{path}"
    )
    _check_target(target, rules)
    return target


def _check_path(path: str) -> None:
    if "#" in path:
        raise UrlError('the URL has a fragment ("#"), which is never sent anywhere; leave it out')
    if not _PRINTABLE.fullmatch(path) or _UNWISE.search(path):
        raise UrlError("the URL has a character that must be percent-encoded")


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """None: the URL names no port."""
    if "@" in authority:
        raise UrlError("the URL holds a user name or a password, which is not sent; leave it out")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise UrlError("the URL has a host or a port that cannot be read; IPv6 addresses stand in brackets")
    host, digits = parts[1], parts[2]
    return _host(host), int(digits) if digits else None


def _host(text: str) -> str:
    if text.startswith("["):
        return _literal(text)
    if not text:
        raise UrlError("the URL has no host")
    try:
        host = normalise_domain(text.removesuffix("."))
    except AddressSyntaxError:
        raise UrlError(f"{text[:80]!r} is no name of a host") from None
    return _four_numbers(host) if _NUMBER.fullmatch(host.rpartition(".")[2]) else host


def _literal(text: str) -> str:
    if "%" in text:
        raise UrlError("the address names a zone, which means nothing here")
    try:
        return str(unmapped(IPv6Address(text.removeprefix("[").removesuffix("]"))))
    except ValueError:
        raise UrlError("there is no IPv6 address in the brackets") from None


def _four_numbers(host: str) -> str:
    """``127.1``, ``0x7f.1`` and ``2130706433`` are 127.0.0.1 for some programs and names for others."""
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise UrlError(f"{host} is no IP address in its usual form: four numbers with dots") from None


def _check_target(target: WebTarget, rules: UrlRules) -> None:
    if target.port not in rules.ports:
        allowed = ", ".join(map(str, sorted(rules.ports)))
        raise UrlError(f"port {target.port} is not one that notices may go to ({allowed})")
    if target.address is not None:
        problem = objection(target, target.address, rules)
        if problem:
            raise UrlError(problem)


def objection(target: WebTarget, address: IPAddress, rules: UrlRules) -> str:
    """Why this address of the target's host may not be connected to; empty: it may.

    In the clear notices go nowhere but where an administrator said so: they, and what lets them in, could be
    read on the way.
    """
    if target.scheme == "http" and not rules.addresses.is_by_leave(address):
        return f"{address} is in none of notify.allow_networks; elsewhere notices need https://"
    return rules.addresses.objection(address)
