"""The keys that secrets are sealed with, of a state directory: before the reactor runs, or without one."""

from __future__ import annotations

from mailsuite.accounts.keyring import Keyring, KeyringError
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.config.schema import Config
from mailsuite.directory.sqlite import accounts as accounts_db
from mailsuite.model.failure import MailFailure
from mailsuite.notices.sqlite.schema import SCHEMA
from mailsuite.notices.sqlite.subscriptions import count_sealed
from mailsuite.sqlite.database import Database
from mailsuite.state import State


def inline_passwords() -> Passwords:
    """For hashing before the reactor runs."""
    return Passwords(Inline())


def inline_vault(state: State) -> Vault:
    """For sealing before the reactor runs. Raises KeyringError."""
    return Vault(keyring(state), Inline())


def keyring(state: State) -> Keyring:
    """The keys of a state directory whose lock is held; the first ones where nothing is sealed yet. Raises
    KeyringError."""

    def sealed() -> int:
        try:
            return _count_sealed(state)
        except MailFailure as failure:
            raise KeyringError(
                f"{state.seal_key} is missing, and nobody can tell what is sealed with it ({failure.reason})"
            ) from failure

    return Keyring.load_or_create(state.seal_key, sealed)


def _count_sealed(state: State) -> int:
    """How many sealed secrets the databases have."""
    return _count_in_accounts(state) + _count_in_notices(state)


def _count_in_notices(state: State) -> int:
    if not state.notify_db.exists():
        return 0
    database = Database(state.notify_db, SCHEMA, Inline())
    try:
        return run_now(count_sealed(database))
    finally:
        run_now(database.close())


def _count_in_accounts(state: State) -> int:
    if not state.accounts_db.exists():
        return 0
    database = Database(state.accounts_db, accounts_db.SCHEMA, Inline())
    directory = accounts_db.SqliteDirectory(database)
    try:
        return len(run_now(directory.all_devices())) + len(run_now(directory.all_verifiers()))
    finally:
        run_now(database.close())


def new_key(config: Config) -> None:
    """A new key file in the place of one that is lost. Raises StateLocked, StateError, KeyringError."""
    state = State(config.server.state)
    state.take()
    try:
        Keyring.create(state.seal_key)
    finally:
        state.release()
