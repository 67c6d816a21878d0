"""The steps that bring accounts.db up to date; the first make it."""

from __future__ import annotations

from mailsuite.directory.sqlite import bans
from mailsuite.sqlite.database import Schema

SCHEMA: Schema = (
    (
        "CREATE TABLE domain (name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID",
        """CREATE TABLE account (
            local TEXT NOT NULL,
            domain TEXT NOT NULL REFERENCES domain (name),
            name TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            notify_state TEXT CHECK (notify_state IN ('off', 'last-ip', 'static')),
            notify_address TEXT,
            notify_port INTEGER NOT NULL,
            PRIMARY KEY (domain, local)
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        """ALTER TABLE account ADD COLUMN state TEXT NOT NULL DEFAULT 'enabled'
            CHECK (state IN ('enabled', 'off', 'forward'))""",
        "ALTER TABLE account ADD COLUMN forward_local TEXT",
        """ALTER TABLE account ADD COLUMN forward_domain TEXT
            CHECK ((forward_local IS NULL) = (forward_domain IS NULL))""",
        "ALTER TABLE account ADD COLUMN keep_copy INTEGER NOT NULL DEFAULT 0 CHECK (keep_copy IN (0, 1))",
        "ALTER TABLE account ADD COLUMN pop3 INTEGER NOT NULL DEFAULT 1 CHECK (pop3 IN (0, 1))",
        """CREATE TABLE device (
            id TEXT NOT NULL PRIMARY KEY,
            domain TEXT NOT NULL,
            local TEXT NOT NULL,
            name TEXT NOT NULL,
            folded TEXT NOT NULL,
            sealed BLOB NOT NULL,
            scopes TEXT NOT NULL,
            mechanisms TEXT NOT NULL,
            networks TEXT NOT NULL,
            expires REAL,
            created REAL NOT NULL,
            UNIQUE (domain, local, folded)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE verifiers (
            domain TEXT NOT NULL,
            local TEXT NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (domain, local)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE login (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            domain TEXT NOT NULL,
            local TEXT NOT NULL,
            device TEXT NOT NULL,
            service TEXT NOT NULL,
            mechanism TEXT NOT NULL,
            peer TEXT NOT NULL,
            at REAL NOT NULL,
            UNIQUE (domain, local, device, service, mechanism, peer)
        ) STRICT""",
        "CREATE INDEX login_at ON login (at)",
    ),
    (
        """ALTER TABLE account ADD COLUMN own_retention INTEGER NOT NULL DEFAULT 0
            CHECK (own_retention IN (0, 1))""",
        "ALTER TABLE account ADD COLUMN delete_after REAL",
        "ALTER TABLE account ADD COLUMN delete_unread_after REAL",
        "ALTER TABLE device ADD COLUMN view INTEGER NOT NULL DEFAULT 0 CHECK (view IN (0, 1))",
    ),
    (bans.CREATE_TABLE,),
    (
        """CREATE TABLE alias (
            domain TEXT NOT NULL,
            local TEXT NOT NULL,
            PRIMARY KEY (domain, local)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE alias_target (
            domain TEXT NOT NULL,
            local TEXT NOT NULL,
            place INTEGER NOT NULL,
            target_domain TEXT NOT NULL,
            target_local TEXT NOT NULL,
            PRIMARY KEY (domain, local, place),
            FOREIGN KEY (domain, local) REFERENCES alias (domain, local) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX alias_by_target ON alias_target (target_domain, target_local)",
        "ALTER TABLE account ADD COLUMN quota_octets INTEGER CHECK (quota_octets >= 0)",
        "ALTER TABLE account ADD COLUMN quota_messages INTEGER CHECK (quota_messages >= 0)",
        "ALTER TABLE account ADD COLUMN send_as TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE device ADD COLUMN sender TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE device ADD COLUMN recipients TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE domain ADD COLUMN same_as TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE domain ADD COLUMN delimiters TEXT",
        "ALTER TABLE domain ADD COLUMN catch_all TEXT",
        "ALTER TABLE domain ADD COLUMN catch_all_except TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE domain ADD COLUMN patterns TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE domain ADD COLUMN quota_octets INTEGER CHECK (quota_octets >= 0)",
        "ALTER TABLE domain ADD COLUMN quota_messages INTEGER CHECK (quota_messages >= 0)",
    ),
    (
        "ALTER TABLE account ADD COLUMN max_message INTEGER CHECK (max_message > 0)",
        "ALTER TABLE account ADD COLUMN block_senders TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE account ADD COLUMN accept_senders TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE domain ADD COLUMN max_message INTEGER CHECK (max_message > 0)",
        "ALTER TABLE domain ADD COLUMN block_senders TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE domain ADD COLUMN accept_senders TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE domain ADD COLUMN total_octets INTEGER CHECK (total_octets >= 0)",
        "ALTER TABLE domain ADD COLUMN total_messages INTEGER CHECK (total_messages >= 0)",
        """CREATE TABLE domain_warned (
            domain TEXT NOT NULL PRIMARY KEY,
            level INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        "ALTER TABLE domain ADD COLUMN notify INTEGER NOT NULL DEFAULT 1 CHECK (notify IN (0, 1))",
        "ALTER TABLE domain ADD COLUMN notify_max_level INTEGER CHECK (notify_max_level >= 0)",
    ),
    (
        "ALTER TABLE account ADD COLUMN language TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE domain ADD COLUMN language TEXT NOT NULL DEFAULT ''",
    ),
)
"""``notify_state`` NULL: as the configuration's default says. Devices, verifiers and logins refer to no
account, because an account of the configuration file has them too; ``folded`` is the device's name without
its letter case; ``delete_after`` NULL: never, where ``own_retention`` is 1, else as the domain says; the
table ``login`` is sqlite/logins.py's, where ``number`` grows with every recording, and ``ban`` is
sqlite/bans.py's; an alias without a target discards, and refers to no domain, because those of the file have
aliases here too; a domain's ``delimiters`` or ``catch_all`` NULL: as the server says, and a quota NULL
likewise; ``send_as``, ``sender`` (one at most), ``recipients``, ``catch_all``, ``catch_all_except``,
``patterns``, ``block_senders`` and ``accept_senders`` are JSON; ``max_message`` and
``notify_max_level`` NULL: as somebody else says, and ``language`` empty likewise;
``domain_warned`` is sqlite/totals.py's, also for domains of the configuration file."""
