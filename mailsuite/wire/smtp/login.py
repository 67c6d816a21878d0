"""AUTH in a session: carries the exchange of auth.py to the service and back (RFC 4954)."""

from __future__ import annotations

import attrs

from mailsuite.model import reply as replies
from mailsuite.model.reply import Reply
from mailsuite.wire.buffer import Overlong
from mailsuite.wire.sasl.steps import ScramParameters
from mailsuite.wire.smtp.auth import Admitted, AuthDialogue, Outcome
from mailsuite.wire.smtp.commands import Command
from mailsuite.wire.smtp.events import Ask, Authenticate
from mailsuite.wire.smtp.exchange import Exchange
from mailsuite.wire.smtp.state import State


@attrs.define(eq=False)
class Login:
    """From AUTH to the reply that ends it."""

    _state: State
    _exchange: Exchange
    signature: bytes = attrs.field(default=b"", init=False)
    """What a ScramClaim was answered by; set before the reply."""
    _dialogue: AuthDialogue = attrs.field(factory=AuthDialogue, init=False)

    @property
    def active(self) -> bool:
        """The next line is an answer, not a command."""
        return self._dialogue.active

    def start(self, command: Command) -> None:
        """AUTH."""
        self._take(self._dialogue.start(command.argument, self._state))

    def proceed(self, line: bytes | Overlong) -> None:
        """A line of the client's while ``active``."""
        self._take(self._dialogue.proceed(line))

    def parameters(self, parameters: ScramParameters) -> None:
        """The answer to Ask. Raises RuntimeError where nobody has asked."""
        if not self._exchange.wants(self._question_refused):
            raise RuntimeError("parameters came that no event had asked for")
        self._exchange.take_answer()
        self._take(self._dialogue.answer(parameters))

    def stop(self) -> None:
        """Back to commands."""
        self._dialogue.stop()

    def _take(self, outcome: Outcome) -> None:
        exchange = self._exchange
        match outcome:
            case Reply():
                exchange.send(outcome)
            case Authenticate():
                exchange.ask(outcome, self._authenticate_answered)
            case Ask():
                exchange.ask(outcome, self._question_refused)
            case Admitted():
                self._state.authenticated = True
                exchange.send(outcome.reply)
            case _:  # Declined
                exchange.finish(replies.EXCHANGE_CANCELLED)

    def _authenticate_answered(self, reply: Reply) -> None:
        self._take(self._dialogue.conclude(reply, self.signature))

    def _question_refused(self, reply: Reply) -> None:
        self._dialogue.stop()
        self._exchange.send(reply)
