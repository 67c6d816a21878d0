"""Whom to knock at for an account: its preference, its subscriptions, its logins, and what the rules allow.

A target comes from the account's own setting, from a subscription of it, or from the address of an
authenticated session of that account; never from a message.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from mailsuite.interfaces import ISightings
from mailsuite.model.access import unmapped
from mailsuite.model.account import Account, IPAddress, NotifyPreference, NotifyState
from mailsuite.model.reach import IPNetwork, Reach, reach
from mailsuite.model.subscription import OWN_PASSWORD, Subscription
from mailsuite.notify.addresses import is_own_address
from mailsuite.notify.listeners import Listener, Transport, read_listener
from mailsuite.wire.finger import PORT

PROVED_FOR = 30 * 86400.0
"""Seconds for which a login from an address shows that the account's owner may name it."""
BY_LEAVE = "leave"
"""The option of a subscription that an administrator made, who may name any address."""


@attrs.frozen
class TargetRules:
    """Which targets are chosen and allowed: ``[notify]`` and ``[notify.notifymail]``."""

    default_state: NotifyState = NotifyState.OFF
    """For accounts that say nothing."""
    last_ip_expiry: float = 24 * 3600.0
    """Seconds after which a last login is forgotten: its address may belong to a stranger by now."""
    ports: frozenset[int] = frozenset({PORT})
    """Ports that an account may name."""
    allow_networks: tuple[IPNetwork, ...] = ()
    """Private and loopback networks that an account may name."""
    udp: bool = False
    """Whether UDP may be chosen."""
    is_own: Callable[[IPAddress], bool] = is_own_address
    """Whether an address is this machine's: judged like loopback."""


@attrs.frozen
class Target:
    """A listener: the unit of coalescing, of budgets and of failures, for all accounts that share it."""

    address: IPAddress
    port: int
    transport: Transport = "tcp"

    def __str__(self) -> str:
        where = str(Listener(self.address, self.port))
        return where if self.transport == "tcp" else f"{where}/{self.transport}"


class Untold(enum.Enum):
    """Why there is nobody to knock at."""

    OFF = "off"
    NOT_SEEN = "no login from anywhere in time"
    PORT_REFUSED = "the port is not allowed"
    ADDRESS_REFUSED = "the address is not allowed"
    UDP_REFUSED = "UDP is not allowed"
    UNPROVED = "no login from that address in time"


def wants_notice(account: Account, rules: TargetRules) -> bool:
    """Whether the account's state is anything but off."""
    return (account.notify.state or rules.default_state) is not NotifyState.OFF


async def choose_target(
    account: Account, rules: TargetRules, sightings: ISightings, now: float
) -> Target | Untold:
    """The one target of this account at the moment *now* (seconds since the epoch), or why there is none.

    Raises what the sightings raise.
    """
    preference = account.notify
    state = preference.state or rules.default_state
    if state is NotifyState.OFF:
        return Untold.OFF
    if preference.port not in rules.ports:
        return Untold.PORT_REFUSED
    if state is NotifyState.STATIC and preference.address is not None:
        address = unmapped(preference.address)
        allowed = may_be_named(address, rules)
    else:
        seen = await sightings.last(account.address, now - rules.last_ip_expiry)
        if seen is None:
            return Untold.NOT_SEEN
        address = unmapped(seen)
        allowed = may_be_learnt(address, rules)
    return Target(address, preference.port) if allowed else Untold.ADDRESS_REFUSED


async def choose_subscribed(
    subscription: Subscription, rules: TargetRules, sightings: ISightings, now: float
) -> Target | Untold:
    """The target of a subscription whose channel is notifymail, or why there is none. Raises what the
    sightings raise."""
    listener = read_listener(subscription.target)
    transport: Transport = "udp" if subscription.options.get("transport") == "udp" else "tcp"
    if listener.port not in rules.ports:
        return Untold.PORT_REFUSED
    if transport == "udp" and not rules.udp:
        return Untold.UDP_REFUSED
    address = listener.address
    if address is None:
        device = None if subscription.device == OWN_PASSWORD else subscription.device
        seen = await sightings.last(subscription.account, now - rules.last_ip_expiry, device)
        if seen is None:
            return Untold.NOT_SEEN
        address = unmapped(seen)
        allowed = may_be_learnt(address, rules)
    else:
        since = now - PROVED_FOR
        proved = BY_LEAVE in subscription.options or subscription.created >= since  # as naming.py saw it then
        proved = proved or await sightings.seen_from(subscription.account, address, since)
        if not proved:
            return Untold.UNPROVED
        allowed = may_be_named(address, rules)
    return Target(address, listener.port, transport) if allowed else Untold.ADDRESS_REFUSED


def may_be_named(address: IPAddress, rules: TargetRules) -> bool:
    """Whether a static target may stand at this address. For setting it as well as for using it."""
    address = unmapped(address)
    verdict = reach(address)
    if verdict is Reach.GLOBAL and not rules.is_own(address):
        return True
    return verdict is not Reach.NEVER and _by_leave(address, rules)


def objection(preference: NotifyPreference, rules: TargetRules) -> str:
    """Why this preference would never lead to a knock, in words for whoever sets it; empty: it may."""
    if (preference.state or rules.default_state) is NotifyState.OFF:
        return ""
    return objection_to_naming(preference.address, preference.port, rules)


def objection_to_naming(address: IPAddress | None, port: int, rules: TargetRules) -> str:
    """Why nobody would ever be knocked at there, likewise; None is the address of the last login."""
    if port not in rules.ports:
        allowed = ", ".join(map(str, sorted(rules.ports)))
        return f"port {port} is none of notify.notifymail.ports ({allowed})"
    if address is None or may_be_named(address, rules):
        return ""
    if reach(unmapped(address)) is Reach.NEVER:
        return f"{address} is never knocked at: it is no address of a user's computer"
    return f"{address} is local; for notices to go there, add it to notify.allow_networks"


def may_be_learnt(address: IPAddress, rules: TargetRules) -> bool:
    """Whether the address of a login may be knocked at: that session's handshake proved the way.

    A login from this machine is webmail or a fetching program, not a user's computer; it takes the
    administrator's leave, like a static target there.
    """
    if reach(address) is Reach.NEVER:
        return False
    return not (address.is_loopback or rules.is_own(address)) or _by_leave(address, rules)


def _by_leave(address: IPAddress, rules: TargetRules) -> bool:
    return any(address in network for network in rules.allow_networks)
