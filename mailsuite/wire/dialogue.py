"""A login by SASL as SMTP and POP3 both lead it: from AUTH to the verdict, and to the last words behind it.

The protocols differ in what they say at each step. What step comes next does not differ, and is here.
"""

from __future__ import annotations

import enum
from typing import NoReturn

import attrs

from mailsuite.wire.sasl.exchange import Exchange
from mailsuite.wire.sasl.mechanisms import MECHANISMS, Surroundings
from mailsuite.wire.sasl.steps import Challenge, Refusal, ScramParameters, Step


def not_given(*arguments: object) -> NoReturn:
    """Where settings bring no randomness and no time, only mechanisms that need neither may be offered."""
    raise RuntimeError("the settings of this session bring neither randomness nor time")


class Answer(enum.Enum):
    """What the client makes of a mechanism's last words."""

    ACCEPTANCE = "acceptance"
    """It has heard that it is logged in, and likes how we prove who we are."""
    PROTEST = "protest"
    """It was to be logged in, and does not want to be: perhaps we did not prove who we are."""
    RESIGNATION = "resignation"
    """It has heard that it is refused, whatever it says to that."""


@attrs.define
class Dialogue:
    """At most one exchange, begun by AUTH and over with a refusal or a verdict.

    While ``active`` the client's next line is no command. A claim keeps the exchange: conclude() it.
    """

    _exchange: Exchange | None = attrs.field(default=None, init=False)
    _verdict: bool | None = attrs.field(default=None, init=False)
    """What the last words that were sent said; None before them."""

    @property
    def active(self) -> bool:
        return self._exchange is not None

    def start(self, mechanism: str, initial: bytes | None, surroundings: Surroundings) -> Step:
        """Begin, with what stood behind the name of the mechanism; None where nothing did."""
        self._exchange, self._verdict = Exchange(MECHANISMS[mechanism](surroundings)), None
        return self._went(self._exchange.start(initial))

    def respond(self, line: bytes) -> Step | Answer:
        """Take the client's line, without its line end."""
        exchange = self._running
        if self._verdict is None:
            return self._went(exchange.respond(line))
        self.stop()
        if not self._verdict:
            return Answer.RESIGNATION
        return Answer.ACCEPTANCE if exchange.acknowledged(line) else Answer.PROTEST

    def spoil(self) -> Refusal | Answer:
        """Take a line that can be no response, whatever stands in it."""
        self.stop()
        if self._verdict is None:
            return Refusal.MALFORMED
        return Answer.PROTEST if self._verdict else Answer.RESIGNATION

    def answer(self, parameters: ScramParameters) -> Step:
        """Go on after a ScramQuestion."""
        return self._went(self._running.answer(parameters))

    def conclude(self, accepted: bool, signature: bytes = b"") -> Challenge | None:
        """The claim was judged. Answers the last words to send before the client is told; None where the
        mechanism has none, and where it was none of SASL's."""
        last_words = self._exchange.conclude(accepted, signature) if self._exchange is not None else None
        if last_words is None:
            self.stop()
        else:
            self._verdict = accepted
        return last_words

    def stop(self) -> None:
        """Back to commands."""
        self._exchange = None

    @property
    def _running(self) -> Exchange:
        if self._exchange is None:
            raise RuntimeError("no exchange is under way")
        return self._exchange

    def _went(self, step: Step) -> Step:
        if isinstance(step, Refusal):
            self.stop()
        return step
