"""Whose turn it is: which answer a POP3 session waits for, if any."""

from __future__ import annotations

import enum

import attrs

from mailsuite.wire.pop3.events import Ask, Login, Multiline, Quit, Retrieve, StartTls

Question = Login | Ask | StartTls | Retrieve | Multiline | Quit
"""An event that wants an answer."""


class OutOfTurn(RuntimeError):
    """An answer that no event asked for: a mistake of ours."""


class Awaited(enum.Enum):
    """The answer that comes next."""

    NOTHING = enum.auto()
    LOGIN = enum.auto()
    PARAMETERS = enum.auto()
    TLS = enum.auto()
    MESSAGE = enum.auto()
    BODY = enum.auto()
    LISTING = enum.auto()
    UPDATE = enum.auto()


_AWAITED = {
    Login: Awaited.LOGIN,
    Ask: Awaited.PARAMETERS,
    StartTls: Awaited.TLS,
    Retrieve: Awaited.MESSAGE,
    Multiline: Awaited.LISTING,
    Quit: Awaited.UPDATE,
}


@attrs.define
class Turn:
    """At most one answer is waited for; meanwhile no command is read."""

    awaited: Awaited = Awaited.NOTHING

    @property
    def waiting(self) -> bool:
        return self.awaited is not Awaited.NOTHING

    def asks(self, event: Question) -> None:
        """*event* leaves."""
        self.awaited = _AWAITED[type(event)]

    def has(self, *awaited: Awaited) -> None:
        """Raise OutOfTurn unless one of these is what is waited for."""
        if self.awaited not in awaited:
            raise OutOfTurn(f"no event asks for this: the session awaits {self.awaited.name}")

    def ends(self) -> None:
        """Back to commands."""
        self.awaited = Awaited.NOTHING
