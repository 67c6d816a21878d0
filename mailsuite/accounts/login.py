"""Logging in as front-ends see it: an attempt goes in, a maildrop or an address comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
from twisted.cred.portal import Portal

from mailsuite.accounts.attempt import LoginAttempt
from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IMaildrop, ISightings, ISubmitter
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log


@attrs.frozen
class Login:
    """The portal, and the memory of where each account was seen last.

    Both ways raise UnauthorizedLogin for whoever is refused, TemporaryFailure where we cannot tell or
    cannot serve now. A login of a service in *learn_from* is told to *sightings*, after it succeeded and
    without waiting; a sighting that cannot be recorded is logged and harms no login. *tasks* owns the
    recording: whoever closes the sightings' database waits for it first.
    """

    portal: Portal
    sightings: ISightings
    learn_from: frozenset[str]
    """Names of services: "pop3", "submission"."""
    now: Callable[[], float]
    """Seconds since the epoch."""
    tasks: Tasks
    log: Log = attrs.field(factory=Log)

    async def login_maildrop(self, attempt: LoginAttempt) -> IMaildrop:
        """Open the maildrop of whoever this is. Raises MaildropInUse too. The caller releases it."""
        _, avatar, _ = await self.portal.login(attempt, None, IMaildrop)
        maildrop = cast(IMaildrop, avatar)
        self._learn(attempt, maildrop.account)
        return maildrop

    async def login_submitter(self, attempt: LoginAttempt) -> Address:
        """The canonical address of whoever this is."""
        _, avatar, _ = await self.portal.login(attempt, None, ISubmitter)
        account = cast(ISubmitter, avatar).account.address
        self._learn(attempt, account)
        return account

    def _learn(self, attempt: LoginAttempt, account: Address) -> None:
        if attempt.facts.service in self.learn_from:
            self.tasks.start(self._record(attempt, account))

    async def _record(self, attempt: LoginAttempt, account: Address) -> None:
        try:
            await self.sightings.record(account, attempt.facts.peer, self.now())
        except MailFailure as failure:
            log = self.log.bind(session=attempt.facts.session, account=account)
            log.warning("sighting.lost", reason=failure.detail or failure.reply.text[0])
