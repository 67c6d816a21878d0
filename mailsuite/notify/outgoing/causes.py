"""Why there is no answer from a web server: in a word for programs, and in a sentence for its owner.

The sentences hold nothing that the other side said.
"""

from __future__ import annotations

import enum

from mailsuite.model.failure import TellingFailed, TellingRefused


class Cause(enum.Enum):
    """What went wrong, as it stands in attempts and statistics."""

    NO_HOST = "no-such-host"
    """There is no such name, or it has no address."""
    UNRESOLVED = "unresolved"
    """Whether there is such a name cannot be known now."""
    NOT_ALLOWED = "not-allowed"
    """It leads to where no notice may go."""
    REFUSED = "refused"
    """Nobody listens."""
    UNREACHABLE = "unreachable"
    """There is no way there."""
    TIMED_OUT = "timed-out"
    TLS = "tls"
    """No handshake, or no right certificate."""
    LOST = "lost"
    """The connection was closed without an answer."""
    PROTOCOL = "protocol"
    """What came was no HTTP, or too much of it."""
    BUSY = "busy"
    """Too much is under way; the fault is ours."""


class Unreached(TellingFailed):
    """There is no answer now."""

    def __init__(self, cause: Cause, sentence: str) -> None:
        super().__init__(f"{cause.value}: {sentence}")
        self.cause = cause


class NotAllowed(TellingRefused):
    """There will be no answer while the name leads where it does, and the configuration is what it is."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"{Cause.NOT_ALLOWED.value}: {sentence}")
        self.cause = Cause.NOT_ALLOWED
