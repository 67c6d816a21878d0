"""SASL as SMTP (RFC 4954) and POP3 (RFC 5034) carry it: base64 lines in, challenges or a claim out.

Exchange speaks the part that all mechanisms share: base64, the initial response, ``=`` for an empty
one, ``*`` to cancel, and whose turn it is. A Mechanism sees decoded octets only. Nothing here knows
whether a claim is true.
"""

from __future__ import annotations

import binascii
import enum
from typing import Protocol, cast, runtime_checkable

import attrs

from mailsuite.wire.sasl.steps import Challenge, Refusal, ScramParameters, ScramQuestion, Step


class Mechanism(Protocol):
    """The server's side of one exchange, on decoded octets."""

    def start(self, initial: bytes | None) -> Step:
        """Begin; *initial* is None where the client sent no initial response."""

    def respond(self, response: bytes) -> Step:
        """Go on with the client's answer to the last challenge."""


@runtime_checkable
class MutualMechanism(Mechanism, Protocol):
    """One that asks for parameters, and in which the server too proves who it is."""

    def answer(self, parameters: ScramParameters) -> Step:
        """Go on with what was asked for."""

    def last_words(self, accepted: bool, signature: bytes) -> Challenge | None:
        """What the client is to hear of the verdict, if anything; *signature* counts where it is
        *accepted*."""


class _Turn(enum.Enum):
    """What has to come next."""

    START = enum.auto()
    RESPONSE = enum.auto()
    ANSWER = enum.auto()
    VERDICT = enum.auto()
    LAST_RESPONSE = enum.auto()
    NOTHING = enum.auto()


@attrs.define
class Exchange:
    """One exchange from the AUTH command to its end. Lines come without their line ends.

    Raises RuntimeError where the caller, not the client, does something out of turn.
    """

    _mechanism: Mechanism
    _turn: _Turn = attrs.field(default=_Turn.START, init=False)

    def start(self, initial: bytes | None) -> Step:
        """Begin with what stood behind the mechanism's name, None where nothing did.

        A lone ``=`` is an empty initial response (RFC 4954 section 4, RFC 5034 section 4).
        """
        self._take(_Turn.START)
        if initial is None:
            return self._went(self._mechanism.start(None))
        decoded = b"" if initial == b"=" else decode_base64(initial)
        if decoded is None or not initial:
            return Refusal.MALFORMED
        return self._went(self._mechanism.start(decoded))

    def respond(self, line: bytes) -> Step:
        """Take the client's answer to the last Challenge."""
        self._take(_Turn.RESPONSE)
        if line == b"*":
            return Refusal.CANCELLED
        decoded = decode_base64(line)
        return Refusal.MALFORMED if decoded is None else self._went(self._mechanism.respond(decoded))

    def answer(self, parameters: ScramParameters) -> Step:
        """Take the answer to the last ScramQuestion."""
        self._take(_Turn.ANSWER)
        asking = cast(MutualMechanism, self._mechanism)  # nobody else asks
        return self._went(asking.answer(parameters))

    def conclude(self, accepted: bool, signature: bytes = b"") -> Challenge | None:
        """The claim was judged. Gives last words for the client, which answers them with an empty response.

        None where the mechanism has no last words. *signature* is what proves us to the client (ScramClaim).
        """
        self._take(_Turn.VERDICT)
        if not isinstance(self._mechanism, MutualMechanism):
            return None
        last_words = self._mechanism.last_words(accepted, signature)
        if last_words is not None:
            self._turn = _Turn.LAST_RESPONSE
        return last_words

    def acknowledged(self, line: bytes) -> bool:
        """Whether the client's answer to the last words is the empty response, ``=`` included."""
        self._take(_Turn.LAST_RESPONSE)
        return line in (b"", b"=")

    def _take(self, turn: _Turn) -> None:
        if self._turn is not turn:
            raise RuntimeError(f"{turn.name} out of turn: {self._turn.name} has to come next")
        self._turn = _Turn.NOTHING

    def _went(self, step: Step) -> Step:
        match step:
            case Challenge():
                self._turn = _Turn.RESPONSE
            case ScramQuestion():
                self._turn = _Turn.ANSWER
            case Refusal():
                pass
            case _:
                self._turn = _Turn.VERDICT
        return step


def decode_base64(text: bytes) -> bytes | None:
    """Decode canonical base64 (RFC 4648 section 4): no stray characters, right padding, pad bits zero.

    None where it is anything else.
    """
    try:
        decoded = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    return decoded if binascii.b2a_base64(decoded, newline=False) == text else None
