"""Recipient -> route: whose maildrop, elsewhere, or nowhere.

Only the account directory says what is local. The local part is never taken apart: no percent hack, no
bang path, no source route (RFC 5321 sections 3.6.1 and C), so there is nothing in it to relay by.
"""

from __future__ import annotations

import attrs

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.address import Address
from mailsuite.model.facts import Route, RouteKind

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
        if wanted.domain.startswith("["):
            return _REMOTE
        bare = not wanted.domain
        if bare:
            if wanted.local != "postmaster":
                return _UNKNOWN
            wanted = Address(wanted.local, self.hostname)
        if await self.directory.account(wanted) is not None:
            return Route(RouteKind.LOCAL, wanted)
        if not bare and not await self.directory.has_domain(wanted.domain):
            return _REMOTE
        return await self._role() if wanted.local in ROLES else _UNKNOWN

    async def _role(self) -> Route:
        """To the admin, where that is one of our accounts."""
        if self.admin is None or await self.directory.account(self.admin.canonical) is None:
            return _UNKNOWN
        return Route(RouteKind.LOCAL, self.admin.canonical)
