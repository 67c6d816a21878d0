"""What every ISightings promises. Implementations subclass it beside SynchronousTestCase."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import ISightings
from mailsuite.model.address import Address
from mailsuite.model.sighting import Sighting

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
HOME = ip_address("192.0.2.1")
WORK = ip_address("2001:db8::1")
TRAIN = ip_address("198.51.100.1")
HOTEL = ip_address("203.0.113.1")
NOON = 1_700_000_000.0


class SightingsContract:
    """Subclasses say how one is made that knows nothing."""

    def setUp(self):
        self.sightings = self.make_sightings()

    def make_sightings(self):
        raise NotImplementedError

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def record(self, peer, at, account=JOE):
        self.answer(self.sightings.record(account, peer, at))

    def last(self, since=0.0, account=JOE):
        return self.answer(self.sightings.last(account, since))

    def recent(self, since=0.0):
        return [(each.device, each.peer) for each in self.answer(self.sightings.recent(JOE, since))]

    def test_provides_the_interface(self):
        verifyObject(ISightings, self.sightings)

    def test_who_was_never_seen_is_nowhere(self):
        self.assertIsNone(self.last())
        self.record(HOME, NOON, ANN)
        self.assertIsNone(self.last())

    def test_the_newest_address_counts(self):
        self.record(HOME, NOON)
        self.assertEqual(self.last(), HOME)
        self.record(WORK, NOON + 1)
        self.assertEqual(self.last(), WORK)
        self.record(HOME, NOON + 2)
        self.assertEqual(self.last(), HOME)

    def test_each_account_has_its_own(self):
        self.record(HOME, NOON)
        self.record(WORK, NOON, ANN)
        self.assertEqual(self.last(), HOME)
        self.assertEqual(self.last(account=ANN), WORK)

    def test_what_is_too_old_does_not_count(self):
        self.record(HOME, NOON)
        self.assertEqual(self.last(NOON), HOME)
        self.assertIsNone(self.last(NOON + 0.5))

    def test_the_same_address_grows_young_again(self):
        for minute in range(0, 60, 5):
            self.record(HOME, NOON + minute * 60)
        self.assertEqual(self.last(NOON + 55 * 60), HOME)
        self.assertIsNone(self.last(NOON + 56 * 60))

    def test_a_clock_that_was_set_back_leaves_the_newest_in_front(self):
        self.record(HOME, NOON + 3600)
        self.record(WORK, NOON)
        self.assertEqual(self.last(), WORK)

    def test_who_is_forgotten_was_never_seen(self):
        self.record(HOME, NOON)
        self.record(WORK, NOON)
        self.record(HOME, NOON, ANN)
        self.answer(self.sightings.forget(JOE))
        self.assertIsNone(self.last())
        self.assertEqual(self.last(account=ANN), HOME)
        self.record(TRAIN, NOON + 1)
        self.assertEqual(self.last(), TRAIN)
        self.assertIsNone(self.last(NOON + 2))

    def test_who_was_never_seen_can_be_forgotten(self):
        self.answer(self.sightings.forget(JOE))
        self.assertIsNone(self.last())

    def test_many_addresses_leave_the_newest(self):
        for number, peer in enumerate((HOME, WORK, TRAIN, HOTEL)):
            self.record(peer, NOON + number)
        self.assertEqual(self.last(), HOTEL)

    def test_each_device_has_an_address_of_its_own(self):
        self.answer(self.sightings.record(JOE, HOME, NOON, "desk", "pop3"))
        self.answer(self.sightings.record(JOE, TRAIN, NOON + 1, "phone", "stream"))
        self.answer(self.sightings.record(JOE, HOTEL, NOON + 2, "phone", "pop3"))
        self.record(WORK, NOON + 3)
        self.assertEqual(self.recent(), [("", WORK), ("phone", HOTEL), ("desk", HOME)])
        self.assertEqual(self.recent(NOON + 1), [("", WORK), ("phone", HOTEL)])
        self.assertEqual(self.last(), WORK)
        self.assertEqual(self.answer(self.sightings.last(JOE, NOON, "desk")), HOME)
        self.assertIsNone(self.answer(self.sightings.last(JOE, NOON + 1, "desk")))
        self.assertIsNone(self.answer(self.sightings.last(JOE, NOON, "fridge")))

    def test_a_sighting_is_answered_whole(self):
        self.answer(self.sightings.record(JOE, HOME, NOON, "desk", "pop3"))
        self.answer(self.sightings.record(JOE, HOME, NOON + 60, "desk", "pop3"))
        seen = Sighting(HOME, NOON + 60, "desk", "pop3", first=NOON)
        self.assertEqual(self.answer(self.sightings.recent(JOE, NOON)), (seen,))

    def test_who_was_seen_where(self):
        self.answer(self.sightings.record(JOE, HOME, NOON, "desk", "pop3"))
        self.record(WORK, NOON)
        for peer, since, seen in ((HOME, NOON, True), (HOME, NOON + 1, False), (TRAIN, NOON, False)):
            self.assertEqual(self.answer(self.sightings.seen_from(JOE, peer, since)), seen)
        self.assertFalse(self.answer(self.sightings.seen_from(ANN, HOME, NOON)))

    def test_one_device_is_forgotten_alone(self):
        self.answer(self.sightings.record(JOE, HOME, NOON, "desk"))
        self.answer(self.sightings.record(JOE, TRAIN, NOON, "phone"))
        self.answer(self.sightings.forget(JOE, "phone"))
        self.assertEqual(self.recent(), [("desk", HOME)])
        self.answer(self.sightings.forget(JOE, "fridge"))
        self.assertEqual(self.recent(), [("desk", HOME)])
