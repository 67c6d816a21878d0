"""Submission on a Unix socket: whoever connects is logged in already, as whom the kernel says (unix(7))."""

from __future__ import annotations

from contextlib import suppress

import attrs

from mailsuite.accounts.callers import Callers
from mailsuite.delivery.judge import codes
from mailsuite.frontends.door import Door
from mailsuite.frontends.smtp import SmtpServices, SmtpSession
from mailsuite.frontends.unix import caller_of
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.events import Event, Mail

MECHANISM = "unix"
"""By what they logged in, for the log and ``mailsuite who``."""


class CalledSession(SmtpSession):
    """One program of this machine that hands in mail. Before the greeting it is found out who calls, for what
    EHLO offers goes by it; where that fails, once more at MAIL. On any other transport nobody is found, and
    policy asks for a login that this door does not offer."""

    def __init__(self, door: Door, services: SmtpServices, callers: Callers) -> None:
        super().__init__(door, services)
        self._callers = callers
        self._found_out = False

    def greet(self) -> None:
        self.answer(self._greet(), for_the_client=True)

    async def _greet(self) -> None:
        with suppress(MailFailure):
            await self._find_out()
        await self.greeting()

    def dispatch(self, event: Event) -> None:
        if isinstance(event, Mail) and not self._found_out:
            self.answer(self._reply(self._mail(event), "sender"))
        else:
            super().dispatch(event)

    async def _mail(self, event: Mail) -> Reply:
        try:
            await self._find_out()
        except MailFailure as failure:
            user, said = caller_of(self.transport), codes(failure.reply)
            self.log.info("submission.call_refused", user=user, detail=failure.detail, **said)
            return failure.reply
        return await self._reception.mail(event)

    async def _find_out(self) -> None:
        """Raises MailFailure where it cannot be known now, or somebody may not send."""
        user = caller_of(self.transport)
        account = None if user is None else await self._callers.account(user)
        self._found_out = True
        if account is not None:
            self.known_as(account, "", MECHANISM)
            self._reception.facts = attrs.evolve(self._reception.facts, account=account)
            self.log.info("submission.called", account=account, user=user)
            await self.limit_message()
