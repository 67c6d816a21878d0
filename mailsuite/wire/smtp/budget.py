"""How much a client may waste before it is shown the door (features row M-18)."""

from __future__ import annotations

import attrs

from mailsuite.model.reply import TOO_MANY_COMMANDS, TOO_MANY_ERRORS, Reply
from mailsuite.wire.smtp.events import TOO_MANY_COMMANDS as COMMANDS
from mailsuite.wire.smtp.events import TOO_MANY_ERRORS as ERRORS
from mailsuite.wire.smtp.events import Violation

MAX_ERRORS = 20
"""Postfix: smtpd_hard_error_limit."""
MAX_JUNK = 100
"""Postfix: smtpd_junk_command_limit."""
JUNK = frozenset(("NOOP", "RSET", "VRFY", "HELP", "EHLO", "HELO"))
"""Commands that bring no mail nearer."""


@attrs.define
class Budget:
    """Counts permanent refusals and empty commands since the last message that was accepted.

    Temporary refusals are free: whoever meets our limit of recipients, or a fault of ours, did no wrong.
    """

    errors: int = 0
    junk: int = 0

    def command(self, verb: str) -> None:
        """A command has come."""
        self.junk += verb in JUNK

    def answer(self, reply: Reply) -> None:
        """A reply has gone."""
        self.errors += reply.code >= 500

    def message_accepted(self) -> None:
        """It was worth it."""
        self.errors = self.junk = 0

    def exhausted(self) -> tuple[Violation, Reply] | None:
        """What to log and what to say where the client has gone too far."""
        if self.errors >= MAX_ERRORS:
            return Violation(ERRORS, f"{self.errors} errors without a message"), TOO_MANY_ERRORS
        if self.junk > MAX_JUNK:
            return Violation(COMMANDS, f"{self.junk} empty commands without a message"), TOO_MANY_COMMANDS
        return None
