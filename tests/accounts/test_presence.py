"""Owners who come, come from somewhere new, and fetch mail: what of it is told, and that it harms nobody."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from twisted.internet.defer import CancelledError, Deferred

from mailsuite.accounts import presence as subject
from mailsuite.accounts.presence import FETCHED_AFTER, Presence, place_of
from mailsuite.concurrent.threads import Inline
from mailsuite.delivery.arrivals import NobodyFollows
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.login import LoginRecord
from mailsuite.model.notice import Kind, Level
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.model.view import Box
from tests.accounts.fakes import attempt, digest
from tests.accounts.gates import JOE, NOON, password_of
from tests.accounts.test_login import LoginCase
from tests.delivery.case import Intake

ANN = Address("ann", "example.net")
HOME, NEIGHBOUR, TRAIN = (ip_address(text) for text in ("192.0.2.1", "192.0.2.77", "198.51.100.1"))


@pytest.mark.parametrize(
    ("peer", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("::ffff:192.0.2.1", "192.0.2.9", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_what_counts_as_one_place(peer: str, other: str, is_same: bool) -> None:
    assert (place_of(ip_address(peer)) == place_of(ip_address(other))) is is_same


class LooseLogins:
    """Says what others say, when a test lets it."""

    def __init__(self, logins):
        self.logins = logins
        self.held = None
        self.asked = 0

    async def of(self, account):
        self.asked += 1
        if self.held is not None:
            await self.held
        return await self.logins.of(account)


class PresenceCase(LoginCase):
    def setUp(self):
        super().setUp()
        self.intake = Intake({JOE.address: Level.COUNT})
        self.came = []
        self.presence = Presence(
            self.intake,
            self.logins,
            self.clock,
            self.clock.seconds,
            self.tasks,
            self.log,
            self.came.append,
        )
        self.use(Inline(), presence=self.presence)

    def told(self):
        return [(each.kind, each.account, each.detail) for each in self.intake.happenings]

    def comes(self, peer=HOME, account=JOE.address, device="", service="pop3"):
        login = LoginRecord(account, device, service, "USER", peer, self.clock.seconds())
        self.do(self.presence.look_at(login, device))
        self.do(self.logins.record(login))


class PlaceTests(PresenceCase):
    def test_the_first_login_of_all_is_no_news(self):
        self.comes()
        self.comes(NEIGHBOUR)
        self.assertEqual(self.told(), [])

    def test_one_from_elsewhere_is_once(self):
        self.comes()
        self.comes(TRAIN, device="phone")
        detail = "pop3 login from 198.51.100.1 by the password of phone, where nobody has logged in before"
        self.assertEqual(self.told(), [(Kind.LOGIN_NEW, JOE.address, detail)])
        self.assertEqual(self.intake.happenings[0].at, self.clock.seconds())
        self.comes(TRAIN)
        self.comes(HOME)
        self.assertEqual(len(self.told()), 1)
        self.assertIn("login.new_place", "".join(self.lines))

    def test_it_is_known_after_a_restart(self):
        self.comes()
        self.comes(TRAIN)
        self.presence._places.clear()
        self.comes(TRAIN)
        self.comes(HOME, service="submission")
        self.assertEqual(len(self.told()), 1)

    def test_two_at_once_are_one(self):
        self.comes()
        login = LoginRecord(JOE.address, "", "pop3", "USER", TRAIN, NOON)
        logins = self.presence.logins = LooseLogins(self.logins)
        logins.held = Deferred()
        asking = [Deferred.fromCoroutine(self.presence.look_at(login)) for _ in range(2)]
        logins.held.callback(None)
        for each in asking:
            self.successResultOf(each)
        self.assertEqual(len(self.told()), 1)

    def test_of_others_nothing_is_asked(self):
        logins = self.presence.logins = LooseLogins(self.logins)
        self.comes(account=ANN)
        self.comes(TRAIN, account=ANN)
        self.assertEqual((self.told(), logins.asked), ([], 0))

    def test_where_it_cannot_be_known_it_is_asked_again(self):
        self.comes()
        self.logins.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")
        login = LoginRecord(JOE.address, "", "pop3", "USER", TRAIN, NOON)
        self.do(self.presence.look_at(login))
        self.assertIn("login.unjudged account=joe@example.net reason=locked", self.lines[-1])
        self.logins.refuse_with = None
        self.comes(TRAIN)
        self.assertEqual(len(self.told()), 1)

    def test_so_many_places_are_remembered(self):
        self.patch(subject, "MAX_PLACES", 2)
        for peer in (HOME, TRAIN, ip_address("203.0.113.1"), HOME):
            self.comes(peer)
        self.assertEqual(len(self.presence._places), 2)
        self.assertEqual(len(self.told()), 2)

    def test_whoever_has_the_address_next_is_somebody_else(self):
        self.comes()
        self.comes(TRAIN)
        self.presence._places[ANN, place_of(HOME)] = None
        self.presence.forget(JOE.address)
        self.assertEqual([account for account, _ in self.presence._places], [ANN])

    def test_stopping_ends_the_wait(self):
        self.intake.held = Deferred()
        self.comes()
        looking = Deferred.fromCoroutine(
            self.presence.look_at(LoginRecord(JOE.address, "", "pop3", "USER", TRAIN, NOON))
        )
        looking.cancel()
        self.failureResultOf(looking, CancelledError)


class FetchedTests(PresenceCase):
    def cleared(self):
        return [
            (each.account, each.uidl) for each in self.intake.happenings if each.kind is Kind.MAIL_CLEARED
        ]

    def test_what_is_fetched_in_a_row_is_told_in_one_go(self):
        for uidl in ("u1", "u2", "u1"):
            self.presence.fetched(JOE.address, uidl)
        self.presence.fetched(ANN, "u1")
        self.assertEqual(self.cleared(), [])
        self.clock.advance(FETCHED_AFTER)
        self.assertEqual(self.cleared(), [(JOE.address, "u1"), (JOE.address, "u2"), (ANN, "u1")])
        self.clock.advance(10)
        self.assertEqual(len(self.cleared()), 3)
        self.presence.fetched(JOE.address, "u3")
        self.clock.advance(FETCHED_AFTER)
        self.assertEqual(len(self.cleared()), 4)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_the_end_it_is_told_at_once(self):
        self.presence.stop()
        self.presence.fetched(JOE.address, "u1")
        self.presence.stop()
        self.assertEqual(len(self.cleared()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_more_is_gathered_than_there_is_room_for(self):
        self.patch(subject, "MAX_FETCHED", 2)
        for number in range(5):
            self.presence.fetched(JOE.address, str(number))
        self.presence.stop()
        self.assertEqual(len(self.cleared()), 2)


class LoginTests(PresenceCase):
    def test_each_login_is_heard_of(self):
        self.successResultOf(self.maildrop(digest("joe", password_of("eudora"))))
        self.successResultOf(self.submitter(attempt("joe", service="submission")))
        self.assertEqual([login.service for login in self.came], ["pop3", "submission"])
        self.assertEqual(self.came, list(reversed(self.recorded())))

    def test_one_that_fails_is_not(self):
        self.refused(self.maildrop(attempt("joe", "no-swordfish")))
        self.assertEqual((self.came, self.told()), ([], []))

    def test_a_new_place_is_told_with_the_name_of_the_device(self):
        self.do(self.logins.record(LoginRecord(JOE.address, "", "pop3", "USER", TRAIN, NOON - 60)))
        self.successResultOf(self.maildrop(digest("joe", password_of("eudora"))))
        [(kind, _, detail)] = self.told()
        self.assertEqual(kind, Kind.LOGIN_NEW)
        self.assertIn(" by the password of eudora, ", detail)

    def test_what_is_fetched_from_the_inbox(self):
        opened = self.successResultOf(self.maildrop(attempt("joe")))
        opened.fetched("u1")
        self.clock.advance(FETCHED_AFTER)
        self.assertEqual([each.uidl for each in self.intake.happenings], ["u1"])

    def test_what_is_looked_at_in_the_trash_is_no_news(self):
        opened = self.successResultOf(self.maildrop(attempt("joe+trash")))
        self.assertEqual(opened.view.box, Box.TRASH)
        opened.fetched("u1")
        self.clock.advance(FETCHED_AFTER)
        self.assertEqual(self.intake.happenings, [])

    def test_where_nobody_is_told_of_anything(self):
        presence = Presence(
            NobodyFollows(), self.logins, self.clock, self.clock.seconds, self.tasks, self.log
        )
        for parts in ({}, {"presence": presence}):
            self.use(Inline(), **parts)
            opened = self.successResultOf(self.maildrop(attempt("joe")))
            opened.fetched("u1")
            self.do(opened.maildrop.release())
            self.clock.advance(FETCHED_AFTER)
        self.assertEqual(self.intake.happenings, [])
