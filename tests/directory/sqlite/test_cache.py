"""The cache of accounts: bounded, and sure of what it says."""

from mailsuite.directory.sqlite import cache as subject
from mailsuite.directory.sqlite.cache import NOTHING, UNSURE, AccountCache, Kept
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device


def address(number):
    return Address(f"user{number}", "example.net")


def kept(number, name=""):
    return Kept(Account(address(number), name))


def test_it_knows_what_it_was_told():
    cache = AccountCache()
    assert cache.kept(address(1)) is UNSURE
    cache.learn(address(1), kept(1))
    assert cache.kept(address(1)) == kept(1)
    cache.learn(address(1), NOTHING)
    assert cache.kept(address(1)) == NOTHING
    cache.learn(address(1), kept(1, "Again"))
    assert cache.kept(address(1)) == kept(1, "Again")
    cache.forget()
    assert cache.kept(address(1)) is UNSURE


def test_what_was_learnt_twice_is_forgotten_once():
    """An address that was nobody's and became somebody's is in one room only."""
    cache = AccountCache()
    cache.learn(address(1), NOTHING)
    cache.learn(address(1), kept(1))
    for number in range(2, subject.MAX_ACCOUNTS + 2):
        cache.learn(address(number), kept(number))
    assert cache.kept(address(1)) is UNSURE


def test_strangers_who_guess_push_nobody_out():
    """Neither an account, nor one of the configuration file that has no more here than this."""
    cache = AccountCache()
    there = [
        kept(0),
        Kept(devices=(Device("d", "Phone", b"s"),)),
        Kept(verifiers=b"v"),
        Kept(alias=Alias(address(3))),
    ]
    for number, each in enumerate(there):
        cache.learn(address(number), each)
    for number in range(4, subject.MAX_UNKNOWN + 5):
        cache.learn(address(number), NOTHING)
    assert [cache.kept(address(number)) for number in range(4)] == there
    assert cache.kept(address(4)) is UNSURE
    assert cache.kept(address(subject.MAX_UNKNOWN + 4)) == NOTHING


def test_it_shows_nothing_secret():
    sealed = Kept(devices=(Device("d", "Phone", b"canary"),), verifiers=b"canary")
    assert "canary" not in repr(sealed)


def test_domains_are_known_all_together():
    cache = AccountCache()
    assert cache.domain("a.example") is UNSURE
    ours = Domain("b.example", same_as="c.example")
    cache.learn_domains([ours])
    assert cache.domain("a.example") is None
    assert cache.domain("b.example") == ours
    cache.forget()
    assert cache.domain("b.example") is UNSURE
