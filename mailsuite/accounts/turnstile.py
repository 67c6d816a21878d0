"""Who is right may still have to wait before his maildrop opens, or have another session ended first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from mailsuite.accounts.attempt import Attempt
from mailsuite.accounts.login_delay import LoginDelay
from mailsuite.interfaces import IMaildrop
from mailsuite.model.address import Address
from mailsuite.model.failure import AccountCrowded, LoginTooSoon, MaildropInUse
from mailsuite.model.view import Box, View
from mailsuite.observe.log import Log

TAKEOVER_PATIENCE: Final = 5.0
"""Seconds that a takeover waits for the maildrop; our limit, far below what a client waits for a reply."""
TAKEOVER_INTERVAL: Final = 0.1
"""Seconds from one look at the lock to the next."""

Opening = Callable[[Address, View], Awaitable[IMaildrop]]


def _nobody_to_displace(account: Address, view: View) -> bool:
    return False


@attrs.define(eq=False)
class Turnstile:
    """What all logins of the process share, over reloads: delays, counts, and the way to end a session."""

    clock: IReactorTime
    log: Log = attrs.field(factory=Log)
    displace: Callable[[Address, View], bool] = _nobody_to_displace
    """Ends the session of this account and view, what it marked as deleted stays; False where there is none
    in this process."""
    delay: LoginDelay = attrs.field(init=False)
    _places: Counter[Address] = attrs.field(factory=Counter, init=False)
    """Logins that are under way, and sessions until their maildrop is released."""
    _open: dict[Address, Counter[str]] = attrs.field(factory=dict, init=False)
    """Sessions in inboxes, by account and then by device."""

    def __attrs_post_init__(self) -> None:
        self.delay = LoginDelay(self.clock.seconds)

    def take_place(self, account: Address, limit: int) -> None:
        """Count one more. Raises AccountCrowded where there are *limit* already; 0: no limit."""
        if limit and self._places[account] >= limit:
            raise AccountCrowded
        self._places[account] += 1

    def is_open(self, account: Address, device: str | None = None) -> bool:
        """Whether somebody is in the inbox of this account, by the password of this device ("": the account's
        own); None: by any."""
        devices = self._open.get(account)
        return devices is not None and (device is None or device in devices)

    def opened(self, account: Address, device: str) -> None:
        """A session in the inbox has begun."""
        self._open.setdefault(account, Counter())[device] += 1

    def closed(self, account: Address, device: str) -> None:
        """It has ended."""
        devices = self._open[account]
        devices[device] -= 1
        if not devices[device]:
            del devices[device]
        if not devices:
            del self._open[account]

    def leave_place(self, account: Address) -> None:
        """The session has ended, or will be none."""
        self._places[account] -= 1
        if not self._places[account]:
            del self._places[account]


@attrs.define(eq=False)
class Entry:
    """One login from its proof on, to the end of its session; what twisted.cred calls the mind, for our
    realm. Whoever made it calls leave() when the maildrop is released, or none will be opened.
    """

    turnstile: Turnstile
    attempt: Attempt
    _account: Address | None = attrs.field(default=None, init=False)
    """Where it holds a place."""
    _inside: Address | None = attrs.field(default=None, init=False)
    """In whose inbox its session is."""
    _turn: int = attrs.field(default=0, init=False)

    async def open(self, account: Address, opening: Opening) -> IMaildrop:
        """Open the maildrop by *opening*, where it may be opened now.

        Raises LoginTooSoon, AccountCrowded, and what *opening* raises. Where the rules let it take over, the
        session in its way is ended, and the maildrop is tried for TAKEOVER_PATIENCE seconds.
        """
        turnstile, attempt = self.turnstile, self.attempt
        if self._is_delayed:
            delay = attempt.rules.login_delay_of(account.domain)
            self._judge(account, delay)
        deadline = turnstile.clock.seconds() + TAKEOVER_PATIENCE
        displaced = False
        while True:
            try:
                return await self._try(account, opening)
            except MaildropInUse:
                displaced = self._displace(account) or displaced
                if not displaced or turnstile.clock.seconds() >= deadline:
                    raise
            await deferLater(turnstile.clock, TAKEOVER_INTERVAL)

    def succeeded(self, account: Address) -> None:
        """The client is in: from now on its login delay counts."""
        if self._is_delayed:
            self._inside = account
            self.turnstile.opened(account, self._device)
        if self._is_delayed and self.attempt.rules.login_delay_of(account.domain):
            self.turnstile.delay.succeeded(account, self._device, self._turn)

    def leave(self) -> None:
        """Give the place back. Any number of times."""
        account, self._account = self._account, None
        if account is not None:
            self.turnstile.leave_place(account)
        inside, self._inside = self._inside, None
        if inside is not None:
            self.turnstile.closed(inside, self._device)

    @property
    def _is_delayed(self) -> bool:
        """Who brings mail back that he has lost is in no hurry again a minute later."""
        return self.attempt.view.box is Box.INBOX

    @property
    def _device(self) -> str:
        granted = self.attempt.granted
        return granted.device.id if granted is not None and granted.device is not None else ""

    @property
    def _log(self) -> Log:
        facts = self.attempt.facts
        return self.turnstile.log.bind(session=facts.session, service=facts.service, peer=facts.peer)

    def _judge(self, account: Address, delay: float) -> None:
        try:
            self._turn = self.turnstile.delay.judge(account, self._device, delay, self.attempt.facts.peer)
        except LoginTooSoon as failure:
            self._log.info("login.too_soon", account=account, device=self._device, left=round(failure.left))
            raise

    async def _try(self, account: Address, opening: Opening) -> IMaildrop:
        self.turnstile.take_place(account, self.attempt.rules.max_sessions)
        self._account = account
        try:
            return await opening(account, self.attempt.view)
        except BaseException:
            self.leave()
            raise

    def _displace(self, account: Address) -> bool:
        view = self.attempt.view
        if not self.attempt.rules.takeover or not self.turnstile.displace(account, view):
            return False
        self._log.info("login.takeover", account=account, device=self._device, box=view.box.value)
        return True
