"""Submission on a Unix socket: whoever connects is logged in already, as whom the kernel says (unix(7))."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError

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
    """One program of this machine that hands in mail. Before its first MAIL it is found out who calls; on any
    other transport nobody is found, and policy asks for a login that this door does not offer."""

    def __init__(self, door: Door, services: SmtpServices, callers: Callers) -> None:
        super().__init__(door, services)
        self._callers = callers

    def dispatch(self, event: Event) -> None:
        if isinstance(event, Mail) and self.account is None:
            self.answer(self._reply(self._mail(event), "sender"))
        else:
            super().dispatch(event)

    async def _mail(self, event: Mail) -> Reply:
        user = caller_of(self.transport)
        try:
            account = None if user is None else await self._callers.account(user)
        except CancelledError:
            raise
        except MailFailure as failure:
            self.log.info("submission.call_refused", user=user, detail=failure.detail, **codes(failure.reply))
            return failure.reply
        if account is not None:
            self.known_as(account, "", MECHANISM)
            self._reception.facts = attrs.evolve(self._reception.facts, account=account)
            self.log.info("submission.called", account=account, user=user)
        return await self._reception.mail(event)
