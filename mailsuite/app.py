"""The composition root: from a configuration to the parts of a server. The only importer of back-ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import attrs
from twisted.cred.portal import Portal

from mailsuite.accounts.checkers import PasswordChecker
from mailsuite.accounts.login import Login
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.realm import MailRealm
from mailsuite.accounts.registry import Registry
from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline, Pool
from mailsuite.config.schema import Config
from mailsuite.delivery.reception import Login as SubmitterLogin
from mailsuite.delivery.reception import Services as ReceptionServices
from mailsuite.delivery.router import Router
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sqlite import accounts as accounts_db
from mailsuite.directory.sqlite import sightings as sightings_db
from mailsuite.directory.sqlite.database import Database
from mailsuite.interfaces import IPolicyRule
from mailsuite.model.account import Account, Origin
from mailsuite.notify.channels.nm import NotifyMailChannel
from mailsuite.notify.notifier import Notifier, NotifierSettings
from mailsuite.notify.targets import TargetRules, objection
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying
from mailsuite.policy.sender import Sender
from mailsuite.state import State
from mailsuite.store.maildir.layout import Layout
from mailsuite.store.maildir.store import MaildirStore

FILE_THREADS = 8
"""Listing, reading, expunging: mostly waiting for the disk."""
FILE_QUEUE = 2000
HASH_THREADS = 2
"""An argon2id costs a core 20 ms; more threads would only take the cores from mail."""
HASH_QUEUE = 250
"""About 2.5 s of waiting at 20 ms each over two threads; who comes later is told to come again."""
DATABASE_QUEUE = 10_000


@attrs.define
class Parts:
    """All that lives as long as the server does. compose() makes it; nothing is opened before start()."""

    log: Log
    tasks: Tasks
    files: Pool
    pools: tuple[Pool, ...]
    databases: dict[Database, Pool]
    """Each with the one thread that works on it."""
    directory: LayeredDirectory
    sightings: sightings_db.SqliteSightings
    passwords: Passwords
    store: MaildirStore
    bus: LocalBus
    channel: NotifyMailChannel
    notifier: Notifier
    portal: Portal
    registry: Registry
    commits: Tasks

    def open(self) -> None:
        """Open the databases, before the reactor runs. Raises TemporaryFailure with the reason."""
        for database, pool in self.databases.items():
            database.threads = Inline()
            run_now(database.open())
            database.threads = pool

    def close(self) -> None:
        """Undo open(), where start() does not follow."""
        for database in self.databases:
            database.threads = Inline()
            run_now(database.close())

    def start(self) -> None:
        """Start threads and the notifier."""
        for pool in self.pools:
            pool.start()
        self.store.start()
        self.notifier.start()
        self.tasks.start(self._clean())

    async def _clean(self) -> None:
        removed = await self.store.clean_stale(time.time())
        if removed:
            self.log.info("store.cleaned", files=removed)

    async def stop(self) -> None:
        """Finish what was begun, then close. The sessions are gone by now.

        Ends the threads last, and waits for them in the reactor's own: nothing is left that it could serve,
        and nothing that they do waits for it.
        """
        try:
            await self.commits.finished()
            await self.tasks.finished()
            await self.notifier.stop()
            for database in self.databases:
                await database.close()
        finally:
            self.store.stop()
            for pool in self.pools:
                pool.stop()

    def login(self, config: Config) -> Login:
        """The way in by *config*."""
        learn_from = frozenset(config.notify.notifymail.learn_from)
        return Login(self.portal, self.sightings, learn_from, time.time, self.tasks, self.log)

    def reception(self, config: Config, login: SubmitterLogin) -> ReceptionServices:
        """What the SMTP sessions of a listener share."""
        rules: list[IPolicyRule] = [Sender(), Relaying(), Recipients()]
        return ReceptionServices(
            hostname=config.server.name,
            store=self.store,
            router=Router(self.directory, config.server.name, config.server.admin),
            policy=Chain(rules, self.log),
            bus=self.bus,
            login=login,
            seconds=time.time,
            log=self.log,
            commits=self.commits,
        )

    def use(self, config: Config, file: MemoryDirectory) -> None:
        """Go on by another configuration, with *file* as the accounts that stand in it. Cannot fail."""
        self.directory.replace_file(file)
        self.channel.connect_timeout = config.notify.notifymail.connect_timeout
        self.channel.source_address = config.notify.notifymail.source_address
        self.notifier.reload(notifier_settings(config))


def compose(config: Config, reactor: Any, log: Log, state: State) -> Parts:
    """Choose the implementations and join them."""

    def pool(name: str, size: int, queue: int) -> Pool:
        return Pool(reactor, name, size, queue)

    files = pool("files", FILE_THREADS, FILE_QUEUE)
    hashing = pool("hashing", HASH_THREADS, HASH_QUEUE)
    accounts_thread = pool("accounts.db", 1, DATABASE_QUEUE)
    notify_thread = pool("notify.db", 1, DATABASE_QUEUE)
    tasks = Tasks(partial(log.failure, "task.failed"))
    accounts = Database(state.accounts_db, accounts_db.SCHEMA, accounts_thread, log)
    notices = Database(state.notify_db, sightings_db.SCHEMA, notify_thread, log)
    directory = LayeredDirectory(MemoryDirectory(origin=Origin.FILE), accounts_db.SqliteDirectory(accounts))
    sightings = sightings_db.SqliteSightings(notices)
    passwords = Passwords(hashing, log)
    store = MaildirStore(layout(config), reactor, files, log)
    bus = LocalBus(reactor, log)
    notifymail = config.notify.notifymail
    channel = NotifyMailChannel(reactor, reactor, notifymail.connect_timeout, notifymail.source_address)
    portal = Portal(MailRealm(store, directory, tasks))
    portal.registerChecker(PasswordChecker(directory, passwords, PasswordCache(reactor.seconds), log))
    notifier = Notifier(bus, directory, sightings, channel, reactor, log, notifier_settings(config))
    return Parts(
        log=log,
        tasks=tasks,
        files=files,
        pools=(files, hashing, accounts_thread, notify_thread),
        databases={accounts: accounts_thread, notices: notify_thread},
        directory=directory,
        sightings=sightings,
        passwords=passwords,
        store=store,
        bus=bus,
        channel=channel,
        notifier=notifier,
        portal=portal,
        registry=Registry(
            directory,
            passwords,
            sightings,
            objection=lambda preference: objection(preference, notifier.settings.rules),
        ),
        commits=Tasks(partial(log.failure, "smtp.failed")),
    )


def layout(config: Config) -> Layout:
    return Layout(config.delivery.path.replace("{state}", str(config.server.state)))


def notifier_settings(config: Config) -> NotifierSettings:
    notifymail = config.notify.notifymail
    return NotifierSettings(
        enabled=config.notify.enabled and notifymail.enabled,
        window=config.notify.coalesce,
        max_in_flight=notifymail.max_in_flight,
        rules=TargetRules(
            default_state=notifymail.default_state,
            last_ip_expiry=notifymail.last_ip_expiry,
            ports=frozenset(notifymail.ports),
            allow_networks=config.notify.allow_networks,
        ),
    )


async def file_directory(config: Config, passwords: Passwords) -> MemoryDirectory:
    """The accounts and domains that stand in the configuration; plain passwords are hashed now."""
    accounts: list[Account] = []
    for block in config.accounts:
        account = block.account
        if block.password is not None:
            account = attrs.evolve(account, password_hash=await passwords.hash(block.password.reveal()))
        accounts.append(account)
    return MemoryDirectory(accounts, [block.domain for block in config.domains], Origin.FILE)


@contextlib.contextmanager
def offline_registry(config: Config) -> Iterator[Registry]:
    """The registry for a program that runs while no server does, under the state directory's lock.

    Raises StateLocked where a server does run, StateError where the directory cannot be used.
    """
    state = State(config.server.state)
    state.take()
    threads = Inline()
    accounts = Database(state.accounts_db, accounts_db.SCHEMA, threads)
    notices = Database(state.notify_db, sightings_db.SCHEMA, threads)
    passwords = Passwords(threads)
    try:
        file = run_now(file_directory(config, passwords))
        directory = LayeredDirectory(file, accounts_db.SqliteDirectory(accounts))
        rules = notifier_settings(config).rules
        sightings = sightings_db.SqliteSightings(notices)
        yield Registry(
            directory, passwords, sightings, objection=lambda preference: objection(preference, rules)
        )
    finally:
        for database in (accounts, notices):
            run_now(database.close())
        state.release()


def inline_passwords() -> Passwords:
    """For hashing before the reactor runs."""
    return Passwords(Inline())
