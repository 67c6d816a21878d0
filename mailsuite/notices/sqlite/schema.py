"""The steps that bring notify.db up to date; the first make it. All of the file stands here: who uses only
some of its tables needs the others to be there."""

from __future__ import annotations

import sqlite3

from mailsuite.sqlite.database import Schema

SCHEMA: Schema = (
    (
        """CREATE TABLE sighting (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            peer TEXT NOT NULL,
            at REAL NOT NULL,
            UNIQUE (account, peer)
        ) STRICT""",
    ),
    (
        """CREATE TABLE log_head (
            account TEXT NOT NULL PRIMARY KEY,
            head INTEGER NOT NULL,
            at REAL NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE account_log (
            account TEXT NOT NULL,
            seq INTEGER NOT NULL,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            uidl TEXT NOT NULL,
            size INTEGER NOT NULL,
            summary TEXT,
            PRIMARY KEY (account, seq)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE subscription (
            id TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL,
            device TEXT NOT NULL,
            channel TEXT NOT NULL,
            target_key TEXT NOT NULL,
            sealed BLOB NOT NULL,
            name TEXT NOT NULL,
            level INTEGER NOT NULL,
            filter TEXT NOT NULL,
            quiet TEXT,
            coalesce_seconds REAL,
            urgency TEXT NOT NULL,
            created REAL NOT NULL,
            expires REAL,
            state TEXT NOT NULL,
            reason TEXT NOT NULL,
            guesses INTEGER NOT NULL
        ) STRICT""",
        """CREATE TABLE cursor (
            subscription TEXT NOT NULL PRIMARY KEY,
            acked INTEGER NOT NULL,
            due REAL NOT NULL DEFAULT 0,
            fails INTEGER NOT NULL DEFAULT 0,
            failing_since REAL NOT NULL DEFAULT 0,
            last_ok REAL NOT NULL DEFAULT 0,
            last_try REAL NOT NULL DEFAULT 0,
            last_result TEXT NOT NULL DEFAULT '',
            sent INTEGER NOT NULL DEFAULT 0,
            useful INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE attempt (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            subscription TEXT NOT NULL,
            seq INTEGER NOT NULL,
            at REAL NOT NULL,
            took REAL NOT NULL,
            result TEXT NOT NULL,
            code INTEGER NOT NULL
        ) STRICT""",
        "CREATE INDEX attempt_of ON attempt (subscription, number)",
        """CREATE TABLE dead_letter (
            subscription TEXT NOT NULL,
            first INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            at REAL NOT NULL,
            result TEXT NOT NULL,
            code INTEGER NOT NULL,
            PRIMARY KEY (subscription, seq)
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE seen (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            device TEXT NOT NULL,
            peer TEXT NOT NULL,
            at REAL NOT NULL,
            via TEXT NOT NULL,
            first REAL NOT NULL,
            UNIQUE (account, device, peer)
        ) STRICT""",
        "INSERT INTO seen SELECT number, account, '', peer, at, '', at FROM sighting",
        "DROP TABLE sighting",
        "ALTER TABLE seen RENAME TO sighting",
    ),
)
"""``sighting.number`` grows with every recording: the newest of an account has its greatest.

``log_head`` outlives the rows of ``account_log``, for a seq is never used again; its ``at`` is the newest
row's. ``summary`` is JSON (rows.py), and NULL where there is nothing but that something happened.

``subscription.sealed`` is all that is secret of it. A ``cursor`` without a subscription is that of an
account's own NotifyMail (model.subscription.preference_id)."""


def prepare(connection: sqlite3.Connection) -> None:
    """What each connection to notify.db needs: what is deleted is overwritten, not only forgotten."""
    connection.execute("PRAGMA secure_delete = ON").fetchall()
