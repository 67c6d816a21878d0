"""What sqlite/accounts.py says to accounts.db. The order of the columns is that of rows.py."""

from __future__ import annotations

from typing import Final

LIST_DOMAINS: Final = (
    "SELECT name, same_as, delimiters, catch_all, catch_all_except, patterns, quota_octets, quota_messages,"
    " max_message, block_senders, accept_senders, total_octets, total_messages, notify, notify_max_level,"
    " language FROM domain ORDER BY name"
)
INSERT_DOMAIN: Final = "INSERT INTO domain (name) VALUES (?) ON CONFLICT DO NOTHING"
UPDATE_DOMAIN: Final = (
    "UPDATE domain SET same_as = ?, delimiters = ?, catch_all = ?, catch_all_except = ?, patterns = ?,"
    " quota_octets = ?, quota_messages = ?, max_message = ?, block_senders = ?, accept_senders = ?,"
    " total_octets = ?, total_messages = ?, notify = ?, notify_max_level = ?, language = ? WHERE name = ?"
)

LIST_ALIASES: Final = (
    "SELECT alias.domain, alias.local, target_domain, target_local FROM alias"
    " LEFT JOIN alias_target USING (domain, local) ORDER BY alias.domain, alias.local, place"
)
FIND_ALIAS: Final = (
    "SELECT alias.domain, alias.local, target_domain, target_local FROM alias"
    " LEFT JOIN alias_target USING (domain, local) WHERE alias.domain = ? AND alias.local = ? ORDER BY place"
)
FIND_ALIASES_TO: Final = (
    "SELECT DISTINCT domain, local FROM alias_target WHERE target_domain = ? AND target_local = ?"
    " ORDER BY domain, local"
)
INSERT_ALIAS: Final = "INSERT INTO alias (domain, local) VALUES (?, ?) ON CONFLICT DO NOTHING"
INSERT_TARGET: Final = (
    "INSERT INTO alias_target (domain, local, place, target_domain, target_local) VALUES (?, ?, ?, ?, ?)"
)
DELETE_TARGETS: Final = "DELETE FROM alias_target WHERE domain = ? AND local = ?"
DELETE_ALIAS: Final = "DELETE FROM alias WHERE domain = ? AND local = ?"

LIST_ACCOUNTS: Final = (
    "SELECT domain, local, name, password_hash, notify_state, notify_address, notify_port,"
    " state, forward_local, forward_domain, keep_copy, pop3, own_retention, delete_after,"
    " delete_unread_after, quota_octets, quota_messages, send_as,"
    " max_message, block_senders, accept_senders, language FROM account ORDER BY domain, local"
)
FIND_ACCOUNT: Final = (
    "SELECT domain, local, name, password_hash, notify_state, notify_address, notify_port,"
    " state, forward_local, forward_domain, keep_copy, pop3, own_retention, delete_after,"
    " delete_unread_after, quota_octets, quota_messages, send_as,"
    " max_message, block_senders, accept_senders, language FROM account WHERE domain = ? AND local = ?"
)
MEMBERS: Final = "SELECT local FROM account WHERE domain = ? ORDER BY local"
INSERT_ACCOUNT: Final = (
    "INSERT INTO account (domain, local, name, password_hash, notify_state, notify_address, notify_port,"
    " state, forward_local, forward_domain, keep_copy, pop3, own_retention, delete_after,"
    " delete_unread_after, quota_octets, quota_messages, send_as, max_message, block_senders, accept_senders,"
    " language) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UPDATE_ACCOUNT: Final = (
    "UPDATE account SET name = ?, password_hash = ?, notify_state = ?, notify_address = ?, notify_port = ?,"
    " state = ?, forward_local = ?, forward_domain = ?, keep_copy = ?, pop3 = ?,"
    " own_retention = ?, delete_after = ?, delete_unread_after = ?,"
    " quota_octets = ?, quota_messages = ?, send_as = ?,"
    " max_message = ?, block_senders = ?, accept_senders = ?, language = ?"
    " WHERE domain = ? AND local = ?"
)
REPLACE_HASH: Final = (
    "UPDATE account SET password_hash = ? WHERE domain = ? AND local = ? AND password_hash = ?"
)
DELETE_ACCOUNT: Final = "DELETE FROM account WHERE domain = ? AND local = ?"

LIST_DEVICES: Final = (
    "SELECT domain, local, id, name, folded, sealed, scopes, mechanisms, networks, expires, created,"
    " view, sender, recipients FROM device ORDER BY domain, local, folded"
)
FIND_DEVICES: Final = (
    "SELECT id, name, folded, sealed, scopes, mechanisms, networks, expires, created, view,"
    " sender, recipients FROM device WHERE domain = ? AND local = ? ORDER BY folded"
)
INSERT_DEVICE: Final = (
    "INSERT INTO device"
    " (domain, local, id, name, folded, sealed, scopes, mechanisms, networks, expires, created, view,"
    " sender, recipients) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
HAS_DEVICE: Final = "SELECT 1 FROM device WHERE domain = ? AND local = ? AND id = ?"
HAS_NAMESAKE: Final = "SELECT 1 FROM device WHERE domain = ? AND local = ? AND id <> ? AND folded = ?"
UPDATE_DEVICE: Final = (
    "UPDATE device SET name = ?, folded = ?, sealed = ?, scopes = ?, mechanisms = ?, networks = ?,"
    " expires = ?, created = ?, view = ?, sender = ?, recipients = ?"
    " WHERE domain = ? AND local = ? AND id = ?"
)
DELETE_DEVICE: Final = "DELETE FROM device WHERE domain = ? AND local = ? AND id = ?"
DELETE_DEVICES: Final = "DELETE FROM device WHERE domain = ? AND local = ?"

LIST_VERIFIERS: Final = "SELECT domain, local, sealed FROM verifiers ORDER BY domain, local"
FIND_VERIFIERS: Final = "SELECT sealed FROM verifiers WHERE domain = ? AND local = ?"
INSERT_VERIFIERS: Final = "INSERT INTO verifiers (domain, local, sealed) VALUES (?, ?, ?)"
DELETE_VERIFIERS: Final = "DELETE FROM verifiers WHERE domain = ? AND local = ?"
