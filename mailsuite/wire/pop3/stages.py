"""The states of a session and what a client may say in each (RFC 1939 sections 3 to 6; features row P-03)."""

from __future__ import annotations

import attrs

from mailsuite.model import response as say
from mailsuite.model.response import Response
from mailsuite.wire.pop3 import authorization, transaction
from mailsuite.wire.pop3.authorization import Admitted, Authorization, Outcome
from mailsuite.wire.pop3.commands import Command, Keyword
from mailsuite.wire.pop3.events import Listing, Quit, Retrieve
from mailsuite.wire.pop3.reading import Reply
from mailsuite.wire.pop3.snapshot import Snapshot
from mailsuite.wire.pop3.transaction import Transaction


@attrs.frozen
class Farewell:
    """QUIT before the login: there is nothing to update."""


Consequence = Outcome | Listing | Retrieve | Quit | Farewell
"""What a client's words lead to."""


@attrs.define
class Stages:
    """AUTHORIZATION up to the login, then TRANSACTION."""

    authorization: Authorization
    transaction: Transaction | None = attrs.field(default=None, init=False)

    def hear(self, said: Command | Response | Reply) -> Consequence:
        """Carry out what a client says; what is no command has its answer already."""
        if isinstance(said, Response):
            return said
        if isinstance(said, Command):
            return self._obey(said)
        if said.line is None:
            return self.authorization.spoil()
        return self.authorization.respond(said.line)

    def admit(self, admitted: Admitted) -> Response:
        """TRANSACTION begins."""
        self.transaction = Transaction(Snapshot(admitted.messages), admitted.terms)
        return self.transaction.summary

    def message_sent(self) -> None:
        """The message that was asked for last has gone out to its end. RuntimeError before the login."""
        if self.transaction is None:
            raise RuntimeError("a message was sent before anybody logged in")
        self.transaction.sent()

    def _obey(self, command: Command) -> Consequence:
        keyword, arguments, working = command.keyword, command.arguments, self.transaction
        if keyword is Keyword.CAPA:
            capabilities = self.authorization.capabilities(working.terms if working else None)
            return Listing.of_words(say.CAPABILITIES_FOLLOW, capabilities)
        if keyword is Keyword.QUIT:
            return working.update() if working else Farewell()
        if working is not None:
            message_command = transaction.COMMANDS.get(keyword)
            return message_command(working, arguments) if message_command else say.NOT_AFTER_LOGIN
        login_command = authorization.COMMANDS.get(keyword)
        return login_command(self.authorization, arguments) if login_command else say.NOT_BEFORE_LOGIN
