"""The cache of accounts: bounded, and sure of what it says."""

from mailsuite.directory.sqlite import cache as subject
from mailsuite.directory.sqlite.cache import UNSURE, AccountCache
from mailsuite.model.account import Account
from mailsuite.model.address import Address


def address(number):
    return Address(f"user{number}", "example.net")


def test_it_knows_what_it_was_told():
    cache = AccountCache()
    assert cache.account(address(1)) is UNSURE
    cache.learn(address(1), Account(address(1)))
    assert cache.account(address(1)) == Account(address(1))
    cache.learn(address(1), None)
    assert cache.account(address(1)) is None
    cache.learn(address(1), Account(address(1), "Again"))
    assert cache.account(address(1)) == Account(address(1), "Again")
    cache.forget()
    assert cache.account(address(1)) is UNSURE


def test_what_was_learnt_twice_is_forgotten_once():
    """An address that was nobody's and became somebody's is in one room only."""
    cache = AccountCache()
    cache.learn(address(1), None)
    cache.learn(address(1), Account(address(1)))
    for number in range(2, subject.MAX_ACCOUNTS + 2):
        cache.learn(address(number), Account(address(number)))
    assert cache.account(address(1)) is UNSURE


def test_strangers_who_guess_push_no_account_out():
    cache = AccountCache()
    cache.learn(address(0), Account(address(0)))
    for number in range(1, subject.MAX_UNKNOWN + 2):
        cache.learn(address(number), None)
    assert cache.account(address(0)) is not UNSURE
    assert cache.account(address(1)) is UNSURE
    assert cache.account(address(subject.MAX_UNKNOWN + 1)) is None


def test_domains_are_known_all_together():
    cache = AccountCache()
    assert cache.has_domain("a.example") is UNSURE
    cache.learn_domain("a.example")
    assert cache.has_domain("a.example") is UNSURE
    cache.learn_domains(["b.example"])
    assert cache.has_domain("a.example") is False
    cache.learn_domain("a.example")
    assert cache.has_domain("a.example") is True
    assert cache.has_domain("b.example") is True
    cache.forget()
    assert cache.has_domain("b.example") is UNSURE
