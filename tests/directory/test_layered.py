"""The file's accounts over the database's."""

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import (
    ALREADY_EXISTS,
    DIRECTORY_UNAVAILABLE,
    NO_SUCH_ACCOUNT,
    NO_SUCH_ALIAS,
    NO_SUCH_DEVICE,
    READ_ONLY,
)

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
SUE = Address("sue", "example.org")
LEN = Address("len", "example.net")
PHONE = Device("f1", "Phone", b"in the file")
LAPTOP = Device("d1", "laptop", b"in the database")


class LayeredCase(SynchronousTestCase):
    def setUp(self):
        self.file = MemoryDirectory(
            (Account(JOE, "in the file"), Account(LEN)),
            origin=Origin.FILE,
            initial_devices={JOE: (PHONE,)},
            initial_verifiers={LEN: b"of the file"},
        )
        self.database = MemoryDirectory((Account(JOE, "in the database"), Account(ANN), Account(SUE)))
        self.directory = LayeredDirectory(self.file, self.database)

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, reply, coroutine):
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), PermanentFailure)
        self.assertEqual(failure.value.reply, reply)


class LayeredDirectoryTests(LayeredCase):
    def test_the_file_covers_the_database(self):
        self.assertEqual(self.answer(self.directory.account(JOE)).name, "in the file")
        names = [(str(account.address), account.origin) for account in self.answer(self.directory.accounts())]
        self.assertEqual(
            names,
            [
                ("ann@example.net", Origin.DATABASE),
                ("joe@example.net", Origin.FILE),
                ("len@example.net", Origin.FILE),
                ("sue@example.org", Origin.DATABASE),
            ],
        )
        self.assertEqual(
            self.answer(self.directory.domains()),
            (Domain("example.net", Origin.FILE), Domain("example.org", Origin.DATABASE)),
        )

    def test_what_is_not_in_the_file_is_the_database_s(self):
        self.assertEqual(self.answer(self.directory.account(ANN)).origin, Origin.DATABASE)
        self.assertTrue(self.answer(self.directory.has_domain("example.org")))
        self.assertFalse(self.answer(self.directory.has_domain("example.com")))

    def test_the_members_of_a_domain_are_those_of_both_each_once(self):
        both = self.answer(self.directory.accounts())
        for name in {account.address.domain for account in both}:
            wanted = sorted(account.address for account in both if account.address.domain == name)
            self.assertEqual(list(self.answer(self.directory.members(name))), wanted)

    def test_what_stands_in_the_file_is_changed_there(self):
        self.refused(READ_ONLY, self.directory.change_account(Account(JOE)))
        self.refused(READ_ONLY, self.directory.remove_account(JOE))
        self.refused(READ_ONLY, self.directory.replace_hash(JOE, "", "$argon2id$new"))
        self.refused(ALREADY_EXISTS, self.directory.add_account(Account(JOE)))
        self.refused(ALREADY_EXISTS, self.directory.add_domain("example.net"))
        self.assertEqual(self.answer(self.database.account(JOE)).name, "in the database")

    def test_writes_go_to_the_database(self):
        new = Address("new", "new.example")
        self.answer(self.directory.add_account(Account(new)))
        self.assertIsNotNone(self.answer(self.database.account(new)))
        self.answer(self.directory.change_account(Account(new, "Neo")))
        self.assertEqual(self.answer(self.database.account(new)).name, "Neo")
        self.assertTrue(self.answer(self.directory.replace_hash(new, "", "$argon2id$new")))
        self.assertEqual(self.answer(self.database.account(new)).password_hash, "$argon2id$new")
        self.answer(self.directory.remove_account(new))
        self.assertIsNone(self.answer(self.database.account(new)))

    def test_the_file_can_be_replaced(self):
        self.directory.replace_file(MemoryDirectory((Account(SUE, "moved"),), origin=Origin.FILE))
        self.assertEqual(self.answer(self.directory.account(SUE)).origin, Origin.FILE)
        self.assertEqual(self.answer(self.directory.account(JOE)).name, "in the database")

    def test_the_file_s_accounts_are_there_while_the_database_is_away(self):
        self.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.assertIsNotNone(self.answer(self.directory.account(JOE)))
        self.assertTrue(self.answer(self.directory.has_domain("example.net")))
        self.failureResultOf(Deferred.fromCoroutine(self.directory.account(ANN)), TemporaryFailure)


