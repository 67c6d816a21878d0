"""Recipient -> route: whose maildrop, elsewhere, or nowhere.

Only the account directory says what is local. The local part is never taken apart: no percent hack, no
bang path, no source route (RFC 5321 sections 3.6.1 and C), so there is nothing in it to relay by.

Forwarding (features row S-A12) ends in maildrops of ours or nowhere, until there is an outbound queue. No
message is lost by it:

- Two accounts that keep copies and forward to each other get one copy each.
- Where the way goes in a circle, is too long, or ends at somebody who is unknown, off or elsewhere, the
  message stays with those on the way who keep a copy.
- Where nobody does, the recipient is refused for now: the sender keeps the message, and hears of it if
  nobody mends the forwarding for days. A message put into the maildrop of somebody who has mail forwarded
  would look delivered, and perhaps never be read.
"""

from __future__ import annotations

import attrs

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import MAX_FORWARDS, Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.facts import Copy, Route, RouteKind

ROLES = frozenset({"postmaster", "abuse"})
"""Names that every domain must read (RFC 5321 section 4.5.1, RFC 2142 section 2)."""

_UNKNOWN = Route(RouteKind.UNKNOWN)
_REMOTE = Route(RouteKind.REMOTE)


@attrs.frozen
class Router:
    """Routes by what the directory holds at this moment.

    *admin* reads the mail of the roles that have no account of their own (docs/adr/0010-role-addresses.md);
    *hostname* is the domain of the bare ``<postmaster>``.
    """

    directory: IAccountDirectory
    hostname: str
    admin: Address | None = None

    async def route(self, recipient: Address) -> Route:
        """Where mail for *recipient* goes. Fails as the directory does."""
        wanted = recipient.canonical
        if _is_literal(wanted):
            return _REMOTE
        bare = not wanted.domain
        if bare:
            if wanted.local != "postmaster":
                return _UNKNOWN
            wanted = Address(wanted.local, self.hostname)
        account = await self.directory.account(wanted)
        if account is None:
            if not bare and not await self.directory.has_domain(wanted.domain):
                return _REMOTE
            account = await self._role(wanted)
        return _UNKNOWN if account is None else await self._follow(account)

    async def _role(self, wanted: Address) -> Account | None:
        """Who reads the mail of a role in a domain of ours: the admin, where that is one of our accounts."""
        if wanted.local not in ROLES or self.admin is None:
            return None
        return await self.directory.account(self.admin.canonical)

    async def _follow(self, account: Account) -> Route:
        """Where mail for an account goes in the end, by way of those that it is forwarded to."""
        way, takers = [account.address], list[Address]()
        while account.state is AccountState.FORWARD:
            if account.keep_copy:
                takers.append(account.address)
            target = await self._target(account)
            if target is None or target.state is AccountState.OFF:
                return _ended(RouteKind.STRANDED, takers, account)
            if target.address in way and takers:  # all on the way who want it have it
                return _local(takers)
            if target.address in way or len(way) > MAX_FORWARDS:
                return _ended(RouteKind.LOOP, takers, account)
            way.append(target.address)
            account = target
        if account.state is AccountState.OFF:
            return Route(RouteKind.OFF)
        return _local([*takers, account.address])

    async def _target(self, account: Account) -> Account | None:
        """Whom of ours an account forwards to."""
        if account.forward is None or _is_literal(account.forward):
            return None
        wanted = account.forward.canonical
        target = await self.directory.account(wanted)
        if target is None and await self.directory.has_domain(wanted.domain):
            return await self._role(wanted)
        return target


def _ended(kind: RouteKind, takers: list[Address], account: Account) -> Route:
    """The way ends behind *account*, where nobody is."""
    return attrs.evolve(_local(takers) if takers else Route(kind), dead_end=account.address)


def _local(takers: list[Address]) -> Route:
    return Route(RouteKind.LOCAL, tuple(Copy(taker, taker) for taker in takers))


def _is_literal(address: Address) -> bool:
    return address.domain.startswith("[")
