"""Whose an address is: from which ones an account may send (features row U-03, RFC 6409 section 6.1)."""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import MAX_NESTING
from mailsuite.model.alias_patterns import expand

MAX_LOOKED_UP: Final = 500
"""Addresses that are looked up for one question. Who is deeper in larger lists is named in send_as."""
ANYBODY: Final = "*"
"""As local part in Account.send_as: all of the domain."""


@attrs.frozen(eq=False)
class Ownership:
    """Goes by what the directory holds at this moment, as the router does: who gets the mail for an address
    may send from it.

    So an account owns its own address, the aliases that lead to it in the end, and each of these with a tag
    or in a domain that is the same; and beside them what it was given by send_as. An address that is
    somebody else's account, or leads elsewhere, is nobody's for looking like a tag. A catch-all gives
    nothing: all of a domain is ``*@example.net`` in send_as.
    """

    directory: IAccountDirectory
    delimiters: str = "+"
    """Characters that may begin a tag, where the domain says nothing."""

    async def owns(self, account: Address, address: Address) -> bool:
        """Whether *account* may send from *address*. Fails as the directory does."""
        wanted, own = address.canonical, account.canonical
        if wanted == own:
            return True
        found = await self.directory.account(own)
        if found is None or not wanted.domain:
            return False
        search = _Search(self.directory, self.delimiters)
        return await self._given(search, found, wanted) or await search.leads(wanted, own)

    async def _given(self, search: _Search, account: Account, wanted: Address) -> bool:
        """By send_as, tags and domains that are the same included."""
        if not account.send_as:
            return False
        names = {wanted, *await search.spellings(wanted)}
        for given in account.send_as:
            home = await search.home(given.canonical)
            if given.local == ANYBODY:
                if any(name.domain in {given.domain, home.domain} for name in names):
                    return True
            elif given.canonical in names or home in names:
                return True
        return False


@attrs.define(eq=False)
class _Search:
    """One question: what it has learnt of domains, and where it has been."""

    directory: IAccountDirectory
    delimiters: str
    _domains: dict[str, Domain | None] = attrs.field(factory=dict, init=False)
    _looked_up: int = attrs.field(default=0, init=False)

    async def leads(self, start: Address, account: Address) -> bool:
        """Whether mail for *start* reaches *account* by aliases."""
        goal = await self.home(account)
        seen, level = {start}, [start]
        for _ in range(MAX_NESTING + 1):
            homes = [await self.home(each) for each in level]
            if goal in homes:
                return True
            following: list[Address] = []
            for each in homes:
                if self._looked_up >= MAX_LOOKED_UP:
                    return False
                following += await self._next(each, goal)
            level = [each for each in dict.fromkeys(following) if each not in seen]
            seen.update(level)
        return False

    async def home(self, address: Address) -> Address:
        """The same address in the domain that its domain is the same as."""
        name = address.domain
        for _ in range(MAX_NESTING):
            domain = await self._domain(name)
            if domain is None or not domain.same_as:
                break
            name = domain.same_as
        return Address(address.local, name)

    async def spellings(self, address: Address) -> tuple[Address, ...]:
        """An address of ours at home, and without its tag where no account and no alias has that name; of
        others as it is."""
        home = await self.home(address)
        domain = await self._domain(home.domain)
        if domain is None or await self._exists(home):
            return (home,)
        return home, self._without_tag(home, domain)

    async def _next(self, address: Address, goal: Address) -> tuple[Address, ...]:
        """Where mail for an address at home goes on to; nowhere where it is an account, or not ours."""
        domain = await self._domain(address.domain)
        if domain is None:
            return ()
        for name in dict.fromkeys((address, self._without_tag(address, domain))):
            self._looked_up += 1
            if name == goal:
                return (goal,)
            if await self.directory.account(name) is not None:
                return ()
            alias = await self.directory.alias(name)
            if alias is not None:
                return tuple(target.canonical for target in alias.targets)
        return _by_pattern(address, domain)

    async def _exists(self, address: Address) -> bool:
        account, alias = await self.directory.account(address), await self.directory.alias(address)
        return account is not None or alias is not None

    async def _domain(self, name: str) -> Domain | None:
        if name not in self._domains:
            self._domains[name] = await self.directory.domain(name)
        return self._domains[name]

    def _without_tag(self, address: Address, domain: Domain) -> Address:
        delimiters = self.delimiters if domain.delimiters is None else domain.delimiters
        for at, character in enumerate(address.local):
            if at and character in delimiters:
                return Address(address.local[:at], address.domain)
        return address


def _by_pattern(address: Address, domain: Domain) -> tuple[Address, ...]:
    """Where the first pattern of the domain that fits leads to."""
    for pattern in domain.patterns:
        targets = expand(pattern, address.local, domain.name)
        if targets is not None:
            return tuple(target.canonical for target in targets if target is not None)
    return ()
