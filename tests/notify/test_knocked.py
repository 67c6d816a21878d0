"""Who is known to have been told: for whom the door of the login delay opens (features row B-09)."""

from __future__ import annotations

from mailsuite.model.account import NotifyState
from mailsuite.model.address import Address
from mailsuite.notify.doors import MAX_WAITING
from mailsuite.notify.notifier import NotifierSettings
from mailsuite.notify.patience import RETRY_AFTER
from mailsuite.notify.targets import TargetRules
from tests.notify.fakes import HOME, account
from tests.notify.test_notifier import ANN, JOE, START, WINDOW, NotifierTestCase

OTHER_RULES = NotifierSettings(rules=TargetRules(last_ip_expiry=3600.0))


class KnockedTests(NotifierTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sightings.seen[ANN] = (HOME, START)

    def test_whoever_was_told_and_not_before(self) -> None:
        self.mail()
        self.assertEqual(self.told, [])
        self.channel.knocks[0].sent()
        self.assertEqual(self.told, [JOE])
        self.clock.advance(WINDOW)
        self.mail()
        self.channel.knocks[1].answered()
        self.assertEqual(self.told, [JOE, JOE])

    def test_nobody_where_nobody_listens_or_answers(self) -> None:
        self.mail()
        self.channel.knocks[0].timed_out()
        self.clock.advance(RETRY_AFTER)
        self.channel.knocks[1].refused()
        self.assertEqual(self.told, [])

    def test_nobody_where_the_knock_was_broken_off(self) -> None:
        self.mail()
        self.stop()
        self.assertEqual((self.channel.knocks[0].cancelled, self.told), (True, []))

    def test_one_knock_tells_all_whose_mail_came_within_the_window(self) -> None:
        self.mail(ANN)
        self.channel.knocks[0].sent()
        for to in (JOE, ANN, JOE):
            self.mail(to)
        self.assertEqual(self.told, [ANN])
        self.clock.advance(WINDOW)
        self.channel.knocks[1].sent()
        self.assertEqual(self.told, [ANN, ANN, JOE])
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.channel.knocks), 2)

    def test_the_second_try_tells_those_of_the_first_and_those_since(self) -> None:
        self.mail(JOE)
        self.mail(ANN)
        self.channel.knocks[0].timed_out()
        self.clock.advance(RETRY_AFTER)
        self.channel.knocks[1].sent()
        self.assertEqual(self.told, [JOE, ANN])

    def test_what_waits_when_the_rules_change_is_judged_again_for_each(self) -> None:
        self.mail(JOE)
        self.channel.knocks[0].sent()
        self.mail(ANN)
        self.mail(JOE)
        self.notifier.reload(OTHER_RULES)
        self.clock.advance(WINDOW)
        self.channel.knocks[1].sent()
        self.assertEqual(self.told, [JOE, ANN, JOE])

    def test_a_thousand_accounts_behind_one_address_are_not_all_remembered(self) -> None:
        names = [f"user{number}" for number in range(MAX_WAITING + 3)]
        self.accounts.put(*(account(name, NotifyState.STATIC, HOME) for name in names))
        self.mail(JOE)
        for name in names:
            self.mail(Address(name, "example.net"))
        self.channel.knocks[0].sent()
        self.clock.advance(WINDOW)
        self.channel.knocks[1].sent()
        self.assertEqual([each.local for each in self.told], ["joe", *names[3:]])
