"""What is said to notify.db. Each finds what it looks for by an index, but where all is asked for."""

# Made of constants alone:
# ruff: noqa: S608

from __future__ import annotations

from typing import Final

from mailsuite.notices.sqlite.rows import (
    ATTEMPT,
    CURSOR,
    DEAD_LETTER,
    ENTRY,
    SUBSCRIPTION,
    SUBSCRIPTION_LASTING,
)

# The log.
NEXT_SEQ: Final = (
    "INSERT INTO log_head (account, head, at) VALUES (?, 1, ?)"
    " ON CONFLICT (account) DO UPDATE SET head = head + 1, at = excluded.at RETURNING head"
)
INSERT_ENTRY: Final = f"INSERT INTO account_log (account, {ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?)"
ENTRIES_AFTER: Final = f"SELECT {ENTRY} FROM account_log WHERE account = ? AND seq > ? ORDER BY seq"
OLDEST_SEQ: Final = "SELECT MIN(seq) FROM account_log WHERE account = ?"
HEAD: Final = "SELECT head FROM log_head WHERE account = ?"
HEADS: Final = "SELECT account, head FROM json_each(?) CROSS JOIN log_head ON account = value"
HEADS_SINCE: Final = "SELECT account, head FROM log_head WHERE at >= ?"
ACCOUNTS_FROM: Final = "SELECT account, head FROM log_head WHERE account >= ? ORDER BY account LIMIT ?"
OLDEST_YOUNG: Final = "SELECT seq FROM account_log WHERE account = ? AND at >= ? ORDER BY seq LIMIT 1"
DELETE_BEFORE: Final = (
    "DELETE FROM account_log WHERE account = ?1 AND seq IN"
    " (SELECT seq FROM account_log WHERE account = ?1 AND seq < ?2 ORDER BY seq LIMIT ?3)"
)
ERASE_ACCOUNT: Final = (
    "DELETE FROM account_log WHERE account = ?",
    "DELETE FROM log_head WHERE account = ?",
)

# Subscriptions.
LIST_SUBSCRIPTIONS: Final = f"SELECT {SUBSCRIPTION} FROM subscription"
COUNT_SUBSCRIPTIONS: Final = "SELECT COUNT(*) FROM subscription"
ACCOUNT_OF: Final = "SELECT account FROM subscription WHERE id = ?"
INSERT_SUBSCRIPTION: Final = (
    f"INSERT INTO subscription ({SUBSCRIPTION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UPDATE_SUBSCRIPTION: Final = (
    "UPDATE subscription SET "
    + ", ".join(f"{name} = ?" for name in SUBSCRIPTION.split(", ")[SUBSCRIPTION_LASTING:])
    + " WHERE id = ?"
)
SEALED_AFTER: Final = "SELECT id, account, sealed FROM subscription WHERE id > ? ORDER BY id LIMIT ?"
SET_SEALED: Final = "UPDATE subscription SET sealed = ? WHERE id = ?"

# Where they stand.
LIST_CURSORS: Final = f"SELECT {CURSOR} FROM cursor"
NEW_CURSOR: Final = "INSERT OR REPLACE INTO cursor (subscription, acked) VALUES (?, ?)"
SET_CURSOR: Final = f"INSERT OR REPLACE INTO cursor ({CURSOR}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_ATTEMPT: Final = f"INSERT INTO attempt ({ATTEMPT}) VALUES (?, ?, ?, ?, ?, ?)"
DELETE_OLD_ATTEMPTS: Final = (
    "DELETE FROM attempt WHERE subscription = ?1 AND number <="
    " (SELECT number FROM attempt WHERE subscription = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)"
)
ATTEMPTS_OF: Final = f"SELECT {ATTEMPT} FROM attempt WHERE subscription = ? ORDER BY number DESC"
SET_LETTER: Final = f"INSERT OR REPLACE INTO dead_letter ({DEAD_LETTER}) VALUES (?, ?, ?, ?, ?, ?)"
LETTERS_OF: Final = f"SELECT {DEAD_LETTER} FROM dead_letter WHERE subscription = ? ORDER BY seq"
DELETE_LETTER: Final = "DELETE FROM dead_letter WHERE subscription = ? AND seq = ?"
TRIM: Final = (
    "DELETE FROM attempt WHERE at < ?",
    "DELETE FROM dead_letter WHERE at < ?",
)
REMOVE: Final = (
    "DELETE FROM subscription WHERE id = ?",
    "DELETE FROM cursor WHERE subscription = ?",
    "DELETE FROM attempt WHERE subscription = ?",
    "DELETE FROM dead_letter WHERE subscription = ?",
)
