"""From which addresses an account may send: its own, what leads to it, and what it was given (row U-03)."""

from __future__ import annotations

import pytest

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias, AliasPattern
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.policy import ownership
from mailsuite.policy.ownership import Ownership
from tests.policy.asking import ANN, BOB, JOE, address, now


def alias(name: str, *targets: str) -> Alias:
    return Alias(address(name), tuple(map(address, targets)))


def directory() -> MemoryDirectory:
    return MemoryDirectory(
        [
            Account(
                JOE,
                send_as=tuple(
                    map(
                        address,
                        ("desk@example.org", "*@shop.example", "bob@same.example", "shared@example.net"),
                    )
                ),
            ),
            Account(ANN),
            Account(BOB),
            Account(address("shared@example.net")),
            Account(address("joe+private@example.net")),
            Account(address("joe@dotted.example")),
            Account(address("ann@same.example")),
        ],
        [
            Domain("example.net", patterns=(AliasPattern(r"(joe|ann)-[a-z]+", (r"\1",)),)),
            Domain("same.example", same_as="example.net"),
            Domain("again.example", same_as="same.example"),
            Domain("dotted.example", delimiters=".-"),
            Domain("plain.example", delimiters=""),
            Domain("round.example", same_as="round.example"),
        ],
        initial_aliases=[
            alias("info@example.net", "joe@example.net", "ann@example.net"),
            alias("all@example.net", "info@example.net", "bob@example.net"),
            alias("tagged@example.net", "joe+lists@example.net"),
            alias("abroad@example.net", "joe@again.example"),
            alias("others@example.net", "ann@example.net", "joe@elsewhere.example"),
            alias("discard@example.net"),
            alias("a@example.net", "b@example.net"),
            alias("b@example.net", "a@example.net"),
            alias("joe+taken@example.net", "ann@example.net"),
            alias("to-shared@example.net", "shared@example.net"),
            alias("looks@example.net", "joe+private@example.net"),
            alias("round@round.example", "joe@round.example"),
        ],
    )


@pytest.mark.parametrize(
    ("name", "owns"),
    [
        # itself, whatever the case, and with tags
        ("joe@example.net", True),
        ("JOE@EXAMPLE.NET", True),
        ("joe+anything@example.net", True),
        ("joe+a+b@example.net", True),
        ("joe+private+b@example.net", False),
        ("joe+taken+b@again.example", False),
        ("+joe@example.net", False),
        ("joe-x@elsewhere.example", False),
        ("joe.x@example.net", False),
        # somebody else
        ("ann@example.net", False),
        ("ann+joe@example.net", False),
        ("joe@example.org", False),
        ("joe@sub.example.net", False),
        ("nobody@example.net", False),
        ("j\u043ee@example.net", False),
        # what looks like a tag, and is somebody else's account or alias
        ("joe+private@example.net", False),
        ("joe+taken@example.net", False),
        ("looks@example.net", False),
        # aliases, nested ones, with tags, in circles, that lead elsewhere or nowhere
        ("info@example.net", True),
        ("INFO+tag@example.net", True),
        ("all@example.net", True),
        ("tagged@example.net", True),
        ("abroad@example.net", True),
        ("others@example.net", False),
        ("discard@example.net", False),
        ("a@example.net", False),
        # patterns of the domain
        ("joe-sales@example.net", True),
        ("ann-sales@example.net", False),
        ("joe-1@example.net", False),
        # domains that are the same
        ("joe@same.example", True),
        ("joe+tag@again.example", True),
        ("info@again.example", True),
        ("joe@round.example", False),
        ("round@round.example", False),
        ("ann@again.example", False),
        # what another domain calls a tag
        ("joe.x@dotted.example", False),
        ("joe@plain.example", False),
        # what it was given
        ("desk@example.org", True),
        ("DESK@example.org", True),
        ("desk+x@example.org", False),
        ("anybody@shop.example", True),
        ("anybody@sub.shop.example", False),
        ("bob@same.example", True),
        ("bob@example.net", False),
        ("bob+tag@example.net", False),
        ("desk@again.example", False),
        ("shared@example.net", True),
        ("shared+tag@again.example", True),
        ("to-shared@example.net", False),
        ("postmaster@example.net", False),
    ],
)
def test_what_joe_may_send_from(name: str, owns: bool) -> None:
    assert now(Ownership(directory()).owns(JOE, address(name))) is owns


