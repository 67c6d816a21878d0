"""What a name stands for: the order of the rules, and nothing of where they lead in the end.

An account of exactly this address, then an alias; the sender of what was forwarded (srs.py); the same in the
domain that this one stands for; who reads the mail of a role; the name before a tag (RFC 5233); a pattern;
whoever gets what is for nobody.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final, Literal

import attrs

from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.delivery.srs import SenderRewriting, Unreturnable
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import ROLES, Address
from mailsuite.model.alias_patterns import expand
from mailsuite.model.rate import Rate
from mailsuite.model.tags import splits

USUAL_RATE: Final = Rate(100, 3600.0)


@attrs.frozen
class RoutingRules:
    """What the server says where a domain says nothing."""

    delimiters: str = "+"
    """Characters that may stand between a name and its tag."""
    catch_all: tuple[Address, ...] = ()
    """Who gets mail for names that do not exist; none: it is refused."""
    catch_all_rate: Rate = USUAL_RATE
    """How much of it each domain takes."""
    rewrites: bool = True
    """Whether what leads elsewhere is sent by an address of ours, where its sender is not."""
    sends: bool = False
    """Whether mail for elsewhere can be taken: somebody sends it. Else it is a dead end."""


@attrs.frozen
class Person:
    """The name is that of an account."""

    account: Account
    tag: str = ""
    """As it was written, with the delimiter."""


@attrs.frozen
class Group:
    """The name stands for others."""

    by: Literal["alias", "return", "same-as", "role", "pattern", "catch-all"]
    key: Address
    """What is not walked through twice."""
    targets: tuple[Address | None, ...]
    """None is no address at all."""
    tag: str = ""
    what: str = ""
    """Which pattern, or which domain."""

    @property
    def is_passage(self) -> bool:
        """Whether who ends here is somebody whom the sender has named, in other words."""
        return self.by in {"same-as", "role"}


class End(enum.Enum):
    """There is nobody of ours behind it."""

    ELSEWHERE = "elsewhere"
    NOBODY = "nobody"
    LIMITED = "limited"
    UNRETURNABLE = "unreturnable"
    """It would be the sender of something forwarded, and is forged or too old."""


Found = Person | Group | End


@attrs.frozen
class Names:
    """Answers by what the directory holds at this moment. Fails as it does."""

    directory: IAccountDirectory
    rules: RoutingRules
    admin: Address | None
    limits: CatchAllLimits | None
    """None: nothing is counted, and nothing is limited."""
    rewriting: SenderRewriting | None = None
    """None: nobody's address is rewritten."""

    async def find(self, name: Address, bare: bool = False) -> Found:
        """What stands behind a name. *bare*: the sender gave no domain, so it need not be ours."""
        wanted = name.canonical
        if is_literal(wanted):
            return End.ELSEWHERE
        if not wanted.domain:
            return End.NOBODY
        domain = await self.directory.domain(wanted.domain)
        if domain is None:
            if not bare:
                return End.ELSEWHERE
            domain = Domain(wanted.domain)
        if (found := await self._exact(wanted)) is not None:
            return found
        if (found := self._returned(name)) is not None:
            return found
        if domain.same_as:
            return Group("same-as", wanted, (Address(name.local, domain.same_as),), what=domain.name)
        return (
            await self._role(wanted)
            or await self._tagged(name, domain)
            or _matched(wanted, domain)
            or self._caught(name, domain)
        )

    async def _exact(self, wanted: Address, tag: str = "") -> Found | None:
        account = await self.directory.account(wanted)
        if account is not None:
            return Person(account, tag)
        alias = await self.directory.alias(wanted)
        return None if alias is None else Group("alias", wanted, alias.targets, tag)

    def _returned(self, name: Address) -> Found | None:
        original = None if self.rewriting is None else self.rewriting.original(name)
        if isinstance(original, Unreturnable):
            return End.UNRETURNABLE
        return None if original is None else Group("return", name.canonical, (original,))

    async def _role(self, wanted: Address) -> Found | None:
        """The admin reads the mail of a role, where there is one (docs/adr/0010-role-addresses.md)."""
        if wanted.local not in ROLES or self.admin is None or self.admin.canonical == wanted:
            return None
        if not await self._is_somebody(self.admin):
            return None
        return Group("role", wanted, (self.admin,))

    async def _is_somebody(self, name: Address) -> bool:
        """Whether an account or an alias stands behind it, in its domain or the one that this stands for."""
        passed: set[str] = set()
        while name.domain not in passed:
            domain = None if is_literal(name) else await self.directory.domain(name.domain)
            if domain is None:
                return self.rules.sends and not passed
            if await self._exact(name.canonical) is not None:
                return True
            if not domain.same_as:
                return await self._tagged(name, domain, roles=False) is not None
            passed.add(name.domain)
            name = Address(name.local, domain.same_as)
        return False

    async def _tagged(self, name: Address, domain: Domain, *, roles: bool = True) -> Found | None:
        for head, tag in self._splits(name.local, domain):
            wanted = Address(head, name.domain).canonical
            found = await self._exact(wanted, tag)
            if found is None and roles and name != self.admin:
                found = await self._role(wanted)
            if found is not None:
                return found
        return None

    def _splits(self, local: str, domain: Domain) -> Iterator[tuple[str, str]]:
        """Name and tag, the longest name first."""
        return splits(local, self.rules.delimiters if domain.delimiters is None else domain.delimiters)

    def _caught(self, name: Address, domain: Domain) -> Found:
        targets = self.rules.catch_all if domain.catch_all is None else domain.catch_all
        heads = {name.canonical.local}
        heads |= {Address(head, "").canonical.local for head, _ in self._splits(name.local, domain)}
        if not targets or heads & domain.catch_all_except:
            return End.NOBODY
        if self.limits is not None and not self.limits.take(domain.name, self.rules.catch_all_rate):
            return End.LIMITED
        return Group("catch-all", name.canonical, targets, what=domain.name)


def _matched(wanted: Address, domain: Domain) -> Found | None:
    for pattern in domain.patterns:
        targets = expand(pattern, wanted.local, domain.name)
        if targets is not None:
            return Group("pattern", wanted, targets, what=pattern.pattern)
    return None


def is_literal(address: Address) -> bool:
    """Whether the domain is an address literal; none of them is ours."""
    return address.domain.startswith("[")
