"""Where subscriptions are knocked at, by what they say, by logins, and by the rules."""

from __future__ import annotations

from ipaddress import ip_address

import attrs
import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.model.address import Address
from mailsuite.model.subscription import Subscription
from mailsuite.notify.targets import PROVED_FOR, Target, TargetRules, Untold, choose_subscribed
from tests.notify.fakes import Sightings

JOE = Address("joe", "example.net")
DESK, PHONE, OFFICE = (ip_address(text) for text in ("9.9.9.9", "2a00:1450::7", "192.168.1.20"))
NOW = 100 * 86400.0
HOUR = 3600.0
RULES = TargetRules(ports=frozenset({79, 1079}), udp=True, is_own=lambda address: False)


def subscription(target: str, device: str = "desk", **options: str) -> Subscription:
    return Subscription("sub_1", JOE, device, "notifymail", target, "", (), options)


def choose(wanted: Subscription, rules: TargetRules = RULES, desk_ago: float = HOUR) -> Target | Untold:
    """The desk was seen some time ago, and then the phone."""
    sightings = Sightings()
    run_now(sightings.record(JOE, DESK, NOW - desk_ago, "desk"))
    run_now(sightings.record(JOE, PHONE, NOW - HOUR / 2, "phone"))
    return run_now(choose_subscribed(wanted, rules, sightings, NOW))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (subscription("last-ip:79"), Target(DESK, 79)),
        (subscription("last-ip:1079", "phone"), Target(PHONE, 1079)),
        (subscription("last-ip:79", ""), Target(PHONE, 79)),  # the account's own password: any device
        (subscription("last-ip:79", "fridge"), Untold.NOT_SEEN),
        (subscription("last-ip:80"), Untold.PORT_REFUSED),
        (subscription("last-ip:79", transport="udp"), Target(DESK, 79, "udp")),
        (subscription("9.9.9.9:79", "fridge"), Target(DESK, 79)),  # somebody of the account was there
        (subscription("9.9.9.8:79"), Untold.UNPROVED),
        (subscription("9.9.9.8:79", leave="yes"), Target(ip_address("9.9.9.8"), 79)),
        (subscription("192.168.1.20:79", leave="yes"), Untold.ADDRESS_REFUSED),
    ],
)
def test_targets(wanted: Subscription, expected: Target | Untold) -> None:
    assert choose(wanted) == expected


def test_udp_that_was_switched_off() -> None:
    rules = TargetRules(is_own=RULES.is_own)
    assert choose(subscription("last-ip:79", transport="udp"), rules) is Untold.UDP_REFUSED


def test_a_login_proves_an_address_for_a_month() -> None:
    assert choose(subscription("9.9.9.9:79"), desk_ago=PROVED_FOR) == Target(DESK, 79)
    assert choose(subscription("9.9.9.9:79"), desk_ago=PROVED_FOR + 1) is Untold.UNPROVED


def test_what_was_proved_when_it_was_named_is_proved_for_a_month_too() -> None:
    fresh = attrs.evolve(subscription("9.9.9.8:79"), created=NOW - PROVED_FOR)
    assert choose(fresh) == Target(ip_address("9.9.9.8"), 79)
    assert choose(attrs.evolve(fresh, created=NOW - PROVED_FOR - 1)) is Untold.UNPROVED


def test_a_login_is_forgotten_after_a_day() -> None:
    assert choose(subscription("last-ip:79"), desk_ago=24 * HOUR) == Target(DESK, 79)
    assert choose(subscription("last-ip:79"), desk_ago=24 * HOUR + 1) is Untold.NOT_SEEN


def test_targets_as_people_read_them() -> None:
    assert [str(each) for each in (Target(DESK, 79), Target(PHONE, 1079, "udp"))] == [
        "9.9.9.9:79",
        "[2a00:1450::7]:1079/udp",
    ]
