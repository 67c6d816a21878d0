"""Where a client session stands, and which steps the shell may take there: two tables."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from mailsuite.wire.sasl.client import Derive
from mailsuite.wire.smtp.client.events import (
    Authenticated,
    AuthenticationFailed,
    Done,
    Event,
    GoAhead,
    Greeted,
    NobodyLeft,
    Ready,
    TlsNow,
    TlsRefused,
    TurnedAway,
    WasReset,
)


class Stage(enum.Enum):
    """Whose turn it is."""

    BUSY = "busy"
    """The server's."""
    GREETED = "greeted"
    TURNED_AWAY = "turned away"
    IDLE = "idle"
    """Between two transactions."""
    TLS = "tls"
    """The handshake's."""
    DERIVING = "deriving"
    CONTENT = "content"


class Step(enum.Enum):
    """What the shell does."""

    HELLO = "hello"
    START_TLS = "start_tls"
    TLS_STARTED = "tls_started"
    AUTHENTICATE = "authenticate"
    DERIVED = "derived"
    SEND = "send"
    BODY = "body"
    RESET = "reset"
    QUIT = "quit"


AFTER: Mapping[type[Event], Stage] = {
    Greeted: Stage.GREETED,
    TurnedAway: Stage.TURNED_AWAY,
    Ready: Stage.IDLE,
    TlsNow: Stage.TLS,
    TlsRefused: Stage.IDLE,
    Derive: Stage.DERIVING,
    Authenticated: Stage.IDLE,
    AuthenticationFailed: Stage.IDLE,
    GoAhead: Stage.CONTENT,
    NobodyLeft: Stage.IDLE,
    Done: Stage.IDLE,
    WasReset: Stage.IDLE,
}
"""What an event leads to; the others change nothing."""

ALLOWED: Mapping[Stage, frozenset[Step]] = {
    Stage.BUSY: frozenset(),
    Stage.GREETED: frozenset({Step.HELLO, Step.QUIT}),
    Stage.TURNED_AWAY: frozenset({Step.QUIT}),
    Stage.IDLE: frozenset({Step.START_TLS, Step.AUTHENTICATE, Step.SEND, Step.RESET, Step.QUIT}),
    Stage.TLS: frozenset({Step.TLS_STARTED}),
    Stage.DERIVING: frozenset({Step.DERIVED}),
    Stage.CONTENT: frozenset({Step.BODY}),
}
