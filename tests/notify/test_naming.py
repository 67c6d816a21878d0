"""Users name listeners where they have been, and administrators any."""

from __future__ import annotations

from ipaddress import ip_address

import attrs
import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.address import Address
from mailsuite.model.subscription import Subscription
from mailsuite.notify.naming import Naming
from mailsuite.notify.office import Caller

JOE = Address("joe", "example.net")
NOW = 100 * 86400.0
BEEN, ELSEWHERE = ip_address("9.9.9.9"), ip_address("9.9.9.8")
WISH = Subscription("sub_1", JOE, "desk", "notifymail", "9.9.9.9:79", "9.9.9.9:79")


def objection(wish: Subscription, peer: str | None = None, days: float = 29) -> str:
    sightings = MemorySightings()
    run_now(sightings.record(JOE, BEEN, NOW - days * 86400, "phone"))
    caller = Caller(JOE, "desk", peer=None if peer is None else ip_address(peer))
    return run_now(Naming(sightings, lambda: NOW)(wish, caller))


@pytest.mark.parametrize(
    ("target", "peer", "options"),
    [
        ("9.9.9.9:79", None, {}),
        ("last-ip:79", None, {}),
        ("9.9.9.8:79", "9.9.9.8", {}),  # this very connection
        ("9.9.9.8:79", "::ffff:9.9.9.8", {}),
        ("9.9.9.8:79", None, {"leave": "yes"}),
    ],
)
def test_nothing_speaks_against_it(target: str, peer: str | None, options: dict[str, str]) -> None:
    assert objection(attrs.evolve(WISH, target=target, options=options), peer) == ""


@pytest.mark.parametrize(("target", "peer"), [("9.9.9.8:79", None), ("9.9.9.8:79", "9.9.9.9")])
def test_nobody_was_there(target: str, peer: str | None) -> None:
    said = objection(attrs.evolve(WISH, target=target), peer)
    assert said.startswith("target: joe@example.net was not seen at 9.9.9.8 within 30 days")


def test_somebody_was_there_too_long_ago() -> None:
    assert objection(WISH, days=31)


def test_other_ways_are_others_business() -> None:
    assert objection(attrs.evolve(WISH, channel="webhook", target="https://a.example/")) == ""
