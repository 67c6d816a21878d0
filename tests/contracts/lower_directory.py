"""What every ILowerDirectory promises beside the rest. Subclass it beside SynchronousTestCase."""

from __future__ import annotations

import attrs
from zope.interface.verify import verifyObject

from mailsuite.directory.lower import ILowerDirectory
from mailsuite.model.reply import ALREADY_EXISTS
from tests.contracts.account_directory import ANN, JOE, LAPTOP, PHONE, AccountDirectoryContract


class LowerDirectoryContract(AccountDirectoryContract):
    def add_elsewhere(self, account, *devices):
        for device in devices:
            self.answer(self.directory.add_device(account.address, device, elsewhere=True))

    def test_provides_the_interface_of_lower_ones(self):
        verifyObject(ILowerDirectory, self.directory)

    def test_an_account_elsewhere_has_devices_here(self):
        self.add_elsewhere(JOE, PHONE, LAPTOP)
        self.assertEqual(self.answer(self.directory.devices(JOE.address, elsewhere=True)), (LAPTOP, PHONE))
        self.assertEqual(
            self.answer(self.directory.all_devices()), ((JOE.address, LAPTOP), (JOE.address, PHONE))
        )
        self.assertIsNone(self.answer(self.directory.account(JOE.address)))
        self.assertFalse(self.answer(self.directory.has_domain("example.net")))

    def test_an_account_elsewhere_has_verifiers_here(self):
        self.answer(self.directory.keep_verifiers(JOE.address, b"sealed", elsewhere=True))
        self.assertEqual(self.answer(self.directory.verifiers(JOE.address, elsewhere=True)), b"sealed")
        self.assertEqual(self.answer(self.directory.all_verifiers()), ((JOE.address, b"sealed"),))

    def test_verifiers_of_an_account_elsewhere_are_replaced_here(self):
        def replaced(old, new, **where):
            return self.answer(self.directory.replace_verifiers(JOE.address, old, new, **where))

        self.assertIs(replaced(b"", b"first"), False)
        self.assertIs(replaced(b"", b"first", elsewhere=True), True)
        self.assertIs(replaced(b"", b"second", elsewhere=True), False)
        self.assertIs(replaced(b"first", b"second"), True)
        self.assertEqual(self.answer(self.directory.all_verifiers()), ((JOE.address, b"second"),))

    def test_where_there_is_no_account_they_are_nobody_s(self):
        self.add_elsewhere(JOE, PHONE)
        self.answer(self.directory.keep_verifiers(JOE.address, b"sealed", elsewhere=True))
        self.assertEqual(self.devices(JOE), ())
        self.assertEqual(self.verifiers(JOE), b"")

    def test_they_can_be_changed_and_removed_all_the_same(self):
        self.add_elsewhere(JOE, PHONE)
        changed = attrs.evolve(PHONE, sealed=b"anew")
        self.answer(self.directory.change_device(JOE.address, changed))
        self.assertEqual(self.answer(self.directory.devices(JOE.address, elsewhere=True)), (changed,))
        self.answer(self.directory.remove_device(JOE.address, PHONE.id))
        self.assertEqual(self.answer(self.directory.all_devices()), ())

    def test_names_and_ids_are_theirs_too(self):
        self.add_elsewhere(JOE, PHONE)
        for account, device in (
            (JOE, attrs.evolve(LAPTOP, name="PHONE")),
            (ANN, attrs.evolve(LAPTOP, id=PHONE.id)),
        ):
            asked = self.directory.add_device(account.address, device, elsewhere=True)
            self.refused(ALREADY_EXISTS, asked)

    def test_somebody_new_with_that_address_inherits_nothing(self):
        self.add_elsewhere(JOE, PHONE)
        self.add_elsewhere(ANN, LAPTOP)
        self.answer(self.directory.keep_verifiers(JOE.address, b"sealed", elsewhere=True))
        self.add(JOE)
        self.assertEqual(self.devices(JOE), ())
        self.assertEqual(self.answer(self.directory.all_devices()), ((ANN.address, LAPTOP),))
        self.assertEqual(self.answer(self.directory.all_verifiers()), ())
