"""Which accounts share the quota of a whole domain: its own, and those of the domains that stand for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Domain
from mailsuite.model.address import Address


async def pool_of(directory: IAccountDirectory, domain: str) -> str:
    """The domain whose quota counts for *domain*: the one that it stands for in the end. Fails as the
    directory does."""
    passed: set[str] = set()
    while domain not in passed:
        passed.add(domain)
        found = await directory.domain(domain)
        if found is None or not found.same_as:
            return domain
        domain = found.same_as
    return domain


def standing_for(domains: Iterable[Domain], pool: str) -> tuple[str, ...]:
    """The names whose accounts share the quota of *pool*, that one first."""
    leads = {domain.name: domain.same_as for domain in domains}
    return (pool, *(name for name in leads if name != pool and _end(leads, name) == pool))


def _end(leads: Mapping[str, str], name: str) -> str:
    passed: set[str] = set()
    while name not in passed and leads.get(name):
        passed.add(name)
        name = leads[name]
    return name


async def members_of(directory: IAccountDirectory, pool: str) -> tuple[Address, ...]:
    """Whose mail counts. Fails as the directory does."""
    names = standing_for(await directory.domains(), pool)
    return tuple([address for name in names for address in await directory.members(name)])
