"""Which language a reader is written to in."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from mailsuite.delivery.dsn_languages import Languages, nobody_says
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address

JOE, ANN, EVE = Address("joe", "example.net"), Address("ann", "example.net"), Address("eve", "example.org")


def asked(*readers: Address | None) -> str:
    directory = MemoryDirectory(
        [Account(JOE, language="en"), Account(ANN)],
        [Domain("example.net", language="de"), Domain("alias.test", same_as="example.net", language="fr")],
    )
    found: list[str] = []
    Deferred.fromCoroutine(Languages(directory).of(*readers)).addCallback(found.append)
    (language,) = found
    return language


@pytest.mark.parametrize(
    ("readers", "language"),
    [
        ((JOE,), "en"),
        ((ANN,), "de"),
        ((Address("nobody", "example.net"),), "de"),
        ((Address("Joe", "example.net"),), "en"),
        ((Address("joe", "alias.test"),), "en"),
        ((Address("ann", "alias.test"),), "de"),
        ((EVE,), ""),
        ((EVE, JOE), "en"),
        ((None, ANN, JOE), "de"),
        ((None,), ""),
        ((), ""),
    ],
)
def test_the_nearest(readers: tuple[Address | None, ...], language: str) -> None:
    assert asked(*readers) == language


def test_nobody_is_known() -> None:
    found: list[str] = []
    Deferred.fromCoroutine(nobody_says(JOE)).addCallback(found.append)
    assert found == [""]
