"""Logging in as front-ends see it: an attempt goes in, a maildrop or an account comes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from zope.interface import Interface

from mailsuite.accounts.attempt import Attempt, Granted, LoginRules
from mailsuite.accounts.gate import Gate, SecretsUnreadable
from mailsuite.accounts.names import Named
from mailsuite.accounts.presence import Presence
from mailsuite.accounts.terms import terms_of
from mailsuite.accounts.throttle import FailureThrottle
from mailsuite.accounts.turnstile import Entry, Turnstile
from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import ILogins, IMaildrop, ISightings, ISubmitter
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.failure import MailFailure
from mailsuite.model.login import LoginRecord
from mailsuite.model.reach import IPNetwork
from mailsuite.model.retention import Terms
from mailsuite.model.view import Box, View
from mailsuite.observe.log import Log
from mailsuite.wire.sasl.steps import ScramParameters, ScramQuestion


def _nobody_counts() -> None:
    """Where sessions have no limit."""


def _nobody_hears(uidl: str) -> None:
    """Where nobody is told of what is fetched."""


@attrs.frozen
class OpenedMaildrop:
    """A maildrop, and who opened it by what."""

    maildrop: IMaildrop
    granted: Granted
    terms: Terms = attrs.field(factory=Terms)
    view: View = attrs.field(factory=View)
    leave: Callable[[], None] = _nobody_counts
    """To be called when the maildrop was released: the account may have one more session then."""
    fetched: Callable[[str], None] = _nobody_hears
    """To be called with the UIDL of each message that the client has whole, or has deleted."""


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
    no_learn: tuple[IPNetwork, ...] = ()
    """Where nobody is: proxies of ours, from which somebody comes of whom they said nothing."""
    presence: Presence | None = None
    """Who else hears of it."""
    turnstile: Turnstile = attrs.field()
    """One for all listeners and over reloads, so that it counts right."""

    @turnstile.default
    def _own_turnstile(self) -> Turnstile:
        return Turnstile(self.throttle.clock, self.log)

    async def login_maildrop(self, attempt: Attempt) -> OpenedMaildrop:
        """Open the maildrop of whoever this is. Raises LoginTooSoon and MaildropInUse too, which count as no
        failure. The caller releases it, and then leaves."""
        entry = Entry(self.turnstile, attempt)
        try:
            avatar, granted, account = await self._login(
                attempt, entry, IMaildrop, lambda avatar: avatar.account
            )
        except BaseException:
            entry.leave()
            raise
        entry.succeeded(account.address)
        view = attempt.view
        terms = terms_of(account, attempt.rules, view.box)
        opened = OpenedMaildrop(cast(IMaildrop, avatar), granted, terms, view, entry.leave)
        if self.presence is None or view.box is not Box.INBOX:
            return opened
        return attrs.evolve(opened, fetched=partial(self.presence.fetched, account.address))

    async def login_submitter(self, attempt: Attempt) -> Granted:
        """Who this is."""
        _, granted, _ = await self._login(attempt, None, ISubmitter, lambda avatar: avatar.account.address)
        return granted

    async def prove_again(self, attempt: Attempt) -> Granted:
        """Who this is, of one that was granted before and whose proof is outdated since. Raises as
        login_submitter does, at once: it is no login, and so nothing is counted or remembered."""
        _, granted, _ = await self._enter(attempt, None, ISubmitter, lambda avatar: avatar.account.address)
        return granted

    async def objection(self, address: Address) -> str:
        """What speaks against somebody who need not prove who they are, in a word for the log; empty:
        nothing, or there is no such account. Raises what the directory raises."""
        account = await self.gate.directory.account(address)
        return "" if account is None else self.gate.objection(account, None, None)

    async def scram_parameters(
        self, question: ScramQuestion, rules: LoginRules, facts: ConnectionFacts
    ) -> ScramParameters:
        """For any name, whether or not there is such an account. Raises what the directory raises."""
        named = await self.gate.named(question.authcid, rules, facts.service)
        return self.gate.vault.scram_parameters(_known_as(question.authcid, named), question.hash)

    async def _login(
        self, attempt: Attempt, mind: object, wanted: type[Interface], account_of: Callable[[Any], Address]
    ) -> tuple[object, Granted, Account]:
        peer = attempt.facts.peer
        attempt.named = await self.gate.named(attempt.name, attempt.rules, attempt.facts.service)
        known_as = _known_as(attempt.name, attempt.named)
        await self.throttle.admit(peer, known_as)
        since = self.throttle.clock.seconds()
        try:
            avatar, granted, account = await self._enter(attempt, mind, wanted, account_of)
        except (UnauthorizedLogin, SecretsUnreadable):
            await self.throttle.penalty(peer, known_as, since)
            raise
        self.throttle.succeeded(peer, known_as)
        self._remember(attempt, granted)
        return avatar, granted, account

    async def _enter(
        self, attempt: Attempt, mind: object, wanted: type[Interface], account_of: Callable[[Any], Address]
    ) -> tuple[object, Granted, Account]:
        _, avatar, logout = await self.portal.login(attempt, mind, wanted)
        granted = attempt.granted or Granted(account_of(avatar))
        try:
            account = await self.gate.look_again(granted, attempt, attempt.stored)
        except BaseException:
            logout()
            raise
        return avatar, granted, account

    def _remember(self, attempt: Attempt, granted: Granted) -> None:
        facts, at = attempt.facts, self.now()
        device = granted.device.id if granted.device is not None else ""
        if facts.service in self.learn_from and not any(facts.peer in each for each in self.no_learn):
            self.tasks.start(self._record_sighting(attempt, granted.account, at, device))
        record = LoginRecord(granted.account, device, facts.service, attempt.mechanism, facts.peer, at)
        if self.presence is not None:
            self.presence.came(record)
        self.tasks.start(self._record_login(attempt, granted, record))

    async def _record_sighting(self, attempt: Attempt, account: Address, at: float, device: str) -> None:
        try:
            await self.sightings.record(account, attempt.facts.peer, at, device, attempt.facts.service)
        except MailFailure as failure:
            self._log(attempt, account).warning("sighting.lost", reason=failure.reason)

    async def _record_login(self, attempt: Attempt, granted: Granted, record: LoginRecord) -> None:
        if self.presence is not None:
            await self.presence.look_at(record, granted.device.name if granted.device is not None else "")
        try:
            await self.logins.record(record)
        except MailFailure as failure:
            self._log(attempt, record.account).warning("login.unrecorded", reason=failure.reason)

    def _log(self, attempt: Attempt, account: Address) -> Log:
        return self.log.bind(session=attempt.facts.session, account=account)


def _known_as(name: str, named: Named | None) -> str:
    """What a name counts as: the account, whichever box is meant, where it can be one, else the name itself,
    folded."""
    return str(named.address) if named is not None else name.casefold()
