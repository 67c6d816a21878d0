"""Which servers are this one."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from mailsuite.relay.ourselves import Listening

OWN = {"192.0.2.7", "2001:db8::7", "127.0.0.1"}


def listens(address: str, port: int, *bound: tuple[str, int]) -> bool:
    return Listening(lambda: bound, lambda each: str(each) in OWN)(ip_address(address), port)


@pytest.mark.parametrize(
    ("address", "port", "bound", "expected"),
    [
        ("192.0.2.7", 25, ("192.0.2.7", 25), True),
        ("192.0.2.7", 2525, ("192.0.2.7", 25), False),
        ("192.0.2.8", 25, ("192.0.2.7", 25), False),
        ("127.0.0.2", 25, ("127.0.0.1", 25), False),
        ("::ffff:192.0.2.7", 25, ("192.0.2.7", 25), True),
        ("192.0.2.7", 25, ("::ffff:192.0.2.7", 25), True),
        ("2001:db8::7", 25, ("2001:DB8::0007", 25), True),
        ("192.0.2.7", 25, ("0.0.0.0", 25), True),
        ("192.0.2.7", 25, ("::", 25), True),
        ("2001:db8::7", 25, ("::", 25), True),
        ("192.0.2.8", 25, ("::", 25), False),
        ("0.0.0.0", 25, ("::", 25), True),
        ("192.0.2.7", 2525, ("::", 25), False),
    ],
)
def test_by_address_and_port(address: str, port: int, bound: tuple[str, int], expected: bool) -> None:
    assert listens(address, port, bound) is expected
    assert listens(address, port, ("198.51.100.1", 25), bound) is expected


def test_a_server_without_doors() -> None:
    assert not listens("192.0.2.7", 25)