class LayeredAliasTests(LayeredCase):
    """Those of the file cover those of the database, and so do domains."""

    def setUp(self):
        super().setUp()
        self.in_file = Alias(Address("info", "example.net"), (JOE,), Origin.FILE)
        self.file = MemoryDirectory(
            initial_domains=[Domain("example.net", delimiters="-")],
            origin=Origin.FILE,
            initial_aliases=[self.in_file],
        )
        self.directory = LayeredDirectory(self.file, self.database)
        self.covered = Alias(self.in_file.address, (ANN, SUE))
        self.other = Alias(Address("abuse", "example.org"), (SUE, JOE))
        for alias in (self.covered, self.other):
            self.answer(self.database.add_alias(alias))

    def test_the_file_covers_the_database(self):
        self.assertEqual(self.answer(self.directory.alias(self.in_file.address)), self.in_file)
        self.assertEqual(self.answer(self.directory.alias(self.other.address)), self.other)
        self.assertEqual(self.answer(self.directory.aliases()), (self.in_file, self.other))

    def test_an_alias_that_is_covered_leads_nowhere(self):
        self.assertEqual(self.answer(self.directory.aliases_to(ANN)), ())
        self.assertEqual(self.answer(self.directory.aliases_to(SUE)), (self.other.address,))
        both = (self.in_file.address, self.other.address)
        self.assertEqual(self.answer(self.directory.aliases_to(JOE)), both)

    def test_what_stands_in_the_file_is_changed_there(self):
        self.refused(ALREADY_EXISTS, self.directory.add_alias(self.covered))
        self.refused(READ_ONLY, self.directory.change_alias(self.covered))
        self.refused(READ_ONLY, self.directory.remove_alias(self.covered.address))
        self.refused(READ_ONLY, self.directory.change_domain(Domain("example.net")))
        self.refused(NO_SUCH_ALIAS, self.directory.remove_alias(JOE))
        self.assertEqual(self.answer(self.database.alias(self.covered.address)), self.covered)

    def test_a_file_by_itself_is_read_only(self):
        self.refused(READ_ONLY, self.file.add_alias(self.other))
        self.refused(READ_ONLY, self.file.change_domain(Domain("example.net")))

    def test_writes_go_to_the_database(self):
        changed = attrs.evolve(self.other, targets=())
        self.answer(self.directory.change_alias(changed))
        self.assertEqual(self.answer(self.database.alias(self.other.address)), changed)
        self.answer(self.directory.remove_alias(self.other.address))
        self.answer(self.directory.add_alias(self.other))
        self.assertEqual(self.answer(self.database.alias(self.other.address)), self.other)

    def test_a_domain_of_the_file_covers_the_database_s(self):
        self.answer(self.database.change_domain(Domain("example.net", delimiters="+")))
        self.answer(self.directory.change_domain(Domain("example.org", delimiters="_")))
        self.assertEqual(self.answer(self.directory.domain("example.net")).delimiters, "-")
        self.assertEqual(self.answer(self.directory.domain("example.org")).delimiters, "_")
        self.assertIsNone(self.answer(self.directory.domain("example.com")))

    def test_the_file_s_aliases_are_there_while_the_database_is_away(self):
        self.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.assertEqual(self.answer(self.directory.alias(self.in_file.address)), self.in_file)
        self.assertIsNotNone(self.answer(self.directory.domain("example.net")))
        asking = self.directory.alias(self.other.address)
        self.failureResultOf(Deferred.fromCoroutine(asking), TemporaryFailure)


