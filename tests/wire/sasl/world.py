"""What every exchange of these tests has around it, with all that comes by chance said beforehand."""

from __future__ import annotations

import base64
from typing import Any

import attrs

from mailsuite.wire.sasl.exchange import Exchange
from mailsuite.wire.sasl.mechanisms import MECHANISMS, Surroundings

NOW = 1_700_000_000.5
SURROUNDINGS = Surroundings(
    hostname="mail.example.net",
    octets=lambda count: bytes(range(count)),
    seconds=lambda: NOW,
    bindings={"tls-exporter": b"E" * 32, "tls-server-end-point": b"P" * 32},
)


def b64(data: bytes) -> bytes:
    return base64.b64encode(data)


def exchange_of(mechanism: str, **differences: Any) -> Exchange:
    return Exchange(MECHANISMS[mechanism](attrs.evolve(SURROUNDINGS, **differences)))
