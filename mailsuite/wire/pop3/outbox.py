"""What a session has to say and nobody has sent yet."""

from __future__ import annotations

import attrs

from mailsuite.model.response import Response


@attrs.define
class Outbox:
    """Octets in the order in which they are to be sent."""

    _pieces: list[bytes] = attrs.field(factory=list, init=False)
    octets: int = attrs.field(default=0, init=False)
    """So many wait."""

    def say(self, response: Response) -> None:
        self.put(response.encode())

    def put(self, data: bytes) -> None:
        self._pieces.append(data)
        self.octets += len(data)

    def take(self) -> bytes:
        """All of it; each octet comes once."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.octets = 0
        return data
