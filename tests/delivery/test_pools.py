"""Which accounts share the quota of a whole domain."""

from __future__ import annotations

import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.delivery.pools import members_of, pool_of, standing_for
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address

DOMAINS = [
    Domain("main.example"),
    Domain("also.example", same_as="main.example"),
    Domain("third.example", same_as="also.example"),
    Domain("round.example", same_as="other.example"),
    Domain("other.example", same_as="round.example"),
    Domain("alone.example", same_as="elsewhere.example"),
]
DIRECTORY = MemoryDirectory(
    [Account(Address(name, domain.name)) for domain in DOMAINS for name in ("joe", "ann")], DOMAINS
)


@pytest.mark.parametrize(
    ("domain", "pool"),
    [
        ("main.example", "main.example"),
        ("also.example", "main.example"),
        ("third.example", "main.example"),
        ("round.example", "round.example"),
        ("other.example", "other.example"),
        ("alone.example", "elsewhere.example"),
        ("nowhere.example", "nowhere.example"),
    ],
)
def test_a_domain_that_stands_for_another_shares_its_quota(domain: str, pool: str) -> None:
    assert run_now(pool_of(DIRECTORY, domain)) == pool
    assert domain in standing_for(DOMAINS, pool)


def test_whose_mail_counts() -> None:
    members = run_now(members_of(DIRECTORY, "main.example"))
    names = ("main.example", "also.example", "third.example")
    assert members == tuple(Address(local, name) for name in names for local in ("ann", "joe"))
    assert run_now(members_of(DIRECTORY, "also.example")) == members[2:4]
