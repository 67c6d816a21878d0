"""What holds for an account, whoever says so."""

from __future__ import annotations

import pytest

from mailsuite.model.account import Account, Domain, language_in_force, largest_message
from mailsuite.model.address import Address

JOE = Address("joe", "example.net")


@pytest.mark.parametrize(
    ("own", "shared", "largest"),
    [
        (None, None, 100),
        (50, None, 50),
        (None, 60, 60),
        (50, 60, 50),
        (60, 50, 50),
        (200, 300, 100),
    ],
)
def test_the_lowest_limit_holds(own: int | None, shared: int | None, largest: int) -> None:
    account, domain = Account(JOE, max_message=own), Domain("example.net", max_message=shared)
    assert largest_message(account, domain, 100) == largest


@pytest.mark.parametrize(
    ("own", "shared", "language"), [("", "", ""), ("de", "", "de"), ("", "de", "de"), ("en", "de", "en")]
)
def test_the_nearest_language_holds(own: str, shared: str, language: str) -> None:
    account, domain = Account(JOE, language=own), Domain("example.net", language=shared)
    assert language_in_force(account, domain) == language
    assert language_in_force(None, domain) == shared
    assert language_in_force(account, None) == own


def test_who_is_nobody_has_no_limit_of_their_own() -> None:
    assert largest_message(None, None, 100) == 100
