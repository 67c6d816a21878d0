"""The dialogue of the AUTH command (RFC 4954 section 4), up to a claim or its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from mailsuite.model.reply import (
    AUTHENTICATION_FAILED,
    EXCHANGE_CANCELLED,
    EXCHANGE_MALFORMED,
    EXCHANGE_TOO_LONG,
    MECHANISM_UNKNOWN,
    Reply,
    challenge,
)
from mailsuite.wire.buffer import Overlong
from mailsuite.wire.sasl.exchange import Exchange
from mailsuite.wire.sasl.mechanisms import MECHANISMS
from mailsuite.wire.sasl.steps import Challenge, PasswordClaim, Refusal, Step

_REFUSALS: Mapping[Refusal, Reply] = {
    Refusal.CANCELLED: EXCHANGE_CANCELLED,
    Refusal.MALFORMED: EXCHANGE_MALFORMED,
    Refusal.DENIED: AUTHENTICATION_FAILED,
}


@attrs.define
class AuthDialogue:
    """Turns AUTH, and then the client's lines while ``active``, into replies and at last a claim."""

    _exchange: Exchange | None = attrs.field(default=None, init=False)

    @property
    def active(self) -> bool:
        """The next line is an answer, not a command."""
        return self._exchange is not None

    def start(self, argument: str, mechanisms: Collection[str]) -> Reply | PasswordClaim:
        """Begin with what stood behind AUTH: a mechanism, and maybe an initial response."""
        name, _, initial = argument.partition(" ")
        if name.upper() not in mechanisms:
            return MECHANISM_UNKNOWN
        self._exchange = Exchange(MECHANISMS[name.upper()]())
        octets = initial.strip().encode("ascii", "surrogateescape")
        return self._outcome(self._exchange.start(octets or None))

    def proceed(self, line: bytes | Overlong) -> Reply | PasswordClaim:
        """Take a line, line end included; one that CR LF does not end is nothing."""
        if isinstance(line, Overlong):
            self.stop()
            return EXCHANGE_TOO_LONG
        if self._exchange is None or not line.endswith(b"\r\n"):
            return self._outcome(Refusal.MALFORMED)
        return self._outcome(self._exchange.respond(line[:-2]))

    def stop(self) -> None:
        """Back to commands."""
        self._exchange = None

    def _outcome(self, step: Step) -> Reply | PasswordClaim:
        if isinstance(step, Challenge):
            return challenge(step.encode().decode("ascii"))
        self.stop()
        return _REFUSALS[step] if isinstance(step, Refusal) else step
