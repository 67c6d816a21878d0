"""Requests to the control API, octet for octet, without a socket."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.testing import StringTransport
from twisted.web.server import Site


class Asked:
    """One request on a connection of its own; the answer may come later."""

    def __init__(self, site: Site, method: str, path: str, body: object = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        channel: Any = site.buildProtocol(UNIXAddress(""))
        self._wire = StringTransport(peerAddress=UNIXAddress(""))
        channel.makeConnection(self._wire)
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
        channel.dataReceived(head.encode() + content)

    @property
    def is_answered(self) -> bool:
        return bool(self._wire.value())

    @property
    def answer(self) -> tuple[int, Any]:
        """Status and document."""
        status, _, document = self._wire.value().partition(b"\r\n\r\n")
        return int(status.split()[1]), json.loads(document)
