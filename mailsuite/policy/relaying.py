"""Mail for other servers: from whom it is taken (features rows S-A13, S-I09, S-M16)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import ClassVar, Final

import attrs
from zope.interface import implementer

from mailsuite.config.kinds_next_hops import NO_DOMAINS, Matches
from mailsuite.config.kinds_relaying import RelayMode
from mailsuite.interfaces import IPolicyRule
from mailsuite.model.access import unmapped, unmapped_network
from mailsuite.model.account import IPAddress
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.device import IPNetwork
from mailsuite.model.facts import Accept, ConnectionFacts, Refuse, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reach import Reach, reach
from mailsuite.model.reply import (
    INTERNAL_ERROR,
    NO_MAIL_DOMAIN,
    NO_REMOTE_DELIVERY,
    RELAYING_DENIED,
    ROUTE_IN_ADDRESS,
    UNKNOWN_RECIPIENT,
    Reply,
)
from mailsuite.model.sender_list import SenderSet
from mailsuite.model.tags import splits

RELAYING_SERVICES: Final = frozenset({"smtp", "submission"})
"""LMTP never relays (RFC 2033 section 1)."""

_ROUTING: Final = frozenset("%!@")
"""What the first part of an address has where another address stands in it: percent hack, bang path, and
what is quoted to hide an @."""


def _unmapped_all(networks: tuple[IPNetwork, ...]) -> tuple[IPNetwork, ...]:
    return tuple(map(unmapped_network, networks))


@attrs.frozen
class RelayRules:
    """Who may send to other servers through a door without logging in. What somebody says of themselves, in
    HELO or as sender, never counts."""

    mode: RelayMode = "nobody"
    networks: tuple[IPNetwork, ...] = attrs.field(default=(), converter=_unmapped_all)
    """For the mode "addresses"."""
    domains: Matches = NO_DOMAINS
    """Elsewhere; whoever comes by SMTP may bring mail for them."""
    delimiters: str = "+"
    """Of tags, in the names there."""

    def lists(self, peer: IPAddress) -> bool:
        """Whether *peer* may. An IPv4-mapped IPv6 address is the IPv4 address it means."""
        if self.mode == "addresses":
            plain = unmapped(peer)
            return any(plain in network for network in self.networks)
        return self.mode == "anyone"

    def expects(self, recipient: Address, exist: SenderSet) -> bool:
        """Whether a stranger's mail for *recipient* is worth taking where these *exist*. A postmaster is
        everywhere (RFC 5321 section 4.5.1)."""
        plain = recipient.canonical
        if self.mode == "anyone" or plain.local == POSTMASTER.local or plain in exist:
            return True
        names = (name for name, _ in splits(plain.local, self.delimiters))
        return any(Address(name, plain.domain) in exist for name in names)

    @property
    def are_known(self) -> bool:
        """Whether somebody has said who they are that it lists; an open relay knows nobody."""
        return self.mode == "addresses"


NOBODY: Final = RelayRules()


@implementer(IPolicyRule)
@attrs.frozen
class Relaying:
    """Refuses a recipient whose mailbox is elsewhere, but from hosts that are listed and from whoever logged
    in at a submission service (DESIGN section 2, promise 4); and, from anybody, in the domains that are
    listed (row Q-11), for those who are known to exist there. Who brings such mail is a stranger, and nobody
    vouches for him.

    From all of them no address is taken that asks another server to relay, or that leads nowhere but back to
    us. An address literal (RFC 5321 section 4.1.3) is taken where it is one of the Internet, or of a listed
    host: nobody has this server connect within a network that is none of theirs. Where nothing is sent to
    other servers at all (*sends* is False) they are told so.
    """

    rules: RelayRules = NOBODY
    sends: bool = False
    hostname: str = ""
    """Our own name; mail for it is not for another server, even where it is no domain of ours."""
    is_own: Callable[[IPAddress], bool] = lambda address: False
    """Whether an address is this machine's."""
    exist: Callable[[], SenderSet | None] = lambda: None
    """Who exists in the domains of the rules just now; None: nobody knows."""
    name: str = "relaying"
    asked_at: ClassVar = frozenset({Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is not Stage.RECIPIENT:
            return Accept()
        if facts.route is None or facts.recipient is None:
            return Refuse(INTERNAL_ERROR)
        if facts.route.kind is not RouteKind.REMOTE:
            return Accept()
        is_known = self._knows(facts.connection)
        if not is_known and not self._is_for_all(facts.connection, facts.recipient):
            return Refuse(RELAYING_DENIED)
        trick = self._trick(facts.recipient)
        if trick is not None:
            return Refuse(trick)
        if not self.sends:
            return Refuse(NO_REMOTE_DELIVERY)
        exist = None if is_known else self.exist()
        if exist is not None and not self.rules.expects(facts.recipient, exist):
            return Refuse(UNKNOWN_RECIPIENT)
        return Accept(vouched=is_known)

    def _knows(self, connection: ConnectionFacts) -> bool:
        """Whether it has logged in, or is of a network that is listed."""
        if connection.service not in RELAYING_SERVICES:
            return False
        return _has_logged_in(connection) or (self.rules.are_known and self.rules.lists(connection.peer))

    def _is_for_all(self, connection: ConnectionFacts, recipient: Address) -> bool:
        """Whether nobody has to be known who brings mail for that recipient."""
        if connection.service not in RELAYING_SERVICES:
            return False
        if self.rules.mode == "anyone":
            return True
        return connection.service == "smtp" and self.rules.domains.covers(recipient.domain)

    def _trick(self, recipient: Address) -> Reply | None:
        """What an address is refused with that is none of a mailbox on another server."""
        if not _ROUTING.isdisjoint(recipient.local):
            return ROUTE_IN_ADDRESS
        domain = recipient.domain
        if domain.startswith("["):
            return None if self._reaches(ip_address(domain[1:-1].removeprefix("IPv6:"))) else NO_MAIL_DOMAIN
        return NO_MAIL_DOMAIN if domain == self.hostname or not _is_of_the_world(domain) else None

    def _reaches(self, literal: IPAddress) -> bool:
        """Whether mail may be sent straight to that address."""
        plain = unmapped(literal)
        if plain.is_loopback or plain.is_unspecified or self.is_own(plain):
            return False
        return reach(plain) is Reach.GLOBAL or (self.rules.are_known and self.rules.lists(plain))


def _has_logged_in(connection: ConnectionFacts) -> bool:
    return connection.service == "submission" and connection.account is not None


def _is_of_the_world(domain: str) -> bool:
    """Whether a mail exchanger can be looked up for it: no name of this network alone, and no address that
    forgot its brackets (RFC 3696 section 2: no top-level domain is a number)."""
    first, dot, last = domain.rpartition(".")
    return bool(first and dot) and not last.isdigit()
