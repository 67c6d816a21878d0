"""What is said to queue.db while mail goes through it. Each finds what it looks for by an index."""

# Made of constants alone:
# ruff: noqa: S608

from __future__ import annotations

from typing import Final

from mailsuite.queue.sqlite.rows import MESSAGE, RECIPIENT

# Messages.
ANY_NUMBER_OF_ID: Final = (
    "SELECT number FROM message WHERE id = ?1 UNION ALL SELECT number FROM past WHERE id = ?1"
)
KNOWS_ID: Final = "SELECT 1 FROM message WHERE id = ?1 UNION ALL SELECT 1 FROM past WHERE id = ?1"
INSERT_MESSAGE: Final = (
    "INSERT INTO message (id, file, size, sender, account, arrived, release, parameters, vouched)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
MESSAGE_BY_NUMBER: Final = f"SELECT {MESSAGE} FROM message WHERE number = ?"
SENDER_OF: Final = "SELECT sender FROM message WHERE number = ?"
RELEASE_OF: Final = "SELECT release FROM message WHERE number = ?"
HELD_BY: Final = (
    "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM message WHERE account = ? AND release > ? AND release > 0"
)
NUMBER_OF_FILE: Final = "SELECT number FROM message WHERE file = ?"
KNOWN_FILES: Final = "SELECT file FROM json_each(?) CROSS JOIN message ON file = value"
CONTENTS_AFTER: Final = "SELECT number, id, file, size FROM message WHERE number > ? ORDER BY number LIMIT ?"
FILE_OF_ID: Final = "SELECT file, size FROM message WHERE id = ?"
IS_UNFINISHED: Final = (
    "SELECT 1 FROM part WHERE message = ?1 AND state IN ('ready', 'waiting', 'leased', 'held')"
    " UNION ALL SELECT 1 FROM owed WHERE message = ?1 LIMIT 1"
)
WAS_LEASED: Final = "SELECT 1 FROM part WHERE message = ? AND serial > 0 LIMIT 1"
DELETE_MESSAGE: Final = "DELETE FROM message WHERE number = ? RETURNING id, file"
REMEMBER: Final = "INSERT OR REPLACE INTO past (id, number, at) VALUES (?, ?, ?)"
FORGET_PAST: Final = "DELETE FROM past WHERE id IN (SELECT id FROM past WHERE at < ? ORDER BY at LIMIT ?)"

# Parts.
INSERT_PART: Final = (
    "INSERT INTO part (message, destination, origin, cost, state, due, serial) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
INSERT_RECIPIENT: Final = (
    "INSERT INTO recipient (part, number, address, notify, original) VALUES (?, ?, ?, ?, ?)"
)
PART: Final = (
    "SELECT number, message, destination, origin, cost, state, due, serial, held, order_"
    " FROM part WHERE number = ?"
)
PARTS_OF: Final = (
    "SELECT number, message, destination, origin, cost, state, due, serial, held, order_"
    " FROM part WHERE message = ? AND state IN ('ready', 'waiting', 'leased', 'held')"
)
PARTS_AFTER: Final = (
    "SELECT number, message, destination, origin, cost, state, due, serial, held, order_"
    " FROM part WHERE number > ? AND state IN ('ready', 'waiting', 'held') ORDER BY number LIMIT ?"
)
SET_STATE: Final = "UPDATE part SET state = ?, due = ?, until = 0, held = 0, order_ = '' WHERE number = ?"
SET_HELD: Final = "UPDATE part SET held = ? WHERE number = ?"
SET_ORDER: Final = "UPDATE part SET order_ = ? WHERE number = ?"
DELETE_PART: Final = "DELETE FROM part WHERE number = ?"
WAITING_UNTIL: Final = "SELECT number FROM part WHERE state = 'waiting' AND due <= ? ORDER BY due LIMIT ?"
FIRST_WAITING: Final = "SELECT due FROM part WHERE state = 'waiting' ORDER BY due LIMIT 1"

# Leases.
LEASE: Final = "UPDATE part SET state = 'leased', until = ?, serial = serial + 1 WHERE number = ?"
EXTEND: Final = "UPDATE part SET until = ? WHERE number = ? AND serial = ? AND state = 'leased'"
LEASED_UNTIL: Final = "SELECT number FROM part WHERE state = 'leased' AND until <= ? ORDER BY until LIMIT ?"
FIRST_LEASED: Final = "SELECT until FROM part WHERE state = 'leased' ORDER BY until LIMIT 1"
LEFT_OF_PART: Final = f"SELECT {RECIPIENT} FROM recipient WHERE part = ? AND over = 0 ORDER BY number"
ADDRESSES_LEFT: Final = "SELECT number, address FROM recipient WHERE part = ? AND over = 0 ORDER BY number"
ANY_OF_PART: Final = "SELECT 1 FROM recipient WHERE part = ? LIMIT 1"
ALL_OF_MESSAGE: Final = (
    f"SELECT state, due, over, {RECIPIENT} FROM part CROSS JOIN recipient ON recipient.part = part.number"
    " WHERE message = ?"
)
EVERYBODY: Final = (
    "SELECT recipient.number, address, over, last FROM part CROSS JOIN recipient"
    " ON recipient.part = part.number WHERE message = ?"
)
RECORD: Final = (
    "UPDATE recipient SET tries = tries + 1, last = ?, over = ? WHERE part = ? AND number = ? AND over = 0"
)
SAY_WHY: Final = "UPDATE recipient SET last = ? WHERE part = ? AND over = 0"
GIVE_UP: Final = "UPDATE recipient SET last = ?, over = 1 WHERE part = ? AND over = 0"
WARN: Final = "UPDATE recipient SET warned = 1 WHERE part = ? AND number = ?"
DELETE_LEFT: Final = "DELETE FROM recipient WHERE part = ? AND over = 0"
MOVE_RECIPIENT: Final = "UPDATE recipient SET part = ? WHERE part = ? AND number = ?"

# Notices.
OWE: Final = (
    "INSERT OR REPLACE INTO owed (message, number, part, kind)"
    " SELECT ?, number, part, ? FROM recipient WHERE part = ? AND number = ?"
)
OWED_MESSAGES: Final = "SELECT DISTINCT message FROM owed ORDER BY message LIMIT ?"
OWED_OF: Final = (
    f"SELECT kind, {RECIPIENT} FROM owed CROSS JOIN recipient"
    " ON recipient.part = owed.part AND recipient.number = owed.number"
    " WHERE message = ? ORDER BY owed.number"
)
OWED_NOT: Final = "DELETE FROM owed WHERE message = ? AND number = ?"
OWED_NOTHING: Final = "DELETE FROM owed WHERE message = ?"
TOLD: Final = "DELETE FROM owed WHERE message = ? AND number = ? AND kind = ?"
MOVE_OWED: Final = "UPDATE owed SET part = ? WHERE message = ? AND number = ?"
NUMBER_OF_ID: Final = "SELECT number FROM message WHERE id = ?"

# Turns.
HAS_FLOW: Final = "SELECT 1 FROM flow WHERE destination = ? AND origin = ?"
INSERT_FLOW: Final = "INSERT INTO flow (destination, origin, turn, tag) VALUES (?, ?, ?, ?)"
UPDATE_FLOW: Final = "UPDATE flow SET turn = ?, tag = ? WHERE destination = ? AND origin = ?"
DELETE_FLOW: Final = "DELETE FROM flow WHERE destination = ? AND origin = ?"
NEXT_FLOW: Final = "SELECT origin, turn FROM flow WHERE destination = ? ORDER BY turn LIMIT 1"
LAST_TAG: Final = "SELECT MAX(tag) FROM flow WHERE origin = ?"
FIRST_READY: Final = (
    "SELECT number, cost FROM part WHERE destination = ? AND origin = ? AND state = 'ready'"
    " ORDER BY due, number LIMIT 1"
)
TURN_OF_DESTINATION: Final = "SELECT turn FROM destination WHERE name = ?"
ENTER_DESTINATION: Final = (
    "INSERT INTO destination (name, key) VALUES (?, ?)"
    " ON CONFLICT DO UPDATE SET key = MIN(COALESCE(key, excluded.key), excluded.key)"
)
SET_TURN: Final = "UPDATE destination SET turn = ? WHERE name = ?"
SET_KEY: Final = (
    "UPDATE destination SET key = (SELECT MIN(tag) FROM flow WHERE destination = ?1) WHERE name = ?1"
)
DELETE_IDLE_DESTINATION: Final = "DELETE FROM destination WHERE name = ? AND key IS NULL"
ANY_DESTINATION: Final = "SELECT 1 FROM destination WHERE key IS NOT NULL LIMIT 1"
NEXT_SOURCE: Final = (
    "SELECT source FROM destination WHERE key IS NOT NULL AND source > ? ORDER BY source LIMIT 1"
)
OPEN_DESTINATIONS: Final = (
    "SELECT key, name FROM destination WHERE key IS NOT NULL AND source = ? ORDER BY key LIMIT ?"
)
OPEN_DESTINATION: Final = "SELECT key, name FROM destination WHERE name = ? AND key IS NOT NULL"
