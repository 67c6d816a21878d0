"""Another secret: both are good for a day, then the new one alone."""

from __future__ import annotations

from base64 import b64encode

import attrs
import pytest

from mailsuite.accounts.refusal import RegistryError
from mailsuite.concurrent.now import run_now
from mailsuite.model.address import Address
from mailsuite.model.subscription import Subscription
from mailsuite.notify.rotation import OVERLAP, rotated, settled
from mailsuite.wire.webhook import BadSecret, Secret
from tests.notify.offices import NOON
from tests.notify.test_office import OWNER, STRANGER, House, refused

PLAIN = Subscription(
    "sub_1", Address("joe", "example.net"), "", "webhook", "https://a.example/", "a.example:443", (b"o" * 32,)
)


def test_both_for_a_day_then_the_new_one() -> None:
    both = rotated(PLAIN, "", NOON)
    assert len(both.secrets) == 2
    assert both.secrets[1] == b"o" * 32
    assert settled(both, NOON + OVERLAP - 1.0) is both
    after = settled(both, NOON + OVERLAP)
    assert (after.secrets, after.options) == (both.secrets[:1], {})
    assert settled(after, NOON + 10 * OVERLAP) is after


def test_never_more_than_two() -> None:
    thrice = rotated(rotated(PLAIN, "", NOON), "", NOON + 5.0)
    assert len(thrice.secrets) == 2
    assert b"o" * 32 not in thrice.secrets


def test_one_that_is_brought_along() -> None:
    wanted = "whsec_" + b64encode(b"n" * 24).decode()
    assert rotated(PLAIN, wanted, NOON).secrets[0] == b"n" * 24
    with pytest.raises(BadSecret):
        rotated(PLAIN, "whsec_short", NOON)


def test_by_its_owner_alone_and_told_once() -> None:
    house = House()
    house.office.channels = {"webhook": attrs.evolve(house.hook, name="webhook")}
    id = house.active(channel="webhook")
    made = run_now(house.office.renew_secret(OWNER, id))
    standing = house.book.find(id)
    assert standing is not None
    assert Secret.parse(made.secret).octets == standing.subscription.secrets[0]
    assert made.secret not in str(run_now(house.office.of(OWNER)))
    refused("not-found", "no subscription", house.office.renew_secret(STRANGER, id))
    refused("bad-request", "secret: ", house.office.renew_secret(OWNER, id, "x"))
    house.now += OVERLAP
    run_now(house.office.tidy())
    standing = house.book.find(id)
    assert standing is not None
    assert len(standing.subscription.secrets) == 1


def test_of_what_signs_alone() -> None:
    house = House()
    with pytest.raises(RegistryError, match="signs nothing"):
        run_now(house.office.renew_secret(OWNER, house.active()))
