"""Work on accounts while no server runs: the same office, over the same databases, without a reactor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from mailsuite.accounts.gate import Gate
from mailsuite.accounts.office import Office
from mailsuite.accounts.sources.chain import Sources
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.config.load import Loaded
from mailsuite.config.schema import Config
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.sqlite import accounts as accounts_db
from mailsuite.directory.sqlite import logins as logins_db
from mailsuite.directory.sqlite.sightings import SqliteSightings
from mailsuite.file_accounts import file_directory
from mailsuite.keys import inline_passwords, inline_vault
from mailsuite.notices.sqlite.notify_db import NotifyDb
from mailsuite.notify.configured import notifier_settings
from mailsuite.notify.erasing import erase
from mailsuite.notify.targets import objection
from mailsuite.observe.log import Log
from mailsuite.people import People
from mailsuite.sqlite.database import Database
from mailsuite.state import State


@contextlib.contextmanager
def offline_office(config: Config, foresee: Callable[[str], Awaitable[Loaded]]) -> Iterator[Office]:
    """The office for a program that runs while no server does, under the state directory's lock.

    *foresee* reads the configuration with one KEY=VALUE above it. Raises StateLocked where a server does
    run, StateError where the directory cannot be used, KeyringError where the key file cannot.
    """
    state = State(config.server.state)
    state.take()
    try:
        with _opened_offline(config, state, foresee) as office:
            yield office
    finally:
        state.release()


@contextlib.contextmanager
def _opened_offline(
    config: Config, state: State, foresee: Callable[[str], Awaitable[Loaded]]
) -> Iterator[Office]:
    threads = Inline()
    accounts = Database(state.accounts_db, accounts_db.SCHEMA, threads)
    passwords, vault = inline_passwords(), inline_vault(state)
    notices = NotifyDb.at(state.notify_db, threads, vault, Log())
    directory = LayeredDirectory(
        run_now(file_directory(config, passwords, vault)), accounts_db.SqliteDirectory(accounts)
    )
    rules = notifier_settings(config).rules
    people = People(
        directory=directory,
        logins=logins_db.SqliteLogins(accounts),
        sightings=SqliteSightings(notices.database),
        passwords=passwords,
        vault=vault,
        threads=threads,
        key_file=state.seal_key,
        gate=Gate(directory, vault, time.time),
        sources=Sources(),
        subscriptions=notices.subscriptions,
        objection=lambda preference: objection(preference, rules),
        erase=partial(erase, notices.subscriptions, notices.event_log),
    )

    try:
        yield people.office(lambda: config, foresee)
    finally:
        run_now(accounts.close())
        run_now(notices.close())
