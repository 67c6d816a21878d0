"""Which target an account gets, by state, address, port and rules."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.account import Account, IPAddress, NotifyState
from mailsuite.notify.addresses import is_own_address
from mailsuite.notify.targets import (
    Target,
    TargetRules,
    Untold,
    choose_target,
    may_be_named,
    objection,
    wants_notice,
)
from tests.notify.fakes import HOME, Sightings, account

OFF, LAST_IP, STATIC = NotifyState.OFF, NotifyState.LAST_IP, NotifyState.STATIC
HOUR = 3600.0
NOW = 1_000_000.0
OFFICE = ip_address("192.168.1.20")
STATION = ip_address("9.9.9.9")


class Waited(Exception):
    """The choice had to wait, and should not."""


def choose(
    who: Account, rules: TargetRules, seen: IPAddress | None = HOME, ago: float = HOUR
) -> Target | Untold:
    sightings = Sightings()
    if seen is not None:
        sightings.seen[who.address] = (seen, NOW - ago)
    result: list[Target | Untold] = []
    Deferred.fromCoroutine(choose_target(who, rules, sightings, NOW)).addCallback(result.append)
    if not result:
        raise Waited
    return result[0]


def rules(default: NotifyState = OFF, allow: str | None = None, **others: object) -> TargetRules:
    networks = () if allow is None else (ip_network(allow),)
    return TargetRules(default_state=default, allow_networks=networks, **others)


def is_ours(address: IPAddress) -> bool:
    return address == ip_address("9.9.9.10")


@pytest.mark.parametrize(
    ("who", "given", "expected"),
    [
        (account(state=None), rules(), Untold.OFF),
        (account(state=OFF), rules(LAST_IP), Untold.OFF),
        (account(state=OFF, address=STATION), rules(STATIC), Untold.OFF),
        (account(state=None), rules(LAST_IP), Target(HOME, 79)),
        (account(state=None), rules(STATIC), Target(HOME, 79)),
        (account(state=None, address=STATION), rules(STATIC), Target(STATION, 79)),
        (account(state=None, address=STATION), rules(LAST_IP), Target(HOME, 79)),
        (account(state=LAST_IP), rules(), Target(HOME, 79)),
        (account(state=LAST_IP, address=STATION), rules(), Target(HOME, 79)),
        (account(state=STATIC), rules(), Target(HOME, 79)),
        (account(state=STATIC, address=STATION), rules(), Target(STATION, 79)),
        (account(state=LAST_IP, port=80), rules(), Untold.PORT_REFUSED),
        (account(state=STATIC, address=STATION, port=22), rules(), Untold.PORT_REFUSED),
        (account(state=LAST_IP, port=1079), rules(ports=frozenset({79, 1079})), Target(HOME, 1079)),
        (account(state=STATIC, address=OFFICE), rules(), Untold.ADDRESS_REFUSED),
        (account(state=STATIC, address=OFFICE), rules(allow="192.168.1.0/24"), Target(OFFICE, 79)),
        (account(state=STATIC, address=OFFICE), rules(allow="192.168.2.0/24"), Untold.ADDRESS_REFUSED),
        (account(state=STATIC, address=ip_address("::ffff:9.9.9.9")), rules(), Target(STATION, 79)),
        (account(state=STATIC, address=ip_address("ff02::1")), rules(allow="::/0"), Untold.ADDRESS_REFUSED),
    ],
)
def test_state_address_port(who: Account, given: TargetRules, expected: Target | Untold) -> None:
    assert choose(who, given) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ("127.0.0.1", Untold.ADDRESS_REFUSED),
        ("::1", Untold.ADDRESS_REFUSED),
        ("::ffff:127.0.0.1", Untold.ADDRESS_REFUSED),
        ("9.9.9.10", Untold.ADDRESS_REFUSED),  # our own
        ("192.168.1.20", Target(OFFICE, 79)),
        ("fd12::1", Target(ip_address("fd12::1"), 79)),
        ("::ffff:192.168.1.20", Target(OFFICE, 79)),
        ("2a00:1450::7", Target(ip_address("2a00:1450::7"), 79)),
        ("fe80::1%eth0", Untold.ADDRESS_REFUSED),
        ("169.254.169.254", Untold.ADDRESS_REFUSED),
        ("0.0.0.0", Untold.ADDRESS_REFUSED),
        ("192.0.2.1", Untold.ADDRESS_REFUSED),
    ],
)
def test_the_last_login_may_be_local_but_never_special(seen: str, expected: Target | Untold) -> None:
    given = rules(is_own=is_ours)
    assert choose(account(), given, ip_address(seen)) == expected


@pytest.mark.parametrize("seen", ["127.0.0.1", "::1", "9.9.9.10"])
def test_a_login_from_this_machine_takes_leave(seen: str) -> None:
    address = ip_address(seen)
    given = rules(allow=str(ip_network(address)), is_own=is_ours)
    assert choose(account(), given, address) == Target(address, 79)


def test_this_machine_knows_its_own_addresses() -> None:
    assert is_own_address(ip_address("127.0.0.1"))
    assert not is_own_address(ip_address("192.0.2.1"))
    assert not is_own_address(ip_address("2001:db8::1"))


@pytest.mark.parametrize(
    ("ago", "expiry", "expected"),
    [
        (24 * HOUR, None, Target(HOME, 79)),
        (24 * HOUR + 1, None, Untold.NOT_SEEN),
        (24 * HOUR + 1, 48 * HOUR, Target(HOME, 79)),
        (61, 60.0, Untold.NOT_SEEN),
    ],
)
def test_a_last_login_is_forgotten(ago: float, expiry: float | None, expected: Target | Untold) -> None:
    given = rules() if expiry is None else rules(last_ip_expiry=expiry)
    assert choose(account(), given, ago=ago) == expected


def test_an_account_that_never_logged_in() -> None:
    assert choose(account(), rules(), seen=None) is Untold.NOT_SEEN


def test_a_static_target_needs_no_login() -> None:
    assert choose(account(state=STATIC, address=STATION), rules(), seen=None) == Target(STATION, 79)


@pytest.mark.parametrize(
    ("text", "allow", "expected"),
    [
        ("9.9.9.9", None, True),
        ("9.9.9.10", None, False),  # our own
        ("9.9.9.10", "9.9.9.10/32", True),
        ("127.0.0.1", None, False),
        ("127.0.0.1", "127.0.0.0/8", True),
        ("::ffff:127.0.0.1", None, False),
        ("::ffff:127.0.0.1", "127.0.0.0/8", True),
        ("10.0.0.1", "::/0", False),
        ("64:ff9b:1::a00:1", None, False),
        ("64:ff9b::a00:1", "64:ff9b::/96", False),
        ("192.0.2.1", "0.0.0.0/0", False),
        ("255.255.255.255", "0.0.0.0/0", False),
        ("169.254.169.254", "0.0.0.0/0", False),
        ("fe80::1", "::/0", False),
        ("fd00:ec2::254", "fd00::/8", False),
    ],
)
def test_what_may_be_named_as_a_static_target(text: str, allow: str | None, expected: bool) -> None:
    given = rules(allow=allow, is_own=is_ours)
    assert may_be_named(ip_address(text), given) is expected


@pytest.mark.parametrize(
    ("state", "default", "expected"),
    [
        (None, OFF, False),
        (None, LAST_IP, True),
        (OFF, LAST_IP, False),
        (LAST_IP, OFF, True),
        (STATIC, OFF, True),
    ],
)
def test_wants_notice(state: NotifyState | None, default: NotifyState, expected: bool) -> None:
    assert wants_notice(account(state=state), rules(default)) is expected


class CostTests(SynchronousTestCase):
    def test_an_account_that_is_off_costs_no_look_at_the_sightings(self) -> None:
        sightings = Sightings()
        chosen = choose_target(account(state=OFF), rules(), sightings, NOW)
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(chosen)), Untold.OFF)
        self.assertEqual(sightings.asked, 0)


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (account(state=OFF, address=OFFICE, port=1), ""),
        (account(state=None, address=OFFICE, port=1), ""),
        (account(state=LAST_IP), ""),
        (account(state=LAST_IP, port=80), "port 80 is none of notify.notifymail.ports (79)"),
        (account(state=STATIC, address=STATION), ""),
        (account(state=STATIC, address=OFFICE), "192.168.1.20 is local"),
        (account(state=STATIC, address=ip_address("224.0.0.1")), "224.0.0.1 is never knocked at"),
    ],
)
def test_a_preference_without_effect_is_objected_to(who: Account, expected: str) -> None:
    said = objection(who.notify, rules(is_own=is_ours))
    assert said.startswith(expected)
    assert bool(said) == bool(expected)
