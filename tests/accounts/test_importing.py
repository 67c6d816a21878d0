"""Imported accounts in the directory: what is made, what is left alone, what is changed."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.import_file import ImportedAccount
from mailsuite.accounts.importing import Importer, account_from_json, account_to_json
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.refusal import RegistryError
from mailsuite.accounts.registry import Registry
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.account import Account, AccountState, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import OVERLOADED
from tests.accounts.fakes import CountingHasher

JOE = Address("joe", "example.net")
SSHA = "{SSHA}3j81PdzjVgkGxt/4Qbvmk4YmXoZ2aXZpZHNhbA=="
CRYPT = "$1$Zq8mT1xw$uTujqmAbkQkDo7d2eJbVq0"
SECRET = "canary-swordfish"


class ImporterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hasher = CountingHasher()
        file = MemoryDirectory(
            [Account(Address("filed", "file.test"), password_hash=CRYPT)], origin=Origin.FILE
        )
        self.directory = LayeredDirectory(file, MemoryDirectory())
        self.sightings = MemorySightings()
        self.forgotten: list[Address] = []
        self.disabled: list[tuple[Address, str]] = []
        self.registry = Registry(
            self.directory,
            Passwords(Inline(), hasher=self.hasher),
            self.sightings,
            objection=lambda preference: "not that port" if preference.port == 80 else "",
            disabled=lambda *told: self.disabled.append(told),
            forget=self.forgotten.append,
        )

    def answer(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def take(self, *accounts: ImportedAccount, **how: bool) -> list[tuple[str, str]]:
        results = self.answer(Importer(self.registry, **how).take(accounts))
        self.assertEqual([each.line for each in results], [each.line for each in accounts])
        self.assertNotIn(SECRET, repr(results))
        return [(each.outcome, each.reason) for each in results]

    def account(self, address: Address = JOE) -> Account | None:
        return self.answer(self.directory.account(address))

    def test_a_hash_is_kept_as_it_is(self) -> None:
        self.assertEqual(self.take(ImportedAccount(3, str(JOE), SSHA)), [("made", "")])
        account = self.account()
        assert account is not None
        self.assertEqual((account.password_hash, account.origin), (SSHA, Origin.DATABASE))
        self.assertTrue(self.answer(self.registry.passwords.verify(SSHA, SECRET)))

    def test_a_password_is_hashed_at_once(self) -> None:
        self.take(ImportedAccount(1, str(JOE), password=SECRET))
        account = self.account()
        assert account is not None
        self.assertTrue(account.password_hash.startswith("$argon2id$"))
        self.assertTrue(self.answer(self.registry.passwords.verify(account.password_hash, SECRET)))

    def test_without_either_there_is_no_password(self) -> None:
        self.assertEqual(self.take(ImportedAccount(1, str(JOE))), [("made", "it has no password")])
        account = self.account()
        assert account is not None
        self.assertEqual(account.password_hash, "")

    def test_all_that_a_table_says(self) -> None:
        fields = {
            "name": "Joe",
            "state": "forward",
            "forward": "ann@example.net",
            "keep_copy": True,
            "pop3": "deny",
            "notifymail": {"state": "off"},
        }
        ann = ImportedAccount(1, "ann@example.net", SSHA)
        self.assertEqual(
            self.take(ann, ImportedAccount(2, str(JOE), SSHA, fields=fields)), [("made", "")] * 2
        )
        account = self.account()
        assert account is not None
        self.assertEqual(
            (account.name, account.state, account.keep_copy), ("Joe", AccountState.FORWARD, True)
        )
        self.assertEqual(account.forward, Address("ann", "example.net"))
        self.assertEqual((account.pop3, account.notify.state), (False, NotifyState.OFF))

    def test_a_second_time_changes_nothing(self) -> None:
        accounts = (
            ImportedAccount(1, str(JOE), SSHA, fields={"name": "Joe"}),
            ImportedAccount(2, "ann@example.net", password=SECRET),
            ImportedAccount(3, "eve@example.net"),
        )
        self.take(*accounts)
        before = self.answer(self.directory.accounts())
        self.assertEqual(self.take(*accounts), [("unchanged", "")] * 3)
        self.assertEqual(self.take(*accounts, overwrite=True), [("unchanged", "")] * 3)
        self.assertEqual(self.answer(self.directory.accounts()), before)
        self.assertEqual(self.forgotten, [])

    def test_what_is_there_is_left_alone(self) -> None:
        self.take(ImportedAccount(1, str(JOE), SSHA))
        rehashed = attrs.evolve(self.account(), password_hash=CRYPT, state=AccountState.OFF)
        self.answer(self.directory.change_account(rehashed))
        again = ImportedAccount(1, str(JOE), SSHA, fields={"name": "Joe", "state": "enabled"})
        self.assertEqual(self.take(again), [("unchanged", "")])
        self.assertEqual(self.account(), rehashed)

    def test_unless_it_is_to_be_overwritten(self) -> None:
        self.take(ImportedAccount(1, str(JOE), SSHA, fields={"name": "Joe"}))
        another = ImportedAccount(1, str(JOE), CRYPT, fields={"state": "off"})
        self.assertEqual(self.take(another, overwrite=True), [("changed", "")])
        account = self.account()
        assert account is not None
        self.assertEqual(
            (account.password_hash, account.name, account.state), (CRYPT, "Joe", AccountState.OFF)
        )
        self.assertIn(JOE, self.forgotten)
        self.assertEqual(self.disabled, [(JOE, "the account was switched off")])
        plain = ImportedAccount(1, str(JOE), password="another-" + SECRET)
        self.assertEqual(self.take(plain, overwrite=True), [("changed", "")])
        self.assertEqual(self.take(plain, overwrite=True), [("unchanged", "")])
        self.assertEqual(self.take(ImportedAccount(1, str(JOE)), overwrite=True), [("unchanged", "")])
        account = self.account()
        assert account is not None
        self.assertTrue(
            self.answer(self.registry.passwords.verify(account.password_hash, "another-" + SECRET))
        )

    def test_a_rehearsal_changes_nothing(self) -> None:
        self.take(ImportedAccount(1, str(JOE), SSHA))
        before = self.answer(self.directory.accounts())
        accounts = (
            ImportedAccount(1, str(JOE), CRYPT, fields={"state": "off"}),
            ImportedAccount(2, "ann@example.net", password=SECRET),
        )
        self.assertEqual(self.take(*accounts, rehearse=True), [("unchanged", ""), ("made", "")])
        said = self.take(*accounts, rehearse=True, overwrite=True)
        self.assertEqual(said, [("changed", ""), ("made", "")])
        self.assertEqual(self.answer(self.directory.accounts()), before)
        self.assertEqual(self.disabled, [])

    def test_accounts_of_the_file_stay_as_they_are(self) -> None:
        filed = ImportedAccount(1, "filed@file.test", CRYPT)
        self.assertEqual(self.take(filed), [("unchanged", "")])
        self.assertEqual(self.take(filed, overwrite=True), [("unchanged", "")])
        for how in ({}, {"rehearse": True}):
            ((outcome, reason),) = self.take(attrs.evolve(filed, password_hash=SSHA), overwrite=True, **how)
            self.assertEqual((outcome, "configuration file" in reason), ("refused", True))

    def test_what_cannot_be_is_refused_and_does_not_stop_the_rest(self) -> None:
        refused = (
            ({"address": "joe=x@example.net"}, "cannot be"),
            ({"address": "joe"}, "no @"),
            ({"password_hash": SECRET}, "no hash"),
            ({"password": "x" * 1025}, "longer than"),
            ({"fields": {"forward": "ann@elsewhere.test"}}, "elsewhere"),
            ({"fields": {"notifymail": {"port": 80}}}, "not that port"),
            ({"fields": {"quota": 3}}, "has no quotes"),
            ({"fields": {"shoe_size": 3}}, "cannot be changed"),
        )
        for number, (parts, words) in enumerate(refused):
            wanted = ImportedAccount(**{"line": 1, "address": str(JOE), **parts})
            (outcome, reason), (other, _) = self.take(
                wanted, ImportedAccount(2, f"other{number}@example.net")
            )
            self.assertEqual((outcome, words in reason, other), ("refused", True, "made"), reason)
            self.assertIsNone(self.account())

    def test_trouble_of_ours_is_told_with_the_line(self) -> None:
        self.hasher.fails_with = TemporaryFailure(OVERLOADED)
        ((outcome, reason),) = self.take(ImportedAccount(1, str(JOE), password=SECRET))
        self.assertEqual(outcome, "refused")
        self.assertTrue(reason.startswith(str(JOE)))
        self.assertIsNone(self.account())


@pytest.mark.parametrize(
    "account",
    [
        ImportedAccount(1, "joe@example.net"),
        ImportedAccount(1, "joe@example.net", SSHA, fields={"name": "Joe", "notifymail": {"port": 79}}),
        ImportedAccount(1, "joe@example.net", password=SECRET),
    ],
)
def test_accounts_go_to_the_server_and_arrive(account: ImportedAccount) -> None:
    assert account_from_json(account_to_json(account)) == account


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"line": 1},
        {"address": "joe@example.net"},
        {"line": "1", "address": "joe@example.net"},
        {"line": 1, "address": "joe@example.net", "fields": [SECRET]},
        {"line": 1, "address": "joe@example.net", "password": 3},
        {"line": 1, "address": "joe@example.net", "password": SECRET, "password_hash": SSHA},
        {"line": 1, "address": "joe@example.net", SECRET: 1},
    ],
)
def test_what_is_no_account(document: object) -> None:
    with pytest.raises(RegistryError) as refused:
        account_from_json(document)
    assert SECRET not in refused.value.text
