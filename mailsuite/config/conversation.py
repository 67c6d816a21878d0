"""How an SMTP session goes: what is announced, how long it may take, what it may say wrong."""

# The declarations are immutable: they are no shared mutable defaults.

from __future__ import annotations

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import Boolean, Integer
from mailsuite.config.measures import Duration, DurationOr, Size

_DAY = 86_400.0


@attrs.frozen(kw_only=True)
class Conversation:
    """Keys that ``[smtp]``, ``[submission]`` and ``[lmtp]`` have in common."""

    open_timeout: float = setting(
        Duration(minimum=1.0, maximum=_DAY),
        "5m",
        meaning="A connection that has not said EHLO by then, TLS included, is closed.",
        applied="new sessions",
    )
    data_timeout: float = setting(
        Duration(minimum=1.0, maximum=_DAY),
        "3m",
        meaning="A message of which nothing comes for so long is given up, and its session closed.",
        applied="new sessions",
    )
    allow_short_timeouts: bool = setting(
        Boolean(),
        False,
        meaning="Whether time-outs may be shorter than RFC 5321 section 4.5.3.2 asks for.",
        applied="new sessions",
    )
    minimum_rate: int = setting(
        Size(0, 1 << 20),
        "500B",
        meaning="So much of a message must come in a second, on average after a minute; 0B is no limit.",
        applied="new sessions",
    )
    max_session: float | None = setting(
        DurationOr("never", 1.0, _DAY),
        "30m",
        meaning="The longest session; a message that is coming then has as long once more.",
        applied="new sessions",
    )
    max_messages: int = setting(
        Integer(0, 1_000_000, example=1000),
        1000,
        meaning="Messages of one session; the next one takes a new connection. 0 is no limit.",
        applied="new sessions",
    )
    greet_delay: float = setting(
        Duration(minimum=0.0, maximum=60.0),
        "0s",
        meaning="How long the greeting waits; who speaks before it is no mail server, and is refused.",
        applied="new sessions",
    )
    soft_errors: int = setting(
        Integer(0, 10_000, example=10),
        10,
        meaning="After so many errors without a message in between each further answer waits.",
        applied="new sessions",
    )
    error_delay: float = setting(
        Duration(minimum=0.0, maximum=60.0),
        "1s",
        meaning="How long those answers wait.",
        applied="new sessions",
    )
    hard_errors: int = setting(
        Integer(1, 10_000, example=20),
        20,
        meaning="After so many errors without a message in between the session is closed.",
        applied="new sessions",
    )
