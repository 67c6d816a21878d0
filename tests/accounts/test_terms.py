"""What a client is told of how long mail stays and how soon it may come again."""

import pytest

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.terms import OwnRetentions, announced, left_to_housekeeping, retention_of, terms_of
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.retention import DAY, Retention, Terms
from mailsuite.model.view import Box

JOE = Account(Address("joe", "example.net"))
SUE = Account(Address("sue", "example.org"))
OWN = Account(Address("own", "example.org"), retention=Retention())
RULES = LoginRules(
    login_delay=60.0,
    domain_login_delay={"example.org": 0.0},
    retention=Retention(30 * DAY),
    domain_retention={"example.org": Retention(7 * DAY, 9 * DAY)},
)


def test_the_nearest_word_counts():
    assert retention_of(JOE, RULES) == Retention(30 * DAY)
    assert retention_of(SUE, RULES) == Retention(7 * DAY, 9 * DAY)
    assert retention_of(OWN, RULES) == Retention()
    assert retention_of(JOE, LoginRules()) == Retention()


def test_what_goes_at_quit_is_not_for_the_housekeeping():
    assert left_to_housekeeping(Retention(0.0, 9 * DAY)) == Retention(9 * DAY, 9 * DAY)
    assert left_to_housekeeping(Retention(0.0)) == Retention()
    for retention in (Retention(), Retention(DAY), Retention(None, DAY), Retention(9 * DAY, DAY)):
        assert left_to_housekeeping(retention) == retention


@pytest.mark.parametrize(
    ("retention", "expire"),
    [
        (Retention(), None),
        (Retention(30 * DAY), 30),
        (Retention(None, 120 * DAY), 120),
        (Retention(90 * DAY, 120 * DAY), 90),
        (Retention(120 * DAY, 90 * DAY), 90),
        (Retention(2.9 * DAY), 2),
        (Retention(0.5 * DAY), 1),
        (Retention(0.0), 0),
        (Retention(0.0, 30 * DAY), 0),
    ],
)
def test_whole_days_that_any_message_stays(retention, expire):
    assert terms_of(JOE, LoginRules(retention=retention)) == Terms(expire, 0)
    assert announced(LoginRules(retention=retention)) == (Terms(expire, 0), False)


def test_the_terms_of_an_account():
    assert terms_of(JOE, RULES) == Terms(30, 60)
    assert terms_of(SUE, RULES) == Terms(7, 0)
    assert terms_of(OWN, RULES) == Terms(None, 0)
    assert terms_of(JOE, LoginRules(login_delay=0.5)).login_delay == 1


@pytest.mark.parametrize("box", [Box.TRASH, Box.RESTORE])
def test_deleted_mail_is_not_removed_for_being_retrieved(box):
    rules = LoginRules(login_delay=60.0, retention=Retention(0.0))
    assert terms_of(JOE, rules, box) == Terms(tells_expire=False, tops_count=box is Box.RESTORE)


@pytest.mark.parametrize(
    ("rules", "own", "expected"),
    [
        (LoginRules(), (), (Terms(None, 0), False)),
        (LoginRules(), (Retention(),), (Terms(None, 0), False)),
        (LoginRules(), (Retention(9 * DAY), Retention(0.0)), (Terms(0, 0), True)),
        (LoginRules(retention=Retention(3 * DAY)), (Retention(),), (Terms(3, 0), True)),
        (RULES, (), (Terms(7, 60), True)),
        (LoginRules(login_delay=9.0, domain_login_delay={"x": 60.0}), (), (Terms(None, 60), True)),
        (LoginRules(login_delay=9.0, domain_login_delay={"x": 9.0}), (), (Terms(None, 9), False)),
        (LoginRules(domain_retention={"x": Retention()}), (), (Terms(None, 0), False)),
    ],
)
def test_before_the_login_the_strictest_terms_are_told(rules, own, expected):
    assert announced(rules, own) == expected


def test_what_single_accounts_say_is_followed():
    own = OwnRetentions()
    assert own.distinct == frozenset()
    own.learn([JOE, SUE, OWN])
    assert own.distinct == {Retention()}
    own.note(Account(JOE.address, retention=Retention(DAY)))
    own.note(Account(SUE.address, retention=Retention(DAY)))
    assert own.distinct == {Retention(), Retention(DAY)}
    own.note(Account(JOE.address))
    own.forget(SUE.address)
    own.forget(SUE.address)
    assert own.distinct == {Retention()}
    own.learn([])
    assert own.distinct == frozenset()
