"""Whose an address is: from which ones an account may send (features row U-03, RFC 6409 section 6.1)."""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import ROLES, Address
from mailsuite.model.alias import MAX_NESTING
from mailsuite.model.alias_patterns import expand
from mailsuite.model.tags import splits

MAX_LOOKED_UP: Final = 1000
"""Addresses that are looked up for one question. Who is deeper in larger lists is named in send_as."""
ANYBODY: Final = "*"
"""As local part in Account.send_as: all of the domain."""


@attrs.frozen(eq=False)
class Ownership:
    """Goes by what the directory holds at this moment, and by the order in which mail is routed: who gets the
    mail for an address may send from it.

    So an account owns its own address, the aliases that lead to it in the end, and each of these with a tag
    or in a domain that is the same; and beside them what it was given by send_as. An address that is
    somebody else's account, or leads elsewhere, is nobody's for looking like a tag. A catch-all gives
    nothing: all of a domain is ``*@example.net`` in send_as.
    """

    directory: IAccountDirectory
    delimiters: str = "+"
    """Characters that may begin a tag, where the domain says nothing."""
    admin: Address | None = None
    """Who reads the mail of the roles."""

    async def owns(self, account: Address, address: Address) -> bool:
        """Whether *account* may send from *address*. Fails as the directory does."""
        wanted, own = address.canonical, account.canonical
        if wanted == own:
            return True
        found = await self.directory.account(own)
        if found is None or not wanted.domain:
            return False
        search = _Search(self.directory, self.delimiters, self.admin)
        first = await search.look(wanted)
        return _is_given(found, first.names) or await search.leads(first, own)


def _is_given(account: Account, names: tuple[Address, ...]) -> bool:
    """Whether one of these is among send_as."""
    given = frozenset(account.send_as)
    return any(name in given or Address(ANYBODY, name.domain) in given for name in names)


@attrs.frozen
class _Looked:
    """What stands behind a name, before any alias is followed."""

    names: tuple[Address, ...]
    """The name, in domains that are the same, and without tags; up to the one that exists."""
    account: Address | None = None
    targets: tuple[Address, ...] = ()


@attrs.define(eq=False)
class _Search:
    """One question: what it has learnt of domains, and how much it has looked up."""

    directory: IAccountDirectory
    delimiters: str
    admin: Address | None
    _domains: dict[str, Domain | None] = attrs.field(factory=dict, init=False)
    _looked_up: int = attrs.field(default=0, init=False)

    async def leads(self, first: _Looked, goal: Address) -> bool:
        """Whether mail reaches the account *goal* by aliases."""
        if first.account == goal:
            return True
        seen, level = set(first.names), first.targets
        for _ in range(MAX_NESTING):
            if goal in level:
                return True
            following: list[Address] = []
            for target in level:
                if target in seen:
                    continue
                if self._looked_up >= MAX_LOOKED_UP:
                    return False
                seen.add(target)
                looked = await self.look(target)
                if looked.account == goal:
                    return True
                following += looked.targets
            level = tuple(following)
        return False

    async def look(self, name: Address) -> _Looked:
        """Look a canonical name up as mail for it would be."""
        names = [name]
        domain = await self._domain(name.domain)
        while domain is not None:
            found = await self._exact(names)
            if found is not None:
                return found
            if not domain.same_as:
                return await self._otherwise(names, domain)
            name = Address(name.local, domain.same_as)
            if name in names:
                break
            names.append(name)
            domain = await self._domain(name.domain)
        return _Looked(tuple(names))

    async def _exact(self, names: list[Address]) -> _Looked | None:
        """Where the last of these exists, what it is."""
        self._looked_up += 1
        account = await self.directory.account(names[-1])
        if account is not None:
            return _Looked(tuple(names), account.address)
        alias = await self.directory.alias(names[-1])
        if alias is None:
            return None
        return _Looked(tuple(names), None, tuple(target.canonical for target in alias.targets))

    async def _otherwise(self, names: list[Address], domain: Domain) -> _Looked:
        """A role, a name with a tag, or a pattern."""
        name = names[-1]
        if name.local in ROLES and self.admin is not None:
            return _Looked(tuple(names), None, (self.admin.canonical,))
        for head, _ in splits(
            name.local, self.delimiters if domain.delimiters is None else domain.delimiters
        ):
            names.append(Address(head, name.domain))
            found = await self._exact(names)
            if found is not None:
                return found
        for pattern in domain.patterns:
            targets = expand(pattern, name.local, domain.name)
            if targets is not None:
                found_ones = tuple(target.canonical for target in targets if target is not None)
                return _Looked(tuple(names), None, found_ones)
        return _Looked(tuple(names))

    async def _domain(self, name: str) -> Domain | None:
        if name not in self._domains:
            self._domains[name] = await self.directory.domain(name)
        return self._domains[name]
