"""The steps that bring queue.db up to date; the first make it."""

from __future__ import annotations

import sqlite3

from mailsuite.queue.matching import address_matches
from mailsuite.queue.sqlite.rows import has_met, said
from mailsuite.sqlite.database import Schema

CACHE_KIBIBYTES = 32 * 1024
"""Pages of the file that are kept in memory: the upper levels of all indexes for some million rows."""

SCHEMA: Schema = (
    (
        """CREATE TABLE message (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            file TEXT NOT NULL UNIQUE,
            size INTEGER NOT NULL,
            sender TEXT NOT NULL,
            account TEXT NOT NULL,
            arrived REAL NOT NULL,
            release REAL NOT NULL,
            parameters TEXT NOT NULL,
            vouched INTEGER NOT NULL CHECK (vouched IN (0, 1))
        ) STRICT""",
        """CREATE TABLE part (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            message INTEGER NOT NULL REFERENCES message (number) ON DELETE CASCADE,
            destination TEXT NOT NULL,
            origin TEXT NOT NULL,
            cost REAL NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('ready', 'waiting', 'leased', 'held', 'over')),
            due REAL NOT NULL,
            until REAL NOT NULL DEFAULT 0,
            serial INTEGER NOT NULL DEFAULT 0,
            held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),
            order_ TEXT NOT NULL DEFAULT ''
        ) STRICT""",
        "CREATE INDEX part_of ON part (message, state)",
        "CREATE INDEX part_ready ON part (destination, origin, due, number) WHERE state = 'ready'",
        "CREATE INDEX part_waiting ON part (due) WHERE state = 'waiting'",
        "CREATE INDEX part_leased ON part (until) WHERE state = 'leased'",
        """CREATE TABLE recipient (
            part INTEGER NOT NULL REFERENCES part (number) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            address TEXT NOT NULL,
            notify TEXT,
            original TEXT NOT NULL,
            tries INTEGER NOT NULL DEFAULT 0,
            last TEXT,
            warned INTEGER NOT NULL DEFAULT 0 CHECK (warned IN (0, 1)),
            over INTEGER NOT NULL DEFAULT 0 CHECK (over IN (0, 1)),
            PRIMARY KEY (part, number)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE owed (
            message INTEGER NOT NULL REFERENCES message (number) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            part INTEGER NOT NULL,
            kind TEXT NOT NULL,
            PRIMARY KEY (message, number)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE past (
            id TEXT NOT NULL PRIMARY KEY,
            number INTEGER NOT NULL,
            at REAL NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX past_at ON past (at)",
        """CREATE TABLE destination (
            name TEXT NOT NULL PRIMARY KEY,
            turn REAL NOT NULL DEFAULT 0,
            key REAL,
            blocked REAL NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX destination_open ON destination (key) WHERE key IS NOT NULL AND blocked = 0",
        "CREATE INDEX destination_blocked ON destination (blocked) WHERE blocked > 0",
        "CREATE INDEX destination_late ON destination (blocked) WHERE blocked > 0 AND key IS NOT NULL",
        """CREATE TABLE flow (
            destination TEXT NOT NULL,
            origin TEXT NOT NULL,
            turn REAL NOT NULL,
            tag REAL NOT NULL,
            PRIMARY KEY (destination, origin)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX flow_turn ON flow (destination, turn)",
        "CREATE INDEX flow_tag ON flow (destination, tag)",
        "CREATE INDEX flow_origin ON flow (origin, tag)",
    ),
    (
        "CREATE TABLE made (at REAL NOT NULL) STRICT",
        "INSERT INTO made (at) VALUES (CAST(strftime('%s', 'now') AS REAL))",
    ),
    (
        "DROP INDEX destination_late",
        "DROP INDEX destination_blocked",
        "DROP INDEX destination_open",
        "ALTER TABLE destination DROP COLUMN blocked",
        "DELETE FROM destination WHERE key IS NULL",
        "CREATE INDEX destination_open ON destination (key) WHERE key IS NOT NULL",
    ),
    (
        "DROP INDEX destination_open",
        """ALTER TABLE destination ADD COLUMN source TEXT GENERATED ALWAYS AS (
            CASE instr(name, ' from ') WHEN 0 THEN '' ELSE substr(name, instr(name, ' from ') + 6) END
        ) VIRTUAL""",
        "CREATE INDEX destination_open ON destination (source, key) WHERE key IS NOT NULL",
    ),
    ("CREATE INDEX message_held ON message (account, release, size) WHERE release > 0",),
)
"""``message.number`` is the order of arrival; ``file`` the name in the spool; ``sender`` and ``account`` are
empty where there is none; ``parameters``, ``recipient.last`` and ``part.order_`` as rows.py writes them.

A *part* is what one lease holds: recipients of one message for one destination. ``state`` is that of those
who are not over; ``serial`` counts its leases; ``held`` and ``order_`` say what happens when one comes back.
``past`` are ids that were here a short time ago.

``destination`` and ``flow`` say whose turn it is (turns.py), and follow from the parts that are ready: a flow
is there while its origin has something ready for that destination, a destination while it has flows.
``source`` is what source_of() finds in its name (model/outbound.py).

``made`` says since when there are these rows: files of the spool that are older belong to others."""


def prepare(connection: sqlite3.Connection) -> None:
    """What each connection to queue.db needs."""
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    connection.create_function("address_matches", 2, address_matches, deterministic=True)
    connection.create_function("has_met", 2, has_met, deterministic=True)
    connection.create_function("said", 1, said, deterministic=True)
