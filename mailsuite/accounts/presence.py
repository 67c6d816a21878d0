"""What the owner of an account does, for those who tell people of things: comes, perhaps from somewhere new,
and fetches mail.

Nobody who logs in or reads mail waits for any of it, and nothing that goes wrong here harms them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import ILogins, INoticeIntake
from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.login import LoginRecord
from mailsuite.model.notice import Happening, Kind
from mailsuite.observe.log import Log

PLACE_V4: Final = 24
"""Bits of an address that make a place: what a provider gives to one neighbourhood ..."""
PLACE_V6: Final = 64
"""... and to one home (RFC 6177 section 2 has it at least so large)."""
MAX_PLACES: Final = 20_000
"""Remembered, of which nothing has to be asked; about 8 MB."""
FETCHED_AFTER: Final = 0.1
"""Seconds in which what is fetched is gathered: a program that fetches much has it written down in one go."""
MAX_FETCHED: Final = 10_000
"""Messages that are gathered; of more nobody is told, and notices of them stay where they are."""

Place = IPv4Network | IPv6Network


def _nobody_counts(login: LoginRecord) -> None:
    """Where it makes no difference."""


@attrs.define(eq=False)
class Presence:
    """One for a server, over reloads. *tasks* owns what is under way."""

    intake: INoticeIntake
    logins: ILogins
    clock: IReactorTime
    now: Callable[[], float]
    """Seconds since the epoch."""
    tasks: Tasks
    log: Log
    came: Callable[[LoginRecord], None] = _nobody_counts
    """Is told of each login that succeeded. Raises nothing."""
    _places: OrderedDict[tuple[Address, Place], None] = attrs.field(factory=OrderedDict, init=False)
    """Where accounts that are followed have logged in, the newest last."""
    _fetched: dict[tuple[Address, str], None] = attrs.field(factory=dict, init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)

    async def look_at(self, login: LoginRecord, device: str = "") -> None:
        """Tell the owner of a login from where this account never logged in, as far as is remembered; the
        first of all is none. To be called before it is recorded; *device* is its name. Raises nothing but
        its own cancellation."""
        if not await self.intake.followed([login.account]):
            return
        place = login.account, place_of(login.peer)
        if place in self._places:
            self._places.move_to_end(place)
            return
        self._places[place] = None  # whoever comes twice at once is new once
        if len(self._places) > MAX_PLACES:
            self._places.popitem(last=False)
        try:
            known = await self.logins.of(login.account)
        except MailFailure as failure:
            self._places.pop(place, None)
            self.log.warning("login.unjudged", account=login.account, reason=failure.reason)
            return
        if known and all(place_of(each.peer) != place[1] for each in known):
            await self._tell(login, device)

    def fetched(self, account: Address, uidl: str) -> None:
        """The owner has this message, or has deleted it."""
        if len(self._fetched) < MAX_FETCHED:
            self._fetched[account, uidl] = None
        if self._timer is None:
            self._timer = self.clock.callLater(FETCHED_AFTER, self._hand_over)

    def forget(self, account: Address) -> None:
        """Whoever has the address next is somebody else."""
        for place in [place for place in self._places if place[0] == account]:
            del self._places[place]

    def stop(self) -> None:
        """Hand over what was gathered; ``tasks`` has it then."""
        if self._timer is not None:
            self._timer.cancel()
            self._hand_over()

    def _hand_over(self) -> None:
        fetched, self._fetched, self._timer = self._fetched, {}, None
        at = self.now()
        happenings = [Happening(account, Kind.MAIL_CLEARED, at, uidl) for account, uidl in fetched]
        self.tasks.start(self.intake.happened(happenings))

    async def _tell(self, login: LoginRecord, device: str) -> None:
        by = f" by the password of {device}" if device else ""
        detail = f"{login.service} login from {unmapped(login.peer)}{by}, where nobody has logged in before"
        self.log.info("login.new_place", account=login.account, service=login.service, peer=login.peer)
        await self.intake.happened([Happening(login.account, Kind.LOGIN_NEW, login.at, detail=detail)])


def place_of(peer: IPAddress) -> Place:
    """The network that counts as one place."""
    address = unmapped(peer)
    return ip_network((address, PLACE_V4 if address.version == 4 else PLACE_V6), strict=False)
