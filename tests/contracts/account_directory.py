"""What every IAccountDirectory promises. Implementations subclass it beside SynchronousTestCase."""

from __future__ import annotations

from ipaddress import ip_address

import attrs
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, Domain, NotifyPreference, NotifyState, Origin
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_ACCOUNT

JOE = Account(Address("joe", "example.net"), "Joe Doe", "$argon2id$canary")
ANN = Account(
    Address("ann", "example.net"),
    "Ann Ræ",
    notify=NotifyPreference(NotifyState.STATIC, ip_address("2001:db8::7"), 7979),
)
ZOE = Account(Address("zoe", "a.example"))


class AccountDirectoryContract:
    """Subclasses say how an empty, writable directory is made."""

    def setUp(self):
        self.directory = self.make_directory()

    def make_directory(self):
        raise NotImplementedError

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, reply, coroutine):
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), PermanentFailure)
        self.assertEqual(failure.value.reply, reply)

    def add(self, *accounts):
        for account in accounts:
            self.answer(self.directory.add_account(account))

    def test_provides_the_interface(self):
        verifyObject(IAccountDirectory, self.directory)

    def test_begins_empty(self):
        self.assertIsNone(self.answer(self.directory.account(JOE.address)))
        self.assertFalse(self.answer(self.directory.has_domain("example.net")))
        self.assertEqual(self.answer(self.directory.accounts()), ())
        self.assertEqual(self.answer(self.directory.domains()), ())

    def test_an_added_account_comes_back_as_it_was(self):
        self.add(JOE, ANN)
        for account in (JOE, ANN):
            self.assertEqual(self.answer(self.directory.account(account.address)), account)

    def test_an_account_asked_for_in_vain_is_found_once_it_is_there(self):
        self.assertIsNone(self.answer(self.directory.account(JOE.address)))
        self.assertFalse(self.answer(self.directory.has_domain("example.net")))
        self.add(JOE)
        self.assertEqual(self.answer(self.directory.account(JOE.address)), JOE)
        self.assertTrue(self.answer(self.directory.has_domain("example.net")))

    def test_every_preference_comes_back(self):
        address = ip_address("192.0.2.7")
        for number, state in enumerate((None, *NotifyState)):
            preference = NotifyPreference(state, address if number % 2 else None, 79 + number)
            account = Account(Address(f"user{number}", "example.net"), notify=preference)
            self.add(account)
            self.assertEqual(self.answer(self.directory.account(account.address)).notify, preference)
            self.assertIn(account, self.answer(self.directory.accounts()))

    def test_only_exactly_this_address_is_found(self):
        self.add(JOE)
        for local, domain in (
            ("jo", "example.net"),
            ("joe", "example.org"),
            ("j_e", "example.net"),
            ("%", "%"),
        ):
            self.assertIsNone(self.answer(self.directory.account(Address(local, domain))))

    def test_an_address_that_no_encoding_can_write_is_nobody(self):
        self.assertIsNone(self.answer(self.directory.account(Address("\udc80", "example.net"))))
        self.assertIsNone(self.answer(self.directory.account(Address("joe\0", "example.net"))))

    def test_an_account_that_was_added_is_our_own_whatever_it_says(self):
        self.add(attrs.evolve(JOE, origin=Origin.FILE))
        self.assertEqual(self.answer(self.directory.account(JOE.address)).origin, Origin.DATABASE)
        self.assertEqual(self.answer(self.directory.accounts())[0].origin, Origin.DATABASE)

    def test_an_account_brings_its_domain(self):
        self.add(JOE)
        self.assertTrue(self.answer(self.directory.has_domain("example.net")))
        self.assertFalse(self.answer(self.directory.has_domain("example.org")))
        self.assertEqual(self.answer(self.directory.domains()), (Domain("example.net"),))

    def test_an_account_joins_a_domain_that_is_there(self):
        self.answer(self.directory.add_domain("example.net"))
        self.add(JOE, ANN)
        self.assertEqual(self.answer(self.directory.domains()), (Domain("example.net"),))

    def test_lists_are_sorted(self):
        self.add(JOE, ANN, ZOE)
        self.assertEqual(self.answer(self.directory.accounts()), (ZOE, ANN, JOE))
        self.assertEqual(self.answer(self.directory.domains()), (Domain("a.example"), Domain("example.net")))

    def test_a_domain_may_be_empty(self):
        self.assertFalse(self.answer(self.directory.has_domain("empty.example")))
        self.answer(self.directory.add_domain("empty.example"))
        self.assertTrue(self.answer(self.directory.has_domain("empty.example")))
        self.assertEqual(self.answer(self.directory.accounts()), ())

    def test_nothing_is_added_twice(self):
        self.add(JOE)
        self.refused(ALREADY_EXISTS, self.directory.add_domain("example.net"))
        self.refused(ALREADY_EXISTS, self.directory.add_account(attrs.evolve(JOE, name="Other")))
        self.assertEqual(self.answer(self.directory.account(JOE.address)), JOE)

    def test_a_change_is_seen_at_once(self):
        self.add(JOE, ANN)
        self.answer(self.directory.account(JOE.address))
        changed = attrs.evolve(ANN, address=JOE.address, password_hash="$argon2id$other")
        self.answer(self.directory.change_account(changed))
        self.assertEqual(self.answer(self.directory.account(JOE.address)), changed)
        self.assertEqual(self.answer(self.directory.accounts()), (ANN, changed))

    def test_a_removed_account_is_gone_at_once(self):
        self.add(JOE, ANN)
        self.answer(self.directory.account(JOE.address))
        self.answer(self.directory.remove_account(JOE.address))
        self.assertIsNone(self.answer(self.directory.account(JOE.address)))
        self.assertEqual(self.answer(self.directory.accounts()), (ANN,))
        self.assertTrue(self.answer(self.directory.has_domain("example.net")))

    def test_a_removed_account_may_come_again(self):
        self.add(JOE)
        self.answer(self.directory.remove_account(JOE.address))
        self.add(attrs.evolve(JOE, name="Another"))
        self.assertEqual(self.answer(self.directory.account(JOE.address)).name, "Another")

    def test_who_does_not_exist_is_neither_changed_nor_removed(self):
        self.add(ANN)
        self.refused(NO_SUCH_ACCOUNT, self.directory.change_account(JOE))
        self.refused(NO_SUCH_ACCOUNT, self.directory.remove_account(JOE.address))
        self.assertEqual(self.answer(self.directory.accounts()), (ANN,))
