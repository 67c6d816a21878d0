"""accounts.db as older versions of mailsuite left it: brought up to date, with all that was in it."""

import sqlite3
from ipaddress import ip_address

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.directory.sqlite.accounts import SCHEMA, SqliteDirectory
from mailsuite.directory.sqlite.logins import SqliteLogins
from mailsuite.directory.sqlite.totals import SqliteTotalsWarned
from mailsuite.model.account import Account, AccountState, Domain, NotifyPreference, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device
from mailsuite.model.notice import Level
from mailsuite.model.quota import Quota
from mailsuite.model.retention import Retention
from mailsuite.model.sender_list import OwnSenders, parse_sender
from mailsuite.sqlite.database import Database, SchemaUnknown
from tests.contracts.logins import POLL
from tests.directory.folders import FolderCase

FIRST = """
CREATE TABLE domain (name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE account (
    local TEXT NOT NULL,
    domain TEXT NOT NULL REFERENCES domain (name),
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    notify_state TEXT CHECK (notify_state IN ('off', 'last-ip', 'static')),
    notify_address TEXT,
    notify_port INTEGER NOT NULL,
    PRIMARY KEY (domain, local)
) STRICT, WITHOUT ROWID;
INSERT INTO domain (name) VALUES ('example.net'), ('example.org');
INSERT INTO account (name, password_hash, notify_state, notify_address, notify_port, domain, local)
    VALUES ('Joe Doe', '$argon2id$x', NULL, NULL, 79, 'example.net', 'joe'),
        ('Ann', '', 'static', '2001:db8::7', 7979, 'example.net', 'ann');
PRAGMA user_version = 1;
"""
"""What version 1 of the schema was; never to be changed."""

SECOND = """
INSERT INTO domain (name) VALUES ('example.net');
INSERT INTO account (name, password_hash, notify_port, domain, local)
    VALUES ('Joe Doe', '$argon2id$x', 79, 'example.net', 'joe');
INSERT INTO device (id, domain, local, name, folded, sealed, scopes, mechanisms, networks, created)
    VALUES ('d1', 'example.net', 'joe', 'Phone', 'phone', x'7365616c6564', 'pop3 submission', '', '', 0.0);
"""
"""Written into version 2 of the schema."""

FOURTH = """
INSERT INTO domain (name) VALUES ('example.net');
INSERT INTO account (name, password_hash, notify_port, state, forward_local, forward_domain, keep_copy,
        own_retention, delete_unread_after, domain, local)
    VALUES ('Joe Doe', '$argon2id$x', 79, 'forward', 'ann', 'example.net', 1, 1, 9.5, 'example.net', 'joe');
INSERT INTO ban (network, reason, since, until, times, detail) VALUES ('192.0.2.7/32', 'manual', 0, 1, 1, '');
"""
"""Written into version 4 of the schema."""

JOE = Account(Address("joe", "example.net"), "Joe Doe", "$argon2id$x")
ANN = Account(
    Address("ann", "example.net"),
    "Ann",
    notify=NotifyPreference(NotifyState.STATIC, ip_address("2001:db8::7"), 7979),
)

FIFTH = """
INSERT INTO domain (name, quota_octets) VALUES ('example.net', 7);
INSERT INTO account (name, password_hash, notify_port, quota_messages, send_as, domain, local)
    VALUES ('Joe Doe', '$argon2id$x', 79, 8, '[["ann", "example.net"]]', 'example.net', 'joe');
"""
"""Written into version 5 of the schema."""

DOMAIN = Domain("example.net", same_as="example.org", catch_all=(), quota=Quota(1, 2))
SENDERS = OwnSenders((parse_sender("eve@example.org"),), (parse_sender("*.a.example"),))
SALES = Alias(Address("sales", "example.net"), (JOE.address, ANN.address))


