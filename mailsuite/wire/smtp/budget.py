"""How much a client may waste before it is shown the door (features row M-18)."""

from __future__ import annotations

import attrs

from mailsuite.model.reply import (
    AUTHENTICATION_FAILED,
    TOO_MANY_COMMANDS,
    TOO_MANY_ERRORS,
    TOO_MANY_FAILED_LOGINS,
    Reply,
)
from mailsuite.wire.smtp.events import FAILED_LOGINS, Violation
from mailsuite.wire.smtp.events import TOO_MANY_COMMANDS as COMMANDS
from mailsuite.wire.smtp.events import TOO_MANY_ERRORS as ERRORS

MAX_JUNK = 100
"""Postfix: smtpd_junk_command_limit."""
MAX_SURPLUS = 1000
"""Temporary refusals, recipients beyond the limit among them, and chunks without octets or behind one that
was refused, that are borne. Postfix: smtpd_recipient_overshoot_limit."""
MAX_FAILED_LOGINS = 3
"""Wrong credentials on one connection; the last one closes it (features row A-13, and as in POP3)."""
JUNK = frozenset(("NOOP", "RSET", "VRFY", "EXPN", "HELP", "EHLO", "HELO", "LHLO"))
"""Commands that bring no mail nearer."""


@attrs.define(kw_only=True)
class Budget:
    """Counts permanent refusals and empty commands since the last message that was accepted.

    Temporary refusals are no errors, because a fault of ours is not the client's, and because a client
    learns of a limit only as it meets it (RFC 5321 section 4.5.3.1.10). Nor are chunks behind one that was
    refused, up to the last of their message: a client that pipelines has hundreds of them under way before
    it hears of the refusal (RFC 3030 section 2), and would take the end of the session for a reason to come
    again. Each such message is one error, as it is by DATA. But that goes on not for ever: whoever asks for
    the same again and again is no mail server. Wrong credentials are counted over the whole connection.
    """

    soft: int
    """Errors that are answered at once."""
    hard: int
    """Errors, with which it is over."""
    delay: float
    """Seconds that the reply to each further error waits; 0: none."""
    errors: int = 0
    junk: int = 0
    surplus: int = 0
    failed_logins: int = 0

    def command(self, verb: str) -> None:
        """A command has come."""
        self.junk += verb in JUNK

    def answer(self, reply: Reply) -> bool:
        """A reply goes. Answers whether it had better go late."""
        is_error = reply.code >= 500
        self.errors += is_error
        self.surplus += reply.is_temporary
        self.failed_logins += reply.code == AUTHENTICATION_FAILED.code
        return is_error and self.errors > self.soft

    def surplus_command(self) -> None:
        """A chunk has come behind one that was refused, or with nothing in it."""
        self.surplus += 1

    def message_accepted(self) -> None:
        """It was worth it."""
        self.errors = self.junk = self.surplus = 0

    def exhausted(self) -> tuple[Violation, Reply] | None:
        """What to log and what to say where the client has gone too far."""
        if self.failed_logins >= MAX_FAILED_LOGINS:
            return Violation(FAILED_LOGINS, f"{self.failed_logins} wrong credentials"), TOO_MANY_FAILED_LOGINS
        if self.errors >= self.hard:
            return Violation(ERRORS, f"{self.errors} errors without a message"), TOO_MANY_ERRORS
        if self.junk > MAX_JUNK:
            return Violation(COMMANDS, f"{self.junk} empty commands without a message"), TOO_MANY_COMMANDS
        if self.surplus > MAX_SURPLUS:
            return Violation(ERRORS, f"{self.surplus} temporary refusals or vain chunks"), TOO_MANY_ERRORS
        return None
