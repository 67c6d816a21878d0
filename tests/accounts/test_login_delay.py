"""How long a login has to wait for the last one, and what a knock does about it."""

from ipaddress import ip_address

import pytest

from mailsuite.accounts.login_delay import (
    KEPT_INTERVALS,
    KNOCK_LIFE,
    MAX_IMPATIENT,
    MAX_KNOCKS,
    MAX_LOGINS,
    Impatient,
    LoginDelay,
)
from mailsuite.model.address import Address
from mailsuite.model.failure import LoginTooSoon, TemporaryFailure

JOE, ANN = Address("joe", "example.net"), Address("ann", "example.net")
PEER, OTHER = ip_address("192.0.2.9"), ip_address("2001:db8::7")


class Polls:
    """Somebody who logs in, on a clock that is turned by hand."""

    def __init__(self):
        self.now = 1000.0
        self.delay = LoginDelay(lambda: self.now)

    def wait(self, seconds):
        self.now += seconds
        return self

    def is_let_in(self, account=JOE, device="", delay=60.0, peer=PEER):
        try:
            turn = self.delay.judge(account, device, delay, peer)
        except LoginTooSoon:
            return False
        self.delay.succeeded(account, device, turn)
        return True

    def knock(self, account=JOE):
        self.delay.knocked(account)


@pytest.fixture
def polls():
    return Polls()


def test_the_next_login_waits_for_the_last_one(polls):
    assert polls.is_let_in()
    with pytest.raises(LoginTooSoon) as caught:
        polls.wait(20).delay.judge(JOE, "", 60.0, PEER)
    assert isinstance(caught.value, TemporaryFailure)
    assert (caught.value.left, caught.value.reason) == (
        40.0,
        "the last login was too short a time ago; 40 s are left",
    )
    assert not polls.wait(39.9).is_let_in(), "who was refused does not wait longer for it"
    assert polls.wait(0.1).is_let_in()
    assert not polls.is_let_in()


def test_only_a_login_that_succeeded_counts(polls):
    polls.delay.judge(JOE, "", 60.0, PEER)
    assert polls.is_let_in()


def test_it_counts_from_when_the_client_was_told(polls):
    turn = polls.delay.judge(JOE, "", 60.0, PEER)
    polls.wait(10).delay.succeeded(JOE, "", turn)
    assert not polls.wait(59).is_let_in()
    assert polls.wait(1).is_let_in()


def test_each_account_and_each_password_has_its_own(polls):
    assert polls.is_let_in()
    assert polls.is_let_in(ANN)
    assert polls.is_let_in(device="d1")
    assert polls.is_let_in(device="d2")
    assert not polls.is_let_in(device="d1", peer=OTHER), "wherever it is used"


def test_without_a_delay_nobody_waits(polls):
    assert polls.is_let_in()
    assert polls.is_let_in(delay=0.0)


def test_a_clock_that_was_set_back_keeps_nobody_out(polls):
    polls.is_let_in()
    assert polls.wait(-100).is_let_in()


def test_a_knock_opens_the_door_once_to_each_password(polls):
    for device in ("", "d1", "d2"):
        polls.is_let_in(device=device)
    polls.knock()
    for device in ("", "d1", "d2"):
        assert polls.is_let_in(device=device)
        assert not polls.is_let_in(device=device)
    polls.knock(ANN)
    assert not polls.is_let_in()
    polls.knock()
    polls.knock()
    assert polls.is_let_in()
    assert not polls.is_let_in(), "two knocks before one login call for one login"


def test_what_knocks_during_a_login_is_news_to_it(polls):
    turn = polls.delay.judge(JOE, "", 60.0, PEER)
    polls.knock()
    polls.delay.succeeded(JOE, "", turn)
    assert polls.is_let_in()
    assert not polls.is_let_in()


def test_what_knocked_before_a_login_is_no_news(polls):
    polls.knock()
    assert polls.is_let_in()
    assert not polls.wait(1).is_let_in()


def test_a_login_that_failed_after_all_leaves_the_door_open(polls):
    polls.is_let_in()
    polls.knock()
    polls.delay.judge(JOE, "", 60.0, PEER)
    assert polls.is_let_in()


@pytest.mark.parametrize(("seconds", "called"), [(KNOCK_LIFE - 1, True), (KNOCK_LIFE, False), (-1, False)])
def test_a_knock_is_forgotten_after_a_while(polls, seconds, called):
    polls.is_let_in(delay=86400.0)
    polls.wait(10).knock()
    assert polls.wait(seconds).is_let_in(delay=86400.0) is called


def test_who_comes_too_soon_is_told_of(polls):
    assert polls.delay.impatient() == ()
    polls.is_let_in()
    polls.is_let_in(ANN, "d1")
    for seconds in (10, 10, 4):
        polls.wait(seconds).is_let_in()
    polls.is_let_in(ANN, "d1", peer=OTHER)
    assert polls.delay.impatient() == (
        Impatient(JOE, "", PEER, 3, 10.0, 1024.0),
        Impatient(ANN, "d1", OTHER, 1, 24.0, 1024.0),
    )
    polls.wait(100).is_let_in()
    polls.wait(5).is_let_in()
    assert polls.delay.impatient()[0].interval == 7.5, "from the login on"
    for _ in range(KEPT_INTERVALS):
        polls.wait(1).is_let_in()
    assert polls.delay.impatient()[0].interval == 1.0, "of the last ones"


def account(number):
    return Address(f"u{number}", "example.net")


def test_all_that_is_kept_is_bounded(polls):
    for number in range(MAX_LOGINS + 1):
        polls.is_let_in(account(number), delay=86400.0)
    assert polls.is_let_in(account(0), delay=86400.0), "the oldest is forgotten"
    assert not polls.is_let_in(account(2), delay=86400.0)
    for number in range(MAX_IMPATIENT + 1):
        polls.is_let_in(account(MAX_LOGINS - number), delay=86400.0)
    assert len(polls.delay.impatient()) == MAX_IMPATIENT
    polls.knock(account(MAX_LOGINS))
    for number in range(MAX_KNOCKS):
        polls.knock(account(number))
    assert not polls.is_let_in(account(MAX_LOGINS), delay=86400.0)
