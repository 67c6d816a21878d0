"""Our SMTP and POP3, devices with views, Dovecot's IMAP and mutt in one Maildir, in any order.

Nothing is lost, nothing comes twice, a UIDL names one message for all time (features rows L-02, B-01, B-02).
"""

from __future__ import annotations

import random

import pytest

from tests.interop.both import both_servers
from tests.interop.dovecot import needs_dovecot
from tests.interop.household import DEVICES, Household
from tests.interop.programs import Desk, needs

pytestmark = [*needs_dovecot, needs("mutt")]

STEPS = 100
LOOK_EVERY = 20


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_in_any_order(desk: Desk, seed: int) -> None:
    with both_servers(DEVICES) as both:
        household = Household(both, desk, random.Random(seed))
        household.one_of_each()
        for number in range(1, STEPS + 1):
            household.step()
            if number % LOOK_EVERY == 0:
                household.look()
        for name in list(household.sessions):
            household.quit(name)
        household.look()
        assert household.trash, "POP3 removed nothing"
        assert household.archive, "IMAP moved nothing"
        assert household.saved, "mutt moved nothing"
        household.imap.logout()
