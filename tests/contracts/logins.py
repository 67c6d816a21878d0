"""What every ILogins promises. Implementations subclass it beside SynchronousTestCase."""

from __future__ import annotations

from ipaddress import ip_address

import attrs
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.directory.logins import DAY, KEPT_LAST_SECONDS, KEPT_PEERS, KEPT_SECONDS
from mailsuite.interfaces import ILogins
from mailsuite.model.address import Address
from mailsuite.model.login import LoginRecord

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
HOME = ip_address("192.0.2.1")
TRAIN = ip_address("2001:db8::1")
NOON = 1_700_000_000.0
POLL = LoginRecord(JOE, "phone", "pop3", "APOP", HOME, NOON)


def at(time, login=POLL, **changes):
    return attrs.evolve(login, at=time, **changes)


class LoginsContract:
    """Subclasses say how one is made that knows nothing."""

    def setUp(self):
        self.logins = self.make_logins()

    def make_logins(self):
        raise NotImplementedError

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def record(self, *logins):
        for login in logins:
            self.answer(self.logins.record(login))

    def since(self, time=0.0):
        return self.answer(self.logins.since(time))

    def last_uses(self, account=JOE):
        return self.answer(self.logins.last_uses(account))

    def of(self, account=JOE):
        return self.answer(self.logins.of(account))

    def test_all_of_one_account(self):
        self.assertEqual(self.of(), ())
        first, second = POLL, at(NOON + 5, peer=TRAIN)
        self.record(first, second, at(NOON + 1, account=ANN))
        self.assertEqual(self.of(), (second, first))
        self.assertEqual(self.of(Address("joe", "example.org")), ())

    def test_provides_the_interface(self):
        verifyObject(ILogins, self.logins)

    def test_begins_knowing_nothing(self):
        self.assertEqual(self.since(), ())
        self.assertEqual(self.last_uses(), {})

    def test_a_login_comes_back_as_it_was(self):
        odd = LoginRecord(Address("two words", "example.net"), "", "submission", "PLAIN", TRAIN, NOON + 0.5)
        self.record(odd)
        self.assertEqual(self.since(), (odd,))
        self.assertEqual(self.last_uses(odd.account), {"": odd})

    def test_of_each_way_the_newest_counts(self):
        for minute in range(0, 60, 5):
            self.record(at(NOON + minute * 60))
        newest = at(NOON + 55 * 60)
        self.assertEqual(self.since(), (newest,))
        self.assertEqual(self.last_uses(), {"phone": newest})

    def test_every_difference_makes_another_way(self):
        ways = (
            POLL,
            at(NOON + 1, account=ANN),
            at(NOON + 2, device="laptop"),
            at(NOON + 3, service="submission"),
            at(NOON + 4, mechanism="USER"),
            at(NOON + 5, peer=TRAIN),
        )
        self.record(*ways)
        self.assertEqual(self.since(), ways[::-1])

    def test_the_newest_come_first_whatever_came_last(self):
        early, late = at(NOON, device="laptop"), at(NOON + 1)
        self.record(late, early)
        self.assertEqual(self.since(), (late, early))

    def test_what_is_older_is_not_asked_for(self):
        self.record(POLL, at(NOON + 60, device="laptop"))
        self.assertEqual(self.since(NOON), (at(NOON + 60, device="laptop"), POLL))
        self.assertEqual(self.since(NOON + 0.5), (at(NOON + 60, device="laptop"),))
        self.assertEqual(self.since(NOON + 61), ())
        self.record(at(NOON + 90))
        self.assertEqual(self.since(NOON + 61), (at(NOON + 90),))

    def test_the_last_use_of_each_device_and_of_the_account_s_own_password(self):
        own = at(NOON + 5, device="", mechanism="PLAIN")
        self.record(POLL, at(NOON + 10, peer=TRAIN), at(NOON + 3, mechanism="USER"), own)
        self.record(at(NOON + 20, account=ANN))
        self.assertEqual(self.last_uses(), {"phone": at(NOON + 10, peer=TRAIN), "": own})
        self.assertEqual(self.last_uses(ANN), {"phone": at(NOON + 20, account=ANN)})

    def test_a_clock_that_was_set_back_harms_nobody(self):
        self.record(at(NOON + 3600), POLL)
        self.assertEqual(self.since(), (POLL,))

    def test_a_device_is_forgotten_alone(self):
        others = (at(NOON + 2, account=ANN), at(NOON + 1, device=""))
        self.record(POLL, at(NOON, peer=TRAIN), *others)
        self.answer(self.logins.forget(JOE, "phone"))
        self.assertEqual(self.since(), others)
        self.answer(self.logins.forget(JOE, ""))
        self.assertEqual(self.since(), others[:1])

    def test_an_account_is_forgotten_whole(self):
        self.record(POLL, at(NOON, device=""), at(NOON, account=ANN))
        self.answer(self.logins.forget(JOE))
        self.assertEqual(self.since(), (at(NOON, account=ANN),))
        self.assertEqual(self.last_uses(), {})
        self.record(at(NOON + 1))
        self.assertEqual(self.last_uses(), {"phone": at(NOON + 1)})

    def test_who_never_came_can_be_forgotten(self):
        self.answer(self.logins.forget(JOE))
        self.answer(self.logins.forget(JOE, "phone"))
        self.assertEqual(self.since(), ())

    def test_after_a_month_the_newest_of_each_device_is_left(self):
        last, own = at(NOON + 10, mechanism="USER"), at(NOON + 1, device="")
        self.record(POLL, at(NOON + 5, peer=TRAIN), last, own)
        later = at(NOON + KEPT_SECONDS + DAY, account=ANN)
        self.record(later)
        self.assertEqual(self.since(), (later, last, own))

    def test_what_is_not_a_month_old_is_left(self):
        self.record(POLL, at(NOON + 1, peer=TRAIN))
        later = at(NOON + KEPT_SECONDS, account=ANN)
        self.record(later)
        self.assertEqual(self.since(), (later, at(NOON + 1, peer=TRAIN), POLL))

    def test_after_a_year_nothing_is_left(self):
        self.record(POLL)
        later = at(NOON + KEPT_LAST_SECONDS + DAY, account=ANN)
        self.record(later)
        self.assertEqual(self.since(), (later,))

    def test_of_many_addresses_the_newest_are_left(self):
        own = at(NOON - 1, mechanism="USER")
        self.record(own)
        ways = [
            at(NOON + number, peer=ip_address(f"2001:db8::{number + 1:x}"))
            for number in range(KEPT_PEERS + 10)
        ]
        self.record(*ways)
        self.assertEqual(self.since(), (*ways[:9:-1], own))
        self.assertEqual(self.last_uses(), {"phone": ways[-1]})
