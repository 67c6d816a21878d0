"""Limits: exact counts, of services and of single addresses."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mailsuite.frontends.admission import Admission
from mailsuite.frontends.unix import Caller

PEERS = tuple(ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "2001:db8::1"))
DESK = ip_network("192.0.2.0/31")
"""Where an administrator sits: at the first of PEERS."""
ONE, TWO, THREE = PEERS


def test_per_address_and_within() -> None:
    service = Admission(3, 2)
    door = Admission(0, 1, within=service)
    assert door.enter(ONE)
    assert not door.enter(ONE)
    assert door.enter(TWO)
    assert service.enter(ONE)
    assert not door.enter(THREE), "the service is full"
    assert (door.count, service.count) == (2, 3)
    door.leave(TWO)
    assert (door.count, service.count) == (1, 2)
    assert door.enter(THREE)


def test_a_lower_limit_ends_nobody_and_lets_nobody_in() -> None:
    admission = Admission(0, 0)
    assert all(admission.enter(ONE) for _ in range(3))
    admission.total = 2
    assert (admission.count, admission.enter(TWO)) == (3, False)
    admission.leave(ONE)
    admission.leave(ONE)
    assert admission.enter(TWO)


def test_a_64_of_ipv6_counts_as_one_address() -> None:
    admission = Admission(0, 2)
    same = [ip_address(f"2001:db8:1:2::{number}") for number in (1, 2, 3)]
    assert [admission.enter(peer) for peer in same] == [True, True, False]
    assert admission.enter(ip_address("2001:db8:1:3::1"))
    admission.leave(same[0])
    assert admission.enter(same[2])


def test_who_speaks_for_many_meets_the_whole_alone() -> None:
    service = Admission(3, 1)
    door = Admission(0, 1, within=service)
    assert all(door.enter(ONE, True) for _ in range(3))
    assert not door.enter(ONE, True)
    door.leave(ONE)
    assert not door.enter(ONE), "as one of many it has its place"
    assert door.enter(TWO)


def test_a_user_of_this_machine_counts_as_an_address() -> None:
    admission = Admission(4, 2, reserve=9, reserved_for=(ip_network("127.0.0.0/8"),))
    joe, ann = Caller(1000), Caller(1001)
    assert [admission.enter(joe) for _ in range(3)] == [True, True, False]
    assert admission.enter(Caller(None))
    assert admission.enter(ann)
    assert not admission.enter(ann), "all places are taken, and the reserve is for addresses"
    assert not admission.enter(Caller(0), True)
    admission.leave(joe)
    assert admission.enter(Caller(1000))
    assert admission.count == 4


def test_the_reserve_is_for_administrators_alone() -> None:
    service = Admission(2, 1, reserve=2, reserved_for=(DESK,))
    door = Admission(1, 1, within=service, reserve=2, reserved_for=(DESK,))
    assert door.enter(TWO)
    assert service.enter(THREE)
    assert not service.enter(TWO)
    assert [door.enter(ONE) for _ in range(3)] == [True, True, False], "also beyond the limit of one address"
    assert service.count == 4
    service.leave(THREE)
    assert not service.enter(THREE), "administrators count, too"
    assert service.enter(ONE)
    assert not service.enter(ONE)


def test_administrators_without_a_reserve_and_without_a_limit() -> None:
    admission = Admission(2, 1, reserved_for=(DESK,))
    assert [admission.enter(ONE) for _ in range(3)] == [True, True, False]
    admission.total = 0
    assert all(admission.enter(ONE) for _ in range(50))
    assert admission.enter(TWO)
    assert not admission.enter(TWO)


@pytest.mark.parametrize(("total", "per_address"), [(0, 0), (2, 0), (0, 1), (3, 2)])
@given(steps=some.lists(some.tuples(some.booleans(), some.sampled_from(PEERS)), max_size=60))
def test_no_limit_is_ever_passed_and_no_place_is_lost(
    total: int, per_address: int, steps: list[tuple[bool, object]]
) -> None:
    """Against a model: a multiset of who is in."""
    admission, inside = Admission(total, per_address), Counter()
    for enters, peer in steps:
        if enters:
            there_is_room = not (total and inside.total() >= total) and not (
                per_address and inside[peer] >= per_address
            )
            assert admission.enter(peer) is there_is_room
            inside[peer] += there_is_room
        elif inside[peer]:
            admission.leave(peer)
            inside[peer] -= 1
        assert admission.count == inside.total()
    for peer in inside.elements():
        admission.leave(peer)
    assert (admission.count, len(admission._open)) == (0, 0), "nothing is remembered of who has left"
