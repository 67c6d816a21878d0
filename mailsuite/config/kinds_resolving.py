"""Kinds of values that say where questions to the domain name system go."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import attrs

from mailsuite.config.kinds import Kind, printable
from mailsuite.model.dns import DNS_PORT, NameServer

_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\](?::([0-9]{1,5}))?")
_IPV4 = re.compile(r"([0-9.]+):([0-9]{1,5})")


@attrs.frozen
class ServerAddress(Kind[NameServer]):
    """The IP address of a name server, perhaps with a port."""

    @property
    def word(self) -> str:
        return "name server"

    @property
    def expects(self) -> str:
        return 'an IP address, perhaps with a port: "127.0.0.1", "192.0.2.53:5353" or "[2001:db8::53]:5353"'

    def parse(self, raw: object, base: Path) -> NameServer:
        text = printable(raw, self)
        split = _BRACKETED.fullmatch(text) or _IPV4.fullmatch(text)
        address, port = split.groups() if split else (text, None)
        try:
            server = NameServer(ipaddress.ip_address(address), DNS_PORT if port is None else int(port))
        except ValueError:
            raise self.refuse(raw, "is no name server") from None
        if server.address.is_multicast or server.address.is_unspecified or not 1 <= server.port <= 65535:
            raise self.refuse(raw, "is no place to ask")
        return server

    def write(self, value: NameServer) -> object:
        return str(value)