class SchemaTests(FolderCase, SynchronousTestCase):
    def setUp(self):
        self.path = self.folder / "accounts.db"

    def opened(self, schema=SCHEMA):
        database = Database(self.path, schema, Inline())
        self.addCleanup(database._close)
        return database

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def write_first(self):
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.executescript(FIRST)
        connection.close()

    def tables(self):
        """Of each table its columns: name, type, NOT NULL, default, place in the key."""
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        return {
            name: [row[1:] for row in connection.execute(f"PRAGMA table_info({name})")]
            for (name,) in names.fetchall()
        }

    def test_accounts_of_the_first_version_are_as_they_were(self):
        self.write_first()
        directory = SqliteDirectory(self.opened())
        self.assertEqual(self.answer(directory.accounts()), (ANN, JOE))
        self.assertEqual(self.answer(directory.account(JOE.address)), JOE)
        self.assertEqual(self.answer(directory.domains()), (Domain("example.net"), Domain("example.org")))

    def test_they_can_have_all_that_is_new(self):
        self.write_first()
        database = self.opened()
        directory = SqliteDirectory(database)
        changed = Account(
            JOE.address,
            state=AccountState.FORWARD,
            forward=ANN.address,
            pop3=False,
            retention=Retention(0.0, 86400.0),
        )
        phone = Device("d1", "Phone", b"sealed", view=True)
        self.answer(directory.change_account(changed))
        self.answer(directory.add_device(JOE.address, phone))
        self.answer(directory.keep_verifiers(JOE.address, b"sealed"))
        self.answer(SqliteLogins(database).record(POLL))
        database._close()
        database = self.opened()
        directory = SqliteDirectory(database)
        self.assertEqual(self.answer(directory.account(JOE.address)), changed)
        self.assertEqual(self.answer(directory.devices(JOE.address)), (phone,))
        self.assertEqual(self.answer(directory.verifiers(JOE.address)), b"sealed")
        self.assertEqual(self.answer(SqliteLogins(database).since(0.0)), (POLL,))

    def test_devices_of_the_second_version_share_their_view(self):
        database = self.opened(SCHEMA[:2])
        self.answer(database.run(lambda connection: connection.executescript(SECOND)))
        database._close()
        directory = SqliteDirectory(self.opened())
        self.assertEqual(self.answer(directory.account(JOE.address)), JOE)
        self.assertEqual(self.answer(directory.devices(JOE.address)), (Device("d1", "Phone", b"sealed"),))

    def test_what_the_fourth_version_held_says_nothing_of_what_is_new(self):
        database = self.opened(SCHEMA[:4])
        self.answer(database.run(lambda connection: connection.executescript(FOURTH)))
        database._close()
        directory = SqliteDirectory(self.opened())
        forwarding = attrs.evolve(
            JOE,
            state=AccountState.FORWARD,
            forward=ANN.address,
            keep_copy=True,
            retention=Retention(None, 9.5),
        )
        self.assertEqual(self.answer(directory.account(JOE.address)), forwarding)
        self.assertEqual(self.answer(directory.domain("example.net")), Domain("example.net"))
        self.assertEqual(self.answer(directory.aliases()), ())

    def test_the_fourth_version_can_have_all_that_is_new(self):
        database = self.opened(SCHEMA[:4])
        self.answer(database.run(lambda connection: connection.executescript(FOURTH)))
        database._close()
        directory = SqliteDirectory(self.opened())
        account = attrs.evolve(JOE, quota=Quota(5, 6), send_as=(ANN.address,))
        self.answer(directory.change_account(account))
        self.answer(directory.change_domain(DOMAIN))
        self.answer(directory.add_alias(SALES))
        self.assertEqual(self.answer(directory.account(JOE.address)), account)
        self.assertEqual(self.answer(directory.domain(DOMAIN.name)), DOMAIN)
        self.assertEqual(self.answer(directory.alias(SALES.address)), SALES)

    def test_the_fifth_version_can_have_limits_and_lists(self):
        database = self.opened(SCHEMA[:5])
        self.answer(database.run(lambda connection: connection.executescript(FIFTH)))
        database._close()
        database = self.opened()
        directory = SqliteDirectory(database)
        before = attrs.evolve(JOE, quota=Quota(None, 8), send_as=(ANN.address,))
        self.assertEqual(self.answer(directory.account(JOE.address)), before)
        self.assertEqual(self.answer(directory.domain("example.net")), Domain("example.net", quota=Quota(7)))
        account = attrs.evolve(before, max_message=70_000, senders=SENDERS)
        domain = Domain("example.net", total_quota=Quota(9, 9), max_message=90_000, senders=SENDERS)
        self.answer(directory.change_account(account))
        self.answer(directory.change_domain(domain))
        self.answer(SqliteTotalsWarned(database).note_warned("example.net", 80))
        database._close()
        database = self.opened()
        directory = SqliteDirectory(database)
        self.assertEqual(self.answer(directory.account(JOE.address)), account)
        self.assertEqual(self.answer(directory.domain("example.net")), domain)
        self.assertEqual(self.answer(SqliteTotalsWarned(database).warned("example.net")), 80)

    def test_a_domain_of_the_sixth_version_may_be_told_of_mail(self):
        database = self.opened(SCHEMA[:6])
        insert = "INSERT INTO domain (name) VALUES ('example.net')"
        self.answer(database.run(lambda connection: connection.execute(insert)))
        database._close()
        database = self.opened()
        directory = SqliteDirectory(database)
        self.assertEqual(self.answer(directory.domain("example.net")), Domain("example.net"))
        domain = Domain("example.net", notify=False, notify_max_level=Level.COUNT)
        self.answer(directory.change_domain(domain))
        database._close()
        self.assertEqual(self.answer(SqliteDirectory(self.opened()).domain("example.net")), domain)

    def test_the_seventh_version_can_have_languages(self):
        database = self.opened(SCHEMA[:7])
        self.answer(database.run(lambda connection: connection.executescript(FIFTH)))
        database._close()
        database = self.opened()
        directory = SqliteDirectory(database)
        before = self.answer(directory.account(JOE.address))
        self.assertEqual((before.language, before.name), ("", "Joe Doe"))
        account = attrs.evolve(before, language="de")
        domain = Domain("example.net", quota=Quota(7), language="en")
        self.answer(directory.change_account(account))
        self.answer(directory.change_domain(domain))
        database._close()
        directory = SqliteDirectory(self.opened())
        self.assertEqual(self.answer(directory.account(JOE.address)), account)
        self.assertEqual(self.answer(directory.domain("example.net")), domain)

    def test_an_old_file_becomes_what_a_new_one_is(self):
        self.write_first()
        self.answer(self.opened().open())
        stepped = self.tables()
        self.path = self.folder / "new.db"
        self.answer(self.opened().open())
        self.assertEqual(stepped, self.tables())
        self.assertEqual(
            set(stepped) - {"sqlite_sequence"},
            {
                "account",
                "alias",
                "alias_target",
                "ban",
                "device",
                "domain",
                "domain_warned",
                "login",
                "verifiers",
            },
        )

    def test_an_older_program_leaves_a_new_file_alone(self):
        self.answer(self.opened().open())
        opening = Deferred.fromCoroutine(self.opened(SCHEMA[:1]).open())
        self.failureResultOf(opening, SchemaUnknown)
