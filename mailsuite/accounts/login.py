"""Logging in as front-ends see it: an attempt goes in, a maildrop or an account comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from zope.interface import Interface

from mailsuite.accounts.attempt import Attempt, Granted, LoginRules
from mailsuite.accounts.gate import Gate, SecretsUnreadable
from mailsuite.accounts.names import login_address
from mailsuite.accounts.throttle import FailureThrottle
from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import ILogins, IMaildrop, ISightings, ISubmitter
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.failure import MailFailure
from mailsuite.model.login import LoginRecord
from mailsuite.observe.log import Log
from mailsuite.wire.sasl.steps import ScramParameters, ScramQuestion


@attrs.frozen
class OpenedMaildrop:
    """A maildrop, and who opened it by what."""

    maildrop: IMaildrop
    granted: Granted


@attrs.frozen
class Login:
    """The portal, what failing costs, and the memory of who logged in from where by what.

    Both ways raise UnauthorizedLogin for whoever is refused, after the failure delay; TemporaryFailure
    where we cannot tell or cannot serve now. Cancelling ends them at once, also while they wait. Whatever
    the gate would refuse by then opens nothing: when they return it had no objection, and nothing was
    waited for since, so whoever keeps the session before he waits again hears of every later change.

    What is remembered is recorded after the login succeeded and without waiting; what cannot be recorded is
    logged and harms no login. *tasks* owns the recording: whoever closes the database waits for it first.
    """

    portal: Portal
    gate: Gate
    throttle: FailureThrottle
    sightings: ISightings
    logins: ILogins
    learn_from: frozenset[str]
    """Names of services that *sightings* is told of: "pop3", "submission"."""
    now: Callable[[], float]
    """Seconds since the epoch."""
    tasks: Tasks
    log: Log = attrs.field(factory=Log)

    async def login_maildrop(self, attempt: Attempt) -> OpenedMaildrop:
        """Open the maildrop of whoever this is. Raises MaildropInUse too. The caller releases it."""
        avatar, granted = await self._login(attempt, IMaildrop, lambda avatar: avatar.account)
        return OpenedMaildrop(cast(IMaildrop, avatar), granted)

    async def login_submitter(self, attempt: Attempt) -> Granted:
        """Who this is."""
        _, granted = await self._login(attempt, ISubmitter, lambda avatar: avatar.account.address)
        return granted

    async def scram_parameters(
        self, question: ScramQuestion, rules: LoginRules, facts: ConnectionFacts
    ) -> ScramParameters:
        """For any name, whether or not there is such an account. Raises what the directory raises."""
        address = await login_address(question.authcid, rules, self.gate.directory)
        return self.gate.vault.scram_parameters(_known_as(question.authcid, address), question.hash)

    async def _login(
        self, attempt: Attempt, wanted: type[Interface], account_of: Callable[[Any], Address]
    ) -> tuple[object, Granted]:
        peer = attempt.facts.peer
        attempt.account = await login_address(attempt.name, attempt.rules, self.gate.directory)
        known_as = _known_as(attempt.name, attempt.account)
        await self.throttle.admit(peer, known_as)
        since = self.throttle.clock.seconds()
        try:
            avatar, granted = await self._enter(attempt, wanted, account_of)
        except (UnauthorizedLogin, SecretsUnreadable):
            await self.throttle.penalty(peer, known_as, since)
            raise
        self.throttle.succeeded(peer, known_as)
        self._remember(attempt, granted)
        return avatar, granted

    async def _enter(
        self, attempt: Attempt, wanted: type[Interface], account_of: Callable[[Any], Address]
    ) -> tuple[object, Granted]:
        _, avatar, logout = await self.portal.login(attempt, None, wanted)
        granted = attempt.granted or Granted(account_of(avatar))
        try:
            await self.gate.look_again(granted, attempt, attempt.stored)
        except BaseException:
            logout()
            raise
        return avatar, granted

    def _remember(self, attempt: Attempt, granted: Granted) -> None:
        facts, at = attempt.facts, self.now()
        if facts.service in self.learn_from:
            self.tasks.start(self._record_sighting(attempt, granted.account, at))
        device = granted.device.id if granted.device is not None else ""
        record = LoginRecord(granted.account, device, facts.service, attempt.mechanism, facts.peer, at)
        self.tasks.start(self._record_login(attempt, record))

    async def _record_sighting(self, attempt: Attempt, account: Address, at: float) -> None:
        try:
            await self.sightings.record(account, attempt.facts.peer, at)
        except MailFailure as failure:
            self._log(attempt, account).warning("sighting.lost", reason=failure.reason)

    async def _record_login(self, attempt: Attempt, record: LoginRecord) -> None:
        try:
            await self.logins.record(record)
        except MailFailure as failure:
            self._log(attempt, record.account).warning("login.unrecorded", reason=failure.reason)

    def _log(self, attempt: Attempt, account: Address) -> Log:
        return self.log.bind(session=attempt.facts.session, account=account)


def _known_as(name: str, account: Address | None) -> str:
    """What a name counts as: the canonical account where it can be one, else the name itself, folded."""
    return str(account) if account is not None else name.casefold()
