"""How much nonsense a session bears (features rows S-I04 and P-05; the numbers are Dovecot's)."""

from __future__ import annotations

import attrs

from mailsuite.model.response import (
    AUTH,
    HIDDEN_PASSWORDS_ONLY,
    MESSAGE_DELETED,
    NO_SUCH_MESSAGE,
    Response,
)

MAX_FAILED_LOGINS = 3
"""Wrong credentials in one session; the last one closes it."""

_NO_FAULT = (NO_SUCH_MESSAGE, MESSAGE_DELETED)
"""Refusals of what an honest client may well ask; they are no bad commands."""


@attrs.define
class Patience:
    """Counts bad commands in a row, and failed logins for ever."""

    bad_commands: int
    """So many in a row are borne. Raised by a login."""
    _in_a_row: int = attrs.field(default=0, init=False)
    _failed_logins: int = attrs.field(default=0, init=False)

    def forget(self) -> None:
        """Begin a new row of bad commands."""
        self._in_a_row = 0

    def ends_with(self, response: Response) -> str:
        """Count a response that is about to be given; why the session must end with it, or nothing."""
        if response.ok or response in _NO_FAULT:
            self._in_a_row = 0
            return ""
        if response.code == AUTH and response != HIDDEN_PASSWORDS_ONLY:  # nobody looked at a password
            self._failed_logins += 1
            return "failed-logins" if self._failed_logins >= MAX_FAILED_LOGINS else ""
        self._in_a_row += 1
        return "bad-commands" if self._in_a_row > self.bad_commands else ""