@pytest.mark.parametrize(
    ("local", "domain", "owns"),
    [
        ("joe", "", False),
        ("joe", "[127.0.0.1]", False),
        ("joe ", "example.net", False),
        ("*", "shop.example", True),
    ],
)
def test_addresses_that_are_hard_to_write(local: str, domain: str, owns: bool) -> None:
    wanted = Address(local, domain)
    assert now(Ownership(directory()).owns(JOE, wanted)) is owns


def test_an_exact_name_in_an_equal_domain_is_its_own() -> None:
    """As mail for it is routed: ann@same.example is an account, bob@same.example is bob@example.net."""
    owns = Ownership(directory()).owns
    assert not now(owns(ANN, address("ann@same.example")))
    assert now(owns(address("ann@same.example"), address("ann@same.example")))
    assert now(owns(BOB, address("bob@same.example")))


def test_the_admin_answers_for_the_roles() -> None:
    owns = Ownership(directory(), admin=JOE).owns
    assert now(owns(JOE, address("postmaster@example.net")))
    assert now(owns(JOE, address("Abuse@again.example")))
    assert not now(owns(JOE, address("postmaster@example.org")))
    assert not now(owns(ANN, address("postmaster@example.net")))
    assert not now(Ownership(directory()).owns(JOE, address("postmaster@example.net")))


def test_the_domain_says_what_begins_a_tag() -> None:
    owner = address("joe@dotted.example")
    for name, owns in (
        ("joe.x@dotted.example", True),
        ("joe-x@dotted.example", True),
        ("joe+x@dotted.example", False),
    ):
        assert now(Ownership(directory()).owns(owner, address(name))) is owns
    assert not now(Ownership(directory(), delimiters="").owns(JOE, address("joe+x@example.net")))
    assert now(Ownership(directory(), delimiters="=").owns(JOE, address("joe=x@example.net")))


def test_an_account_that_is_gone_owns_its_name_and_nothing_more() -> None:
    gone = MemoryDirectory([Account(ANN)], initial_aliases=[alias("info@example.net", "joe@example.net")])
    assert now(Ownership(gone).owns(JOE, JOE))
    assert not now(Ownership(gone).owns(JOE, address("info@example.net")))


def test_an_alias_that_was_made_a_moment_ago_counts() -> None:
    where = directory()
    owns = Ownership(where).owns
    assert not now(owns(JOE, address("new@example.net")))
    now(where.add_alias(alias("new@example.net", "joe@example.net")))
    assert now(owns(JOE, address("new@example.net")))


def test_aliases_are_followed_as_deep_as_mail_is() -> None:
    chain = [alias(f"a{n}@example.net", f"a{n + 1}@example.net") for n in range(25)]
    where = MemoryDirectory(
        [Account(JOE)], initial_aliases=[*chain, alias("a25@example.net", "joe@example.net")]
    )
    assert now(Ownership(where).owns(JOE, address("a7@example.net")))
    assert not now(Ownership(where).owns(JOE, address("a4@example.net")))


class Counting(MemoryDirectory):
    """Remembers which aliases were asked for."""

    asked: list[Address]

    async def alias(self, address: Address) -> Alias | None:
        self.asked.append(address)
        return await super().alias(address)


def test_a_large_list_costs_a_bounded_number_of_questions() -> None:
    members = [f"m{n}@example.net" for n in range(5000)]
    where = Counting(
        [Account(JOE)],
        initial_aliases=[
            alias("direct@example.net", *members, "joe@example.net"),
            alias("list@example.net", *members, "inner@example.net"),
            alias("inner@example.net", "joe@example.net"),
        ],
    )
    where.asked = []
    assert now(Ownership(where).owns(JOE, address("direct@example.net")))
    assert len(where.asked) < 5
    assert not now(Ownership(where).owns(JOE, address("list@example.net")))
    assert len(where.asked) <= ownership.MAX_LOOKED_UP + 1


def test_where_the_directory_fails_nobody_is_judged() -> None:
    where = directory()
    where.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    assert now(Ownership(where).owns(JOE, JOE))
    with pytest.raises(TemporaryFailure):
        now(Ownership(where).owns(JOE, address("info@example.net")))