class LayeredDevicesTests(LayeredCase):
    """Also those of accounts that stand in the file."""

    def devices(self, account):
        found = self.answer(self.directory.devices(account))
        return [(device.name, device.origin) for device in found]

    def add(self, account, device):
        self.answer(self.directory.add_device(account, device))

    def test_an_account_of_the_file_has_devices_in_both(self):
        self.add(JOE, LAPTOP)
        both = [("laptop", Origin.DATABASE), ("Phone", Origin.FILE)]
        self.assertEqual(self.devices(JOE), both)
        listed = self.answer(self.directory.all_devices())
        self.assertEqual(
            [(owner, device.name) for owner, device in listed], [(JOE, "laptop"), (JOE, "Phone")]
        )
        self.assertEqual([device.name for device in self.answer(self.file.devices(JOE))], ["Phone"])
        self.assertEqual(
            self.answer(self.directory.whole_devices(JOE)), self.answer(self.directory.devices(JOE))
        )

    def test_an_account_of_the_database_has_devices_there(self):
        self.add(ANN, LAPTOP)
        self.assertEqual(self.devices(ANN), [("laptop", Origin.DATABASE)])
        self.assertEqual(self.answer(self.directory.all_devices())[0][0], ANN)

    def test_who_does_not_exist_has_none(self):
        nobody = Address("nobody", "example.net")
        self.refused(NO_SUCH_ACCOUNT, self.directory.add_device(nobody, LAPTOP))
        self.refused(NO_SUCH_ACCOUNT, self.directory.keep_verifiers(nobody, b"sealed"))
        self.assertEqual(self.devices(nobody), [])

    def test_a_name_in_the_file_is_taken(self):
        self.refused(ALREADY_EXISTS, self.directory.add_device(JOE, attrs.evolve(LAPTOP, name="PHONE")))
        self.add(JOE, LAPTOP)
        renamed = attrs.evolve(LAPTOP, name="phone")
        self.refused(ALREADY_EXISTS, self.directory.change_device(JOE, renamed))
        self.add(ANN, attrs.evolve(LAPTOP, id="d2", name="Phone"))

    def test_a_device_of_the_file_is_changed_there(self):
        self.refused(READ_ONLY, self.directory.remove_device(JOE, PHONE.id))
        self.refused(READ_ONLY, self.directory.change_device(JOE, attrs.evolve(PHONE, sealed=b"other")))
        self.refused(READ_ONLY, self.directory.change_device(JOE, attrs.evolve(PHONE, name="Fon")))
        self.refused(NO_SUCH_DEVICE, self.directory.remove_device(ANN, PHONE.id))
        self.assertEqual(self.devices(JOE), [("Phone", Origin.FILE)])

    def test_a_device_of_the_database_is_changed_and_removed(self):
        for account in (JOE, ANN):
            self.add(account, LAPTOP)
            self.answer(self.directory.change_device(account, attrs.evolve(LAPTOP, name="Slab")))
            self.assertIn(("Slab", Origin.DATABASE), self.devices(account))
            self.answer(self.directory.remove_device(account, LAPTOP.id))
            self.assertNotIn(("Slab", Origin.DATABASE), self.devices(account))

    def test_a_device_that_came_into_the_file_later_covers_its_namesake(self):
        self.add(JOE, LAPTOP)
        file = MemoryDirectory(
            (Account(JOE),), origin=Origin.FILE, initial_devices={JOE: (Device("f2", "LAPTOP", b"file"),)}
        )
        self.directory.replace_file(file)
        self.assertEqual(self.devices(JOE), [("LAPTOP", Origin.FILE)])
        self.assertEqual(len(self.answer(self.directory.all_devices())), 1)
        self.answer(self.directory.remove_device(JOE, LAPTOP.id))
        self.assertEqual(self.answer(self.database.all_devices()), ())

    def test_what_an_account_of_the_file_has_comes_back_with_it(self):
        self.add(LEN, LAPTOP)
        self.answer(self.directory.keep_verifiers(JOE, b"of the database"))
        self.directory.replace_file(MemoryDirectory(origin=Origin.FILE))
        self.assertEqual(self.devices(LEN), [])
        self.assertEqual(self.answer(self.directory.verifiers(LEN)), b"")
        self.directory.replace_file(self.file)
        self.assertEqual(self.devices(LEN), [("laptop", Origin.DATABASE)])
        self.assertEqual(self.answer(self.directory.verifiers(JOE)), b"of the database")

    def test_somebody_new_inherits_nothing_from_the_file_s(self):
        self.add(LEN, LAPTOP)
        self.directory.replace_file(MemoryDirectory(origin=Origin.FILE))
        self.answer(self.directory.add_account(Account(LEN)))
        self.assertEqual(self.devices(LEN), [])

    def test_the_file_s_devices_are_there_while_the_database_is_away(self):
        self.add(JOE, LAPTOP)
        self.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.assertEqual(self.devices(JOE), [("Phone", Origin.FILE)])
        for asked in (self.directory.devices(ANN), self.directory.whole_devices(JOE)):
            self.failureResultOf(Deferred.fromCoroutine(asked), TemporaryFailure)
        self.failureResultOf(Deferred.fromCoroutine(self.directory.all_devices()), TemporaryFailure)

    def test_verifiers_are_the_file_s_first(self):
        self.assertEqual(self.answer(self.directory.verifiers(LEN)), b"of the file")
        self.answer(self.directory.keep_verifiers(LEN, b"of the database"))
        self.assertEqual(self.answer(self.directory.verifiers(LEN)), b"of the file")
        self.answer(self.directory.keep_verifiers(JOE, b"of the database"))
        self.assertEqual(self.answer(self.directory.verifiers(JOE)), b"of the database")
        self.answer(self.directory.keep_verifiers(ANN, b"too"))
        self.assertEqual(self.answer(self.directory.verifiers(ANN)), b"too")
        self.assertEqual(
            self.answer(self.directory.all_verifiers()),
            ((ANN, b"too"), (JOE, b"of the database"), (LEN, b"of the file")),
        )

    def test_verifiers_are_replaced_in_the_database(self):
        def replaced(account, old, new):
            return self.answer(self.directory.replace_verifiers(account, old, new))

        self.assertTrue(replaced(JOE, b"", b"first"))
        self.assertTrue(replaced(JOE, b"first", b"second"))
        self.assertEqual(self.answer(self.directory.verifiers(JOE)), b"second")
        self.assertFalse(replaced(LEN, b"of the file", b"other"))
        self.assertEqual(self.answer(self.directory.verifiers(LEN)), b"of the file")

    def test_verifiers_that_cannot_be_known_are_not_said_to_be_none(self):
        self.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.assertEqual(self.answer(self.directory.verifiers(LEN)), b"of the file")
        self.failureResultOf(Deferred.fromCoroutine(self.directory.verifiers(JOE)), TemporaryFailure)
