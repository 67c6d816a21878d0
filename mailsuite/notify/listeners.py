"""How people write where a listener for knocks is: ``192.0.2.1:79``, ``[2001:db8::1]:79``, ``last-ip``; and
the bracketed forms of Mac OS X Server's user records, ``[192.0.2.1]`` and ``[IPv6:2001:db8::1]``."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal

import attrs

from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress
from mailsuite.wire.finger import PORT

LAST_IP: Final = "last-ip"
Transport = Literal["tcp", "udp"]
_FORM: Final = re.compile(
    r"(?:\[(?:ipv6:)?(?P<bracketed>[^\[\]]+)\]|(?P<last>last-ip)|(?P<plain>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE,
)


@attrs.frozen
class Listener:
    """Where somebody wants to be knocked at."""

    address: IPAddress | None
    """None: where their device logged in last."""
    port: int = PORT

    def __str__(self) -> str:
        if self.address is None:
            return f"{LAST_IP}:{self.port}"
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


def read_listener(text: str) -> Listener:
    """Raises ValueError with a sentence for who wrote it."""
    found = _FORM.fullmatch(text.strip())
    if found is None and text.count(":") > 1:  # IPv6 without brackets, and so without a port
        return Listener(_address(text.strip()))
    if found is None:
        raise ValueError(f"{text!r} is no listener: write 192.0.2.1:79, [2001:db8::1]:79 or {LAST_IP}")
    port = int(found["port"]) if found["port"] else PORT
    if not 0 < port < 65536:
        raise ValueError(f"{port} is no port")
    return Listener(None if found["last"] else _address(found["bracketed"] or found["plain"]), port)


def _address(text: str) -> IPAddress:
    """An IPv4 address that stands in an IPv6 one is that IPv4 address."""
    if "%" in text:
        raise ValueError(f"{text} has a zone, which means nothing here")
    try:
        return unmapped(IPv6Address(text) if ":" in text else IPv4Address(text))
    except AddressValueError:
        raise ValueError(f"{text!r} is no IP address; names are not looked up") from None
