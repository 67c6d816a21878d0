"""The directory in memory, as the configuration file's and as the tests' fake."""

import pytest
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import (
    ALREADY_EXISTS,
    DIRECTORY_UNAVAILABLE,
    NO_SUCH_ACCOUNT,
    NO_SUCH_DEVICE,
    READ_ONLY,
)

JOE = Account(Address("joe", "example.net"), "Joe")
ANN = Account(Address("ann", "example.net"))
PHONE = Device("d1", "Phone", b"canary")
LAPTOP = Device("d2", "laptop", b"canary")


def run(coroutine):
    """The result of a coroutine that never waits."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


class FileDirectoryTests(SynchronousTestCase):
    def setUp(self):
        self.directory = MemoryDirectory(
            (JOE,),
            (Domain("example.org"),),
            Origin.FILE,
            initial_devices={JOE.address: (PHONE, LAPTOP)},
            initial_verifiers={JOE.address: b"canary"},
        )

    def refused(self, reply, coroutine):
        with pytest.raises(PermanentFailure) as refusal:
            coroutine.send(None)
        self.assertEqual(refusal.value.reply, reply)

    def test_everything_in_it_says_that_it_stands_in_the_file(self):
        self.assertEqual(run(self.directory.account(JOE.address)).origin, Origin.FILE)
        self.assertEqual(
            run(self.directory.domains()),
            (Domain("example.net", Origin.FILE), Domain("example.org", Origin.FILE)),
        )

    def test_it_begins_with_devices_and_verifiers(self):
        devices = run(self.directory.devices(JOE.address))
        self.assertEqual(
            [(device.name, device.origin) for device in devices],
            [("laptop", Origin.FILE), ("Phone", Origin.FILE)],
        )
        self.assertEqual(len(run(self.directory.all_devices())), 2)
        self.assertEqual(run(self.directory.verifiers(JOE.address)), b"canary")
        self.assertEqual(run(self.directory.all_verifiers()), ((JOE.address, b"canary"),))
        self.assertEqual(run(self.directory.devices(ANN.address)), ())

    def test_an_id_that_is_there_twice_is_a_mistake_of_ours(self):
        """One account's device must not become another's."""
        devices = {JOE.address: (PHONE,), ANN.address: (PHONE,)}
        self.assertRaises(ValueError, MemoryDirectory, (JOE, ANN), initial_devices=devices)

    def test_it_shows_nothing_secret(self):
        self.assertNotIn("canary", repr(self.directory))

    def test_nothing_can_be_changed(self):
        self.refused(READ_ONLY, self.directory.add_domain("new.example"))
        self.refused(READ_ONLY, self.directory.add_account(ANN))
        self.refused(READ_ONLY, self.directory.change_account(JOE))
        self.refused(READ_ONLY, self.directory.replace_hash(JOE.address, JOE.password_hash, "new"))
        self.refused(READ_ONLY, self.directory.remove_account(JOE.address))
        self.refused(READ_ONLY, self.directory.add_device(JOE.address, Device("d3", "Third", b"")))
        self.refused(READ_ONLY, self.directory.change_device(JOE.address, PHONE))
        self.refused(READ_ONLY, self.directory.remove_device(JOE.address, "d1"))
        self.refused(READ_ONLY, self.directory.keep_verifiers(JOE.address, b"others"))
        self.refused(READ_ONLY, self.directory.replace_verifiers(JOE.address, b"canary", b"others"))
        self.assertEqual(len(run(self.directory.accounts())), 1)
        self.assertEqual(len(run(self.directory.devices(JOE.address))), 2)
        self.assertEqual(run(self.directory.verifiers(JOE.address)), b"canary")

    def test_the_more_precise_answer_comes_first(self):
        self.refused(ALREADY_EXISTS, self.directory.add_domain("example.org"))
        self.refused(ALREADY_EXISTS, self.directory.add_account(JOE))
        self.refused(NO_SUCH_ACCOUNT, self.directory.change_account(ANN))
        self.refused(NO_SUCH_ACCOUNT, self.directory.remove_account(ANN.address))
        self.refused(ALREADY_EXISTS, self.directory.add_device(JOE.address, Device("d3", "phone", b"")))
        self.refused(NO_SUCH_ACCOUNT, self.directory.add_device(ANN.address, Device("d3", "Third", b"")))
        self.refused(NO_SUCH_DEVICE, self.directory.change_device(ANN.address, PHONE))
        self.refused(NO_SUCH_DEVICE, self.directory.remove_device(ANN.address, "d1"))
        self.refused(NO_SUCH_ACCOUNT, self.directory.keep_verifiers(ANN.address, b"others"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda directory: directory.account(JOE.address),
        lambda directory: directory.has_domain("example.net"),
        lambda directory: directory.accounts(),
        lambda directory: directory.domains(),
        lambda directory: directory.add_domain("new.example"),
        lambda directory: directory.add_account(ANN),
        lambda directory: directory.change_account(JOE),
        lambda directory: directory.devices(JOE.address),
        lambda directory: directory.all_devices(),
        lambda directory: directory.add_device(JOE.address, LAPTOP),
        lambda directory: directory.change_device(JOE.address, PHONE),
        lambda directory: directory.remove_device(JOE.address, PHONE.id),
        lambda directory: directory.verifiers(JOE.address),
        lambda directory: directory.all_verifiers(),
        lambda directory: directory.keep_verifiers(JOE.address, b"sealed"),
        lambda directory: directory.remove_account(JOE.address),
    ],
)
def test_it_can_be_made_to_fail(ask):
    directory = MemoryDirectory((JOE,), initial_devices={JOE.address: (PHONE,)})
    directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    with pytest.raises(TemporaryFailure):
        ask(directory).send(None)
    directory.refuse_with = None
    run(ask(directory))
