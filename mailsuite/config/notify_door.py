"""Settings of the doors that users come to over HTTPS: to be told, and to say of what. Read through
config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

import attrs

from mailsuite.config.access import Access
from mailsuite.config.declare import section, setting
from mailsuite.config.kinds import Integer
from mailsuite.config.measures import Duration
from mailsuite.config.names import AlternateAt, HostName


@attrs.frozen(kw_only=True)
class NotifyDoor:
    """What of ``[notify]`` is about listeners whose service is notify, or what holds for one of them."""

    max_connections: int = setting(
        Integer(0, 1_000_000, example=10_000),
        10_000,
        meaning='Connections at the same time, over all listeners whose service is "notify"; 0 is no limit.',
        applied="live",
    )
    max_connections_per_address: int = setting(
        Integer(0, 1_000_000, example=100),
        100,
        meaning="Such connections at once from one address; 0 is no limit.",
        applied="live",
    )
    max_streams_per_account: int = setting(
        Integer(1, 1000, example=20),
        20,
        meaning="Streams of one account at the same time.",
        applied="new sessions",
    )
    idle_timeout: float = setting(
        Duration(minimum=1.0, maximum=86400.0),
        "1m",
        meaning="A connection without a request for so long is closed, or a stream that nobody reads.",
        applied="new sessions",
    )
    alternate_at: str = setting(
        AlternateAt(),
        derived="pop3.alternate_at",
        example="#$%",
        shown=False,
        meaning="Characters that may stand for the @ of a login name, for programs that cannot send one.",
        applied="new sessions",
    )
    default_domain: str = setting(
        HostName("example.net"),
        derived="the first [[domain]], else server.name",
        example="example.net",
        shown=False,
        meaning="The domain of a login name that has none.",
        applied="new sessions",
    )
    access: Access = section(Access, "Who may connect to be told")
