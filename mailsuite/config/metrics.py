"""Settings of the figures for Prometheus. Read through config/schema.py."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import Boolean, ListOf, Text
from mailsuite.config.names import Network


@attrs.frozen(kw_only=True)
class Metrics:
    """``[metrics]``, or what of it holds for one listener."""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether figures are given away at all.",
        applied="live",
    )
    path: str = setting(
        Text(200, r"/[A-Za-z0-9._~/\-]*", "/metrics"),
        "/metrics",
        meaning='Where they are, on listeners whose service is "metrics".',
        applied="new sessions",
    )
    allow: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["127.0.0.0/8", "::1"]'),
        ["127.0.0.0/8", "::1"],
        meaning="From where they may be asked for.",
        applied="live",
    )
