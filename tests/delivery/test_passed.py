"""Where a message has been, by the beginning of it."""

from __future__ import annotations

import pytest

from mailsuite.delivery.passed import Passed
from mailsuite.model.address import Address

JOE = Address("joe", "example.net")
MESSAGE = (
    b"Delivered-To: Joe@Example.net\r\nReceived: from a\r\n\tby b; now\r\nreceived: c\r\n"
    b"Subject: Delivered-To: ann@example.net\r\n\r\nDelivered-To: bob@example.net\r\n"
)


def test_a_message() -> None:
    passed = Passed.of_message(MESSAGE)
    assert passed.hops == 2
    assert passed.has_been_at(JOE)
    assert not passed.has_been_at(Address("ann", "example.net"))
    assert not passed.has_been_at(Address("bob", "example.net"))


@pytest.mark.parametrize("octets", [b"", b"\r\n", b"\r\nDelivered-To: joe@example.net\r\n", b"Hello"])
def test_no_header(octets: bytes) -> None:
    assert Passed.of_message(octets) == Passed()


def test_a_header_without_a_body() -> None:
    assert Passed.of_message(b"Delivered-To: joe@example.net\r\n").has_been_at(JOE)
