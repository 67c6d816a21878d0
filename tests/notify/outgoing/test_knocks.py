"""The budgets of knocks: each listener, each network, the whole server."""

from __future__ import annotations

import math
from ipaddress import ip_address, ip_network

import pytest

from mailsuite.model.account import IPAddress
from mailsuite.notify.outgoing.knocks import KnockBudget, network_of
from tests.notify.outgoing.test_budgets import Hand

A = ip_address("192.0.2.1")
MAPPED = ip_address("::ffff:192.0.2.1")


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def budget(hand: Hand) -> KnockBudget:
    return KnockBudget(hand)


def knock(budget: KnockBudget, address: IPAddress = A, port: int = 79) -> bool:
    """One that is over at once."""
    if not budget.begin(address, port):
        return False
    budget.ended(address, port)
    return True


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.200", "192.0.2.0/24"),
        ("::ffff:192.0.2.200", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ],
)
def test_the_neighbourhood(address: str, network: str) -> None:
    assert network_of(ip_address(address)) == ip_network(network)


def test_one_listener_gets_two_and_then_one_in_ten_seconds(hand: Hand, budget: KnockBudget) -> None:
    assert [knock(budget), knock(budget, MAPPED), knock(budget)] == [True, True, False]
    assert budget.ready_at(A, 79) == hand.time + 10.0
    assert knock(budget, port=10079)  # somebody else's
    hand.time += 10.0
    assert [knock(budget), knock(budget)] == [True, False]


def test_one_at_a_time(budget: KnockBudget) -> None:
    assert budget.begin(A, 79)
    assert not budget.begin(MAPPED, 79)
    assert budget.ready_at(A, 79) == math.inf
    budget.ended(A, 79)
    assert budget.begin(A, 79)


@pytest.mark.parametrize("template", ["192.0.2.{}", "2001:db8::{}"])
def test_a_network_gets_sixty_in_a_minute(hand: Hand, budget: KnockBudget, template: str) -> None:
    went = [knock(budget, ip_address(template.format(number))) for number in range(1, 101)]
    assert went == [True] * 60 + [False] * 40
    assert knock(budget, ip_address("203.0.113.1"))
    assert knock(budget, ip_address("2001:db8:0:1::1"))
    hand.time += 1.0
    assert [knock(budget, ip_address(template.format(number))) for number in (70, 71)] == [True, False]


def test_the_server_makes_five_hundred_in_a_second(hand: Hand, budget: KnockBudget) -> None:
    went = [knock(budget, ip_address(f"10.{number // 250}.{number % 250}.1")) for number in range(600)]
    assert went == [True] * 500 + [False] * 100
    hand.time += 0.1
    went = [knock(budget, ip_address(f"10.9.{number}.1")) for number in range(100)]
    assert sum(went) == 50


def test_so_many_are_under_way(budget: KnockBudget) -> None:
    addresses = [ip_address(f"10.0.{number % 256}.{number // 256}") for number in range(300)]
    went = [budget.begin(address, 79) for address in addresses]
    assert went == [True] * 256 + [False] * 44
    assert budget.ready_at(addresses[-1], 79) == math.inf
    budget.ended(addresses[0], 79)
    assert budget.in_flight == 255
    assert budget.begin(addresses[-1], 79)
