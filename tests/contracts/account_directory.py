"""What every IAccountDirectory promises. Implementations subclass it beside SynchronousTestCase."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import attrs
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, AccountState, Domain, NotifyPreference, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias, AliasPattern
from mailsuite.model.device import Device, Scope
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.notice import Level
from mailsuite.model.origin import Origin
from mailsuite.model.quota import Quota
from mailsuite.model.reply import (
    ALREADY_EXISTS,
    NO_SUCH_ACCOUNT,
    NO_SUCH_ALIAS,
    NO_SUCH_DEVICE,
    NO_SUCH_DOMAIN,
)
from mailsuite.model.retention import Retention
from mailsuite.model.sender_list import OwnSenders, parse_sender

JOE = Account(Address("joe", "example.net"), "Joe Doe", "$argon2id$canary")
ANN = Account(
    Address("ann", "example.net"),
    "Ann Ræ",
    notify=NotifyPreference(NotifyState.STATIC, ip_address("2001:db8::7"), 7979),
)
ZOE = Account(Address("zoe", "a.example"))
PHONE = Device("d1", "Phone", b"\x00sealed\xff", created=1_700_000_000.5)
LAPTOP = Device(
    "d2",
    "laptop",
    b"other",
    frozenset({Scope.POP3, Scope.NOTIFY}),
    frozenset({"apop", "cram-md5"}),
    (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")),
    1_800_000_000.25,
    1_700_000_000.0,
    view=True,
    sender=Address("printer", "example.net"),
    recipients=(Address("office", "example.net"), Address("*", "a.example")),
)

SALES = Alias(Address("sales", "example.net"), (ANN.address, Address("Joe Doe", "elsewhere.example")))
INFO = Alias(Address("info", "a.example"), (ANN.address,))
NOTHING = Alias(Address("nothing", "example.net"))
DOMAINS = (
    Domain("example.net", same_as="example.org"),
    Domain("example.net", delimiters="", catch_all=()),
    Domain(
        "example.net",
        delimiters="+-",
        catch_all=(ANN.address, Address("a b", "example.org")),
        catch_all_except=frozenset({"root", "no body"}),
        patterns=(AliasPattern(r"list-(.+)", (r"lists+\1", "ann")), AliasPattern("x", ("y@a.example",))),
        quota=Quota(octets=5 << 30),
    ),
    Domain(
        "example.net",
        quota=Quota(0, 7),
        total_quota=Quota(1 << 40, 3),
        max_message=65536,
        senders=OwnSenders((parse_sender("*.Worse.example"),), (parse_sender("*@fine.example"),)),
        language="de",
    ),
    Domain("example.net", total_quota=Quota(0)),
    Domain("example.net", notify=False, notify_max_level=Level.KNOCK),
)


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

    def test_every_state_comes_back(self):
        forward = Address("two words", "example.org")
        for number, state in enumerate(AccountState):
            account = Account(
                Address(f"user{number}", "example.net"),
                state=state,
                forward=forward if number % 2 else None,
                keep_copy=number % 2 == 0,
                pop3=number != 1,
            )
            self.add(account)
            self.assertEqual(self.answer(self.directory.account(account.address)), account)
            changed = attrs.evolve(
                account, forward=None, keep_copy=not account.keep_copy, pop3=not account.pop3
            )
            self.answer(self.directory.change_account(changed))
            self.assertEqual(self.answer(self.directory.account(account.address)), changed)
            self.assertIn(changed, self.answer(self.directory.accounts()))

    def test_quota_and_further_senders_come_back(self):
        for number, quota in enumerate((Quota(), Quota(octets=1 << 50), Quota(messages=0), Quota(7, 8))):
            send_as = (ANN.address, Address("*", "a.example"), Address("two words", "example.org"))[:number]
            account = attrs.evolve(
                JOE, address=Address(f"u{number}", "b.example"), quota=quota, send_as=send_as
            )
            self.add(account)
            self.assertEqual(self.answer(self.directory.account(account.address)), account)
            changed = attrs.evolve(
                account,
                quota=Quota(3, number),
                send_as=(JOE.address,),
                max_message=1 + number,
                senders=OwnSenders((parse_sender("Eve@example.org"),), (parse_sender("a.example"),) * number),
                language=("", "de", "en", "de")[number],
            )
            self.answer(self.directory.change_account(changed))
            self.assertEqual(self.answer(self.directory.account(account.address)), changed)
            self.assertIn(changed, self.answer(self.directory.accounts()))

    def test_the_members_of_a_domain(self):
        for account in (ZOE, JOE, ANN):
            self.add(account)
        self.assertEqual(self.answer(self.directory.members("example.net")), (ANN.address, JOE.address))
        self.answer(self.directory.remove_account(ANN.address))
        self.assertEqual(self.answer(self.directory.members("example.net")), (JOE.address,))
        self.assertEqual(self.answer(self.directory.members("net")), ())

    def test_what_is_said_of_a_domain_comes_back(self):
        self.assertIsNone(self.answer(self.directory.domain("example.net")))
        self.answer(self.directory.add_domain("example.net"))
        self.assertEqual(self.answer(self.directory.domain("example.net")), Domain("example.net"))
        for domain in DOMAINS:
            self.answer(self.directory.change_domain(domain))
            self.assertEqual(self.answer(self.directory.domain("example.net")), domain)
            self.assertEqual(self.answer(self.directory.domains()), (domain,))
        self.add(JOE)
        self.assertEqual(self.answer(self.directory.domain("example.net")), DOMAINS[-1])

    def test_a_domain_that_is_not_there_cannot_be_changed(self):
        self.refused(NO_SUCH_DOMAIN, self.directory.change_domain(DOMAINS[0]))
        self.assertFalse(self.answer(self.directory.has_domain("example.net")))

    def add_aliases(self, *aliases):
        for alias in aliases:
            self.answer(self.directory.add_alias(alias))

    def test_an_added_alias_comes_back_as_it_was(self):
        self.assertEqual(self.answer(self.directory.aliases()), ())
        self.assertIsNone(self.answer(self.directory.alias(SALES.address)))
        self.add_aliases(SALES, NOTHING, INFO)
        for alias in (SALES, NOTHING, INFO):
            self.assertEqual(self.answer(self.directory.alias(alias.address)), alias)
        self.assertEqual(self.answer(self.directory.aliases()), (INFO, NOTHING, SALES))

    def test_an_alias_is_no_account_and_makes_no_domain_ours(self):
        self.add_aliases(SALES)
        self.assertIsNone(self.answer(self.directory.account(SALES.address)))
        self.assertFalse(self.answer(self.directory.has_domain("example.net")))

    def test_an_account_and_an_alias_of_one_address_leave_each_other_alone(self):
        self.add(JOE)
        alias = Alias(JOE.address, (ANN.address,))
        self.add_aliases(alias)
        self.answer(self.directory.remove_account(JOE.address))
        self.assertEqual(self.answer(self.directory.alias(JOE.address)), alias)
        self.assertIsNone(self.answer(self.directory.account(JOE.address)))

    def test_one_address_has_one_alias(self):
        self.add_aliases(SALES)
        self.refused(ALREADY_EXISTS, self.directory.add_alias(attrs.evolve(SALES, targets=())))
        self.assertEqual(self.answer(self.directory.alias(SALES.address)), SALES)

    def test_targets_can_be_changed(self):
        self.add_aliases(SALES, INFO)
        for targets in ((JOE.address,), (), SALES.targets[::-1]):
            changed = attrs.evolve(SALES, targets=targets)
            self.answer(self.directory.change_alias(changed))
            self.assertEqual(self.answer(self.directory.alias(SALES.address)), changed)
            self.assertEqual(self.answer(self.directory.aliases()), (INFO, changed))

    def test_a_removed_alias_is_gone(self):
        self.add_aliases(SALES, INFO)
        self.answer(self.directory.remove_alias(SALES.address))
        self.assertIsNone(self.answer(self.directory.alias(SALES.address)))
        self.assertEqual(self.answer(self.directory.aliases()), (INFO,))
        self.add_aliases(NOTHING, attrs.evolve(SALES, targets=(JOE.address,)))
        self.assertEqual(self.answer(self.directory.alias(SALES.address)).targets, (JOE.address,))

    def test_an_alias_that_is_not_there_can_be_neither_changed_nor_removed(self):
        self.refused(NO_SUCH_ALIAS, self.directory.change_alias(SALES))
        self.refused(NO_SUCH_ALIAS, self.directory.remove_alias(SALES.address))
        self.assertEqual(self.answer(self.directory.aliases()), ())

    def test_who_leads_to_a_target(self):
        twice = Alias(Address("twice", "example.net"), (ANN.address, ANN.address))
        self.add_aliases(SALES, INFO, NOTHING, twice)
        leading = self.answer(self.directory.aliases_to(ANN.address))
        self.assertEqual(leading, (INFO.address, SALES.address, twice.address))
        self.assertEqual(self.answer(self.directory.aliases_to(SALES.targets[1])), (SALES.address,))
        self.assertEqual(self.answer(self.directory.aliases_to(Address("joe doe", "elsewhere.example"))), ())
        self.answer(self.directory.remove_alias(INFO.address))
        self.assertEqual(self.answer(self.directory.aliases_to(ANN.address)), leading[1:])

    def test_every_retention_comes_back(self):
        retentions = (
            None,
            Retention(),
            Retention(86400.0),
            Retention(None, 864000.5),
            Retention(0.0, 2592000.0),
        )
        self.add(JOE)
        for retention in retentions:
            changed = attrs.evolve(JOE, retention=retention)
            self.answer(self.directory.change_account(changed))
            self.assertEqual(self.answer(self.directory.account(JOE.address)), changed)
            self.assertEqual(self.answer(self.directory.accounts()), (changed,))
        for number, retention in enumerate(retentions):
            account = Account(Address(f"user{number}", "example.net"), retention=retention)
            self.add(account)
            self.assertEqual(self.answer(self.directory.account(account.address)), account)

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

    def replace_hash(self, account, old, new):
        return self.answer(self.directory.replace_hash(account.address, old, new))

    def test_a_hash_is_replaced_and_all_else_stays(self):
        self.add(JOE, ANN)
        self.answer(self.directory.account(JOE.address))
        self.answer(self.directory.change_account(attrs.evolve(JOE, name="Joseph", pop3=False)))
        self.assertIs(self.replace_hash(JOE, JOE.password_hash, "$argon2id$new"), True)
        expected = attrs.evolve(JOE, name="Joseph", pop3=False, password_hash="$argon2id$new")
        self.assertEqual(self.answer(self.directory.account(JOE.address)), expected)
        self.assertEqual(self.answer(self.directory.accounts()), (ANN, expected))

    def test_a_hash_that_is_another_by_now_stays(self):
        self.add(JOE, ANN)
        for account, old in ((JOE, ""), (JOE, JOE.password_hash.upper()), (ANN, JOE.password_hash)):
            self.assertIs(self.replace_hash(account, old, "$argon2id$new"), False)
        self.assertEqual(self.answer(self.directory.accounts()), (ANN, JOE))
        self.assertIs(self.replace_hash(ANN, "", "$argon2id$new"), True)
        self.assertEqual(self.answer(self.directory.account(ANN.address)).password_hash, "$argon2id$new")

    def test_nobody_has_no_hash(self):
        self.add(ANN)
        for old in ("", JOE.password_hash):
            self.assertIs(self.replace_hash(JOE, old, "$argon2id$new"), False)
        self.assertEqual(self.answer(self.directory.accounts()), (ANN,))

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

    # Devices

    def add_devices(self, account, *devices):
        for device in devices:
            self.answer(self.directory.add_device(account.address, device))

    def devices(self, account):
        return self.answer(self.directory.devices(account.address))

    def test_who_has_no_device_has_none(self):
        self.assertEqual(self.devices(JOE), ())
        self.add(JOE)
        self.assertEqual(self.devices(JOE), ())
        self.assertEqual(self.answer(self.directory.all_devices()), ())

    def test_devices_come_back_as_they_were_sorted_by_name(self):
        self.add(JOE, ANN)
        self.assertEqual(self.devices(JOE), ())
        self.add_devices(JOE, PHONE, LAPTOP)
        self.assertEqual(self.devices(JOE), (LAPTOP, PHONE))
        self.assertEqual(self.devices(ANN), ())

    def test_a_device_may_be_as_small_as_can_be(self):
        self.add(JOE)
        bare = Device("d", "d", b"s", scopes=frozenset())
        self.add_devices(JOE, bare)
        self.assertEqual(self.devices(JOE), (bare,))

    def test_a_device_that_was_added_is_our_own_whatever_it_says(self):
        self.add(JOE)
        self.add_devices(JOE, attrs.evolve(PHONE, origin=Origin.FILE))
        self.assertEqual(self.devices(JOE), (PHONE,))
        self.answer(
            self.directory.change_device(JOE.address, attrs.evolve(PHONE, name="Fon", origin=Origin.FILE))
        )
        self.assertEqual(self.devices(JOE), (attrs.evolve(PHONE, name="Fon"),))

    def test_all_devices_are_sorted_by_owner_and_name(self):
        self.add(JOE, ANN, ZOE)
        self.add_devices(JOE, PHONE, LAPTOP)
        self.add_devices(ZOE, attrs.evolve(PHONE, id="d3", name="Tablet"))
        self.add_devices(ANN, attrs.evolve(PHONE, id="d4"))
        listed = [(str(owner), device.name) for owner, device in self.answer(self.directory.all_devices())]
        self.assertEqual(
            listed,
            [
                ("zoe@a.example", "Tablet"),
                ("ann@example.net", "Phone"),
                ("joe@example.net", "laptop"),
                ("joe@example.net", "Phone"),
            ],
        )

    def test_a_device_has_a_name_of_its_own_whatever_the_case(self):
        self.add(JOE, ANN)
        self.add_devices(JOE, PHONE, attrs.evolve(PHONE, id="s", name="Straße"))
        for name in ("Phone", "PHONE", "STRASSE"):
            twin = attrs.evolve(LAPTOP, name=name)
            self.refused(ALREADY_EXISTS, self.directory.add_device(JOE.address, twin))
        self.assertEqual([device.name for device in self.devices(JOE)], ["Phone", "Straße"])
        self.add_devices(ANN, LAPTOP, attrs.evolve(PHONE, id="d5"))
        self.assertEqual([device.name for device in self.devices(ANN)], ["laptop", "Phone"])

    def test_an_id_is_given_once(self):
        self.add(JOE, ANN)
        self.add_devices(JOE, PHONE)
        for account in (JOE, ANN):
            other = attrs.evolve(PHONE, name="Other")
            self.refused(ALREADY_EXISTS, self.directory.add_device(account.address, other))
        self.assertEqual(self.devices(JOE), (PHONE,))
        self.assertEqual(self.devices(ANN), ())

    def test_a_device_is_somebody_s(self):
        self.refused(NO_SUCH_ACCOUNT, self.directory.add_device(JOE.address, PHONE))
        self.assertEqual(self.answer(self.directory.all_devices()), ())
        self.add(JOE)
        self.assertEqual(self.devices(JOE), ())

    def test_a_changed_device_is_seen_at_once(self):
        self.add(JOE)
        self.add_devices(JOE, PHONE)
        self.devices(JOE)
        changed = attrs.evolve(LAPTOP, id=PHONE.id, name="PHONE")
        self.answer(self.directory.change_device(JOE.address, changed))
        self.assertEqual(self.devices(JOE), (changed,))
        self.assertEqual(self.answer(self.directory.all_devices()), ((JOE.address, changed),))

    def test_a_device_does_not_take_another_s_name(self):
        self.add(JOE)
        self.add_devices(JOE, PHONE, LAPTOP)
        taken = attrs.evolve(LAPTOP, name="pHONE")
        self.refused(ALREADY_EXISTS, self.directory.change_device(JOE.address, taken))
        self.assertEqual(self.devices(JOE), (LAPTOP, PHONE))

    def test_a_removed_device_is_gone_at_once(self):
        self.add(JOE)
        self.add_devices(JOE, PHONE, LAPTOP)
        self.devices(JOE)
        self.answer(self.directory.remove_device(JOE.address, PHONE.id))
        self.assertEqual(self.devices(JOE), (LAPTOP,))
        self.add_devices(JOE, attrs.evolve(PHONE, id="d6"))
        self.assertEqual([device.id for device in self.devices(JOE)], ["d2", "d6"])

    def test_a_device_that_the_account_has_not_is_neither_changed_nor_removed(self):
        self.add(JOE, ANN)
        self.add_devices(JOE, PHONE)
        for address, id in (
            (JOE.address, "d9"),
            (JOE.address, "phone"),
            (ANN.address, PHONE.id),
            (ZOE.address, PHONE.id),
        ):
            self.refused(NO_SUCH_DEVICE, self.directory.remove_device(address, id))
            other = attrs.evolve(LAPTOP, id=id)
            self.refused(NO_SUCH_DEVICE, self.directory.change_device(address, other))
        self.assertEqual(self.devices(JOE), (PHONE,))

    # Verifiers

    def keep(self, account, sealed):
        self.answer(self.directory.keep_verifiers(account.address, sealed))

    def verifiers(self, account):
        return self.answer(self.directory.verifiers(account.address))

    def test_who_has_no_verifiers_has_none(self):
        self.assertEqual(self.verifiers(JOE), b"")
        self.add(JOE)
        self.assertEqual(self.verifiers(JOE), b"")
        self.keep(JOE, b"")
        self.assertEqual(self.answer(self.directory.all_verifiers()), ())

    def test_verifiers_are_kept_replaced_and_forgotten(self):
        self.add(JOE, ANN)
        for sealed in (b"\x00first\xff", b"second", b"", b"third"):
            self.keep(JOE, sealed)
            self.assertEqual(self.verifiers(JOE), sealed)
            listed = ((JOE.address, sealed),) if sealed else ()
            self.assertEqual(self.answer(self.directory.all_verifiers()), listed)
        self.assertEqual(self.verifiers(ANN), b"")

    def test_all_verifiers_are_sorted_by_owner(self):
        self.add(JOE, ANN, ZOE)
        for account in (JOE, ZOE, ANN):
            self.keep(account, account.address.local.encode())
        listed = self.answer(self.directory.all_verifiers())
        self.assertEqual([sealed for _, sealed in listed], [b"zoe", b"ann", b"joe"])

    def test_verifiers_are_somebody_s(self):
        self.refused(NO_SUCH_ACCOUNT, self.directory.keep_verifiers(JOE.address, b"sealed"))
        self.assertEqual(self.answer(self.directory.all_verifiers()), ())
        self.add(JOE)
        self.assertEqual(self.verifiers(JOE), b"")

    def replace_verifiers(self, account, old, new):
        return self.answer(self.directory.replace_verifiers(account.address, old, new))

    def test_verifiers_are_replaced_where_they_are_those(self):
        self.add(JOE, ANN)
        self.assertIs(self.replace_verifiers(JOE, b"", b"first"), True)
        self.assertIs(self.replace_verifiers(JOE, b"first", b"\x00second\xff"), True)
        for old in (b"", b"first", b"SECOND"):
            self.assertIs(self.replace_verifiers(JOE, old, b"third"), False)
        self.assertEqual(self.verifiers(JOE), b"\x00second\xff")
        self.assertIs(self.replace_verifiers(ANN, b"first", b"second"), False)
        self.assertEqual(self.verifiers(ANN), b"")

    def test_verifiers_are_kept_first_for_somebody(self):
        for old in (b"", b"sealed"):
            self.assertIs(self.replace_verifiers(JOE, old, b"new"), False)
        self.assertEqual(self.answer(self.directory.all_verifiers()), ())

    # Both

    def test_a_change_of_the_account_leaves_devices_and_verifiers(self):
        self.add(JOE)
        self.add_devices(JOE, PHONE)
        self.keep(JOE, b"sealed")
        self.answer(self.directory.change_account(attrs.evolve(JOE, name="Other")))
        self.assertEqual(self.devices(JOE), (PHONE,))
        self.assertEqual(self.verifiers(JOE), b"sealed")

    def test_who_comes_after_a_removed_account_inherits_nothing(self):
        self.add(JOE, ANN)
        for account, device in ((JOE, PHONE), (ANN, LAPTOP)):
            self.add_devices(account, device)
            self.keep(account, b"sealed")
        self.answer(self.directory.remove_account(JOE.address))
        self.assertEqual(self.devices(JOE), ())
        self.assertEqual(self.verifiers(JOE), b"")
        self.assertEqual(self.answer(self.directory.all_devices()), ((ANN.address, LAPTOP),))
        self.assertEqual(self.answer(self.directory.all_verifiers()), ((ANN.address, b"sealed"),))
        self.add(JOE)
        self.assertEqual(self.devices(JOE), ())
        self.assertEqual(self.verifiers(JOE), b"")

    def test_an_address_that_no_encoding_can_write_has_nothing(self):
        for address in (Address("\udc80", "example.net"), Address("joe\0", "example.net")):
            self.assertEqual(self.answer(self.directory.devices(address)), ())
            self.assertEqual(self.answer(self.directory.verifiers(address)), b"")
