"""Limits and lists of accounts and domains, as requests have them."""

from __future__ import annotations

from typing import Any

import pytest

from mailsuite.accounts.limits import changed_limits, limits_document
from mailsuite.accounts.refusal import RegistryError
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.quota import Quota
from mailsuite.model.sender_list import MAX_OWN_SENDERS, OwnSenders, parse_sender

JOE = Account(
    Address("joe", "example.net"),
    max_message=70_000,
    language="de",
    senders=OwnSenders((parse_sender("Eve@example.org"),), (parse_sender("*.fine.example"),)),
)
HOME = Domain("example.net", total_quota=Quota(1, 2))


def senders(wish: object, owner: Account | Domain = JOE) -> dict[str, Any]:
    changed = changed_limits(owner, {"senders": wish})["senders"]
    return {
        "block": [entry.text for entry in changed.block],
        "accept": [entry.text for entry in changed.accept],
    }


def test_as_json() -> None:
    nothing = {"octets": None, "messages": None}
    assert limits_document(JOE) == {
        "quota": nothing,
        "max_message": 70_000,
        "block_senders": ["Eve@example.org"],
        "accept_senders": ["*.fine.example"],
        "language": "de",
    }
    assert limits_document(HOME) == {
        "quota": nothing,
        "total_quota": {"octets": 1, "messages": 2},
        "notify": "allow",
        "notify_max_level": None,
        "max_message": None,
        "block_senders": [],
        "accept_senders": [],
        "language": None,
    }


@pytest.mark.parametrize(
    ("wish", "block", "accept"),
    [
        ({}, ["Eve@example.org"], ["*.fine.example"]),
        ({"x.example": "block"}, ["Eve@example.org", "x.example"], ["*.fine.example"]),
        ({"eve@EXAMPLE.org": "block"}, ["eve@EXAMPLE.org"], ["*.fine.example"]),
        ({"eve@example.org": "accept"}, [], ["*.fine.example", "eve@example.org"]),
        ({"eve@example.org": "forget", "fine.example": "forget"}, [], ["*.fine.example"]),
        ({"*.fine.example": "forget"}, ["Eve@example.org"], []),
        ({"nobody@example.com": "forget"}, ["Eve@example.org"], ["*.fine.example"]),
    ],
)
def test_a_sender_is_in_one_list_at_most(wish: dict[str, str], block: list[str], accept: list[str]) -> None:
    assert senders(wish) == {"block": block, "accept": accept}


def test_numbers() -> None:
    assert changed_limits(HOME, {}) == {}
    assert changed_limits(HOME, {"total_quota": "1KiB,5", "quota": "default"}) == {
        "total_quota": Quota(1024, 5),
        "quota": Quota(),
    }
    assert changed_limits(JOE, {"max_message": "1MiB"}) == {"max_message": 1 << 20}
    for nothing in ("default", ""):
        assert changed_limits(JOE, {"max_message": nothing}) == {"max_message": None}


def test_languages() -> None:
    assert changed_limits(JOE, {"language": "en"}) == {"language": "en"}
    for nothing in ("default", ""):
        assert changed_limits(HOME, {"language": nothing}) == {"language": ""}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"language": "fr"}, '"en", "de"'),
        ({"language": 7}, "language: 7"),
        ({"max_message": "big"}, 'max_message: "big" is no size'),
        ({"max_message": 5}, "max_message: 5"),
        ({"total_quota": "much"}, "is no size"),
        ({"senders": ["eve@example.org"]}, "senders is no object"),
        ({"senders": {"eve@example.org": "love"}}, "'love' is none of block, accept, forget"),
        ({"senders": {"eve": "block"}}, "a domain with a dot in it is meant"),
    ],
)
def test_what_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(RegistryError) as caught:
        changed_limits(JOE, fields)
    assert words in caught.value.text


def test_a_list_is_bounded() -> None:
    many = {f"a{number}@example.org": "block" for number in range(MAX_OWN_SENDERS)}
    full = changed_limits(HOME, {"senders": many})["senders"]
    assert len(full.block) == MAX_OWN_SENDERS
    owner = Domain("example.net", senders=full)
    assert len(senders({"b@example.org": "accept"}, owner)["block"]) == MAX_OWN_SENDERS
    with pytest.raises(RegistryError, match="a list has 1000 senders at most"):
        senders({"b@example.org": "block"}, owner)
