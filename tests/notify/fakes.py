"""What the tests of the notifier share: an account directory, sightings and a channel under control."""

from __future__ import annotations

import itertools
from ipaddress import ip_address

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailsuite.interfaces import IKnocker, ISightings
from mailsuite.model.account import Account, Domain, IPAddress, NotifyPreference, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import NO_ANSWER, NOBODY_LISTENS

HOME = ip_address("198.41.0.4")
AWAY = ip_address("2a00:1450::7")


def account(
    name: str = "joe",
    state: NotifyState | None = NotifyState.LAST_IP,
    address: IPAddress | None = None,
    port: int = 79,
) -> Account:
    return Account(Address(name, "example.net"), notify=NotifyPreference(state, address, port))


@attrs.define
class Accounts:
    """The two methods of IAccountDirectory that the notifier calls; ``gate`` makes it wait."""

    by_address: dict[Address, Account] = attrs.field(factory=dict)
    domains: dict[str, Domain] = attrs.field(factory=dict)
    asked: list[Address] = attrs.field(factory=list)
    failure: Exception | None = None
    gate: Deferred[None] | None = None

    def put(self, *accounts: Account) -> None:
        for each in accounts:
            self.by_address[each.address] = each

    async def account(self, address: Address) -> Account | None:
        self.asked.append(address)
        if self.gate is not None:
            gate, self.gate = self.gate, None
            await gate
        if self.failure is not None:
            raise self.failure
        return self.by_address.get(address)

    async def domain(self, name: str) -> Domain | None:
        return self.domains.get(name)


@implementer(ISightings)
@attrs.define
class Sightings:
    seen: dict[Address, tuple[IPAddress, float]] = attrs.field(factory=dict)
    asked: int = 0

    by_device: dict[tuple[Address, str], tuple[IPAddress, float]] = attrs.field(factory=dict)

    async def record(
        self, account: Address, peer: IPAddress, at: float, device: str = "", via: str = ""
    ) -> None:
        self.seen[account] = self.by_device[account, device] = (peer, at)

    async def last(self, account: Address, since: float, device: str | None = None) -> IPAddress | None:
        self.asked += 1
        peer, at = self.seen.get(account, (None, 0.0))
        if device is not None:
            peer, at = self.by_device.get((account, device), (None, 0.0))
        return peer if at >= since else None

    async def seen_from(self, account: Address, peer: IPAddress, since: float) -> bool:
        places = [at for (who, _), (where, at) in self.by_device.items() if (who, where) == (account, peer)]
        return any(at >= since for at in places)


@attrs.define(eq=False)
class Knock:
    """One knock under way; the test says how it ends."""

    number: int
    peer: IPAddress
    port: int
    at: float
    done: Deferred[str]
    cancelled: bool = False

    def sent(self) -> None:
        self.done.callback("sent")

    def answered(self) -> None:
        self.done.callback("answered")

    def refused(self) -> None:
        self.done.errback(PermanentFailure(NOBODY_LISTENS))

    def timed_out(self) -> None:
        self.done.errback(TemporaryFailure(NO_ANSWER))


@implementer(IKnocker)
@attrs.define(eq=False)
class Channel:
    """Records knocks, and checks as it goes that there is never a second one at the same door."""

    clock: IReactorTime
    name: str = "recorder"
    knocks: list[Knock] = attrs.field(factory=list)
    open: list[Knock] = attrs.field(factory=list)
    most_open: int = 0
    at_once: str | None = None
    """The outcome of knocks that need no time, if set."""
    numbers: itertools.count[int] = attrs.field(factory=itertools.count)

    async def knock(self, peer: IPAddress, port: int) -> str:
        def cancel(done: Deferred[str]) -> None:
            record.cancelled = True

        if self.at_once is not None:
            return self.at_once
        assert (peer, port) not in {(each.peer, each.port) for each in self.open}
        record = Knock(next(self.numbers), peer, port, self.clock.seconds(), Deferred(cancel))
        self.knocks.append(record)
        self.open.append(record)
        self.most_open = max(self.most_open, len(self.open))
        try:
            return await record.done
        finally:
            self.open.remove(record)
