"""The dialogue of the AUTH command (RFC 4954 section 4), from the command to the reply that ends it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from mailsuite.model.reply import (
    AUTHENTICATION_FAILED,
    EXCHANGE_CANCELLED,
    EXCHANGE_MALFORMED,
    EXCHANGE_TOO_LONG,
    Reply,
    challenge,
)
from mailsuite.wire.buffer import Overlong
from mailsuite.wire.dialogue import Answer, Dialogue
from mailsuite.wire.sasl.steps import Challenge, Refusal, ScramParameters, ScramQuestion, Step
from mailsuite.wire.smtp.events import Ask, Authenticate
from mailsuite.wire.smtp.notification import upper
from mailsuite.wire.smtp.state import State

_REFUSALS: Mapping[Refusal, Reply] = {
    Refusal.CANCELLED: EXCHANGE_CANCELLED,
    Refusal.MALFORMED: EXCHANGE_MALFORMED,
}


@attrs.frozen
class Admitted:
    """The client is logged in, and is to be told so."""

    reply: Reply


@attrs.frozen
class Declined:
    """The client could be logged in, and does not want to be."""


Outcome = Reply | Authenticate | Ask | Admitted | Declined
"""What a line, or the answer to an event, leads to."""


@attrs.define
class AuthDialogue:
    """Turns AUTH, and then the client's lines while ``active``, into replies and events."""

    _dialogue: Dialogue = attrs.field(factory=Dialogue, init=False)
    _verdict: Outcome = attrs.field(default=AUTHENTICATION_FAILED, init=False)
    """What comes when the client has answered the last words of a mechanism."""

    @property
    def active(self) -> bool:
        """The next line is an answer, not a command."""
        return self._dialogue.active

    def start(self, argument: str, state: State) -> Outcome:
        """Begin with what stood behind AUTH: a mechanism, and maybe an initial response."""
        name, _, initial = argument.partition(" ")
        name = upper(name)
        refusal = state.mechanism_refusal(name)
        if refusal is not None:
            return refusal
        octets = initial.strip(" ").encode("utf-8", "surrogateescape")
        return self._went(self._dialogue.start(name, octets or None, state.surroundings))

    def proceed(self, line: bytes | Overlong) -> Outcome:
        """Take a line, line end included; one that CR LF does not end is nothing."""
        if isinstance(line, Overlong):
            outcome = self._went(self._dialogue.spoil())
            return EXCHANGE_TOO_LONG if outcome is EXCHANGE_MALFORMED else outcome
        if not line.endswith(b"\r\n"):
            return self._went(self._dialogue.spoil())
        return self._went(self._dialogue.respond(line[:-2]))

    def answer(self, parameters: ScramParameters) -> Outcome:
        """To Ask."""
        return self._went(self._dialogue.answer(parameters))

    def conclude(self, reply: Reply, signature: bytes) -> Outcome:
        """To Authenticate: *reply*, or the mechanism's last words, and *reply* once the client has answered.

        A temporary reply comes without last words: they would blame the client.
        """
        verdict = Admitted(reply) if reply.is_positive else reply
        if reply.is_temporary:
            self._dialogue.stop()
            return verdict
        self._verdict = verdict
        last_words = self._dialogue.conclude(reply.is_positive, signature)
        return verdict if last_words is None else self._went(last_words)

    def stop(self) -> None:
        """Back to commands."""
        self._dialogue.stop()

    def _went(self, step: Step | Answer) -> Outcome:
        match step:
            case Challenge():
                return challenge(step.encode().decode("ascii"))
            case ScramQuestion():
                return Ask(step)
            case Refusal():
                return _REFUSALS[step]
            case Answer.PROTEST:
                return Declined()
            case Answer():
                return self._verdict
        return Authenticate(step)
