"""Who is watched, and for how long."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from mailsuite.model.address import Address
from mailsuite.observe.protocol_log import (
    MAX_WATCH_SECONDS,
    MAX_WATCHES,
    TooManyWatches,
    Watches,
    parse_who,
)

JOE = Address("joe", "example.test")
OFFICE = ip_network("192.0.2.0/24")
DESK = ip_network("192.0.2.7/32")


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def watches(now: list[float]) -> Watches:
    return Watches(lambda: now[0])


def test_nobody(watches: Watches) -> None:
    assert watches.on_peer(ip_address("192.0.2.7")) is None
    assert watches.on_account(JOE) is None
    assert not watches.take_off(JOE)
    assert watches.list() == ()


def test_an_account_until_the_time_is_over(watches: Watches, now: list[float]) -> None:
    watch = watches.put_on(JOE, "commands")
    assert watch.until == 1900.0, "a quarter of an hour where nothing is said"
    assert watches.on_account(JOE) is watch
    assert watches.on_account(Address("ann", "example.test")) is None
    assert watches.on_peer(ip_address("192.0.2.7")) is None
    now[0] = 1899.9
    assert watches.is_on(watch)
    now[0] = 1900.0
    assert not watches.is_on(watch)
    assert (watches.on_account(JOE), watches.list(), watches.take_off(JOE)) == (None, (), False)


def test_the_narrowest_network_counts(watches: Watches, now: list[float]) -> None:
    office = watches.put_on(OFFICE, "commands", 600.0)
    desk = watches.put_on(DESK, "raw", 60.0)
    assert watches.list() == (desk, office)
    assert watches.on_peer(ip_address("192.0.2.7")) is desk
    assert watches.on_peer(ip_address("192.0.2.8")) is office
    assert watches.on_peer(ip_address("192.0.3.7")) is None
    assert watches.on_peer(ip_address("2001:db8::1")) is None
    now[0] += 60.0
    assert watches.on_peer(ip_address("192.0.2.7")) is office


def test_taking_off_ends_it_for_sessions_that_run(watches: Watches) -> None:
    watch = watches.put_on(JOE, "raw")
    assert watches.take_off(JOE)
    assert not watches.is_on(watch)


def test_a_second_one_takes_the_place_of_the_first(watches: Watches) -> None:
    first = watches.put_on(JOE, "raw")
    second = watches.put_on(JOE, "commands")
    assert (watches.is_on(first), watches.list()) == (False, (second,))


def test_a_bound_on_time_and_number(watches: Watches, now: list[float]) -> None:
    for number in range(MAX_WATCHES):
        watches.put_on(Address(f"u{number}", "example.test"), "commands", 60.0)
    with pytest.raises(TooManyWatches):
        watches.put_on(JOE, "commands")
    watches.put_on(Address("u1", "example.test"), "raw", 60.0)
    now[0] += 60.0
    assert watches.put_on(JOE, "commands", 10 * MAX_WATCH_SECONDS).until == now[0] + MAX_WATCH_SECONDS


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("joe@Example.TEST", JOE),
        ("192.0.2.7", DESK),
        ("192.0.2.9/24", OFFICE),
        ("::ffff:192.0.2.7", DESK),
        ("::ffff:192.0.2.0/120", OFFICE),
        ("2001:db8::/32", ip_network("2001:db8::/32")),
    ],
)
def test_who(text: str, who: object) -> None:
    assert parse_who(text) == who


@pytest.mark.parametrize("text", ["", "joe", "@", "192.0.2.300", "192.0.2.0/33", "joe@"])
def test_nobody_that_there_can_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_who(text)
