"""The composition root: from a configuration to the parts of a server. Its back-ends are picked here."""

from __future__ import annotations

import datetime
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from twisted.cred.portal import Portal
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.checkers import PasswordChecker, ScramChecker, SecretChecker
from mailsuite.accounts.gate import Gate
from mailsuite.accounts.hopeless import HopelessChecker
from mailsuite.accounts.housekeeping import Housekeeper
from mailsuite.accounts.login import Login
from mailsuite.accounts.offers import rules_of
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.presence import Presence
from mailsuite.accounts.realm import MailRealm
from mailsuite.accounts.renewal import Renewal
from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.sources.opening import open_sources
from mailsuite.accounts.terms import OwnRetentions, Stays
from mailsuite.accounts.throttle import FailureThrottle
from mailsuite.accounts.turnstile import Turnstile
from mailsuite.accounts.vault import Vault
from mailsuite.accounts.views import Views
from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline, Patient, Pool
from mailsuite.concurrent.watch import FileWatch
from mailsuite.config.schema import Config
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.srs import SenderRewriting
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sqlite import accounts as accounts_db
from mailsuite.directory.sqlite import bans as bans_db
from mailsuite.directory.sqlite import logins as logins_db
from mailsuite.directory.sqlite import totals as totals_db
from mailsuite.directory.sqlite.sightings import SqliteSightings
from mailsuite.frontends.certificates import self_signed
from mailsuite.frontends.keeper import CertificateKeeper
from mailsuite.frontends.premises import Premises
from mailsuite.interfaces import IQueueDesk, IThreads
from mailsuite.keys import keyring
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reach import IPNetwork
from mailsuite.model.retention import MaildropRules
from mailsuite.notices.sqlite.notify_db import NotifyDb
from mailsuite.notify.mail_commands import MailCommands
from mailsuite.notify.targets import objection
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.observe.protocol_log import Watches
from mailsuite.people import People
from mailsuite.policy.access_files import AccessLists
from mailsuite.policy.bans import Bans
from mailsuite.policy.configured import ban_rules
from mailsuite.policy.sender_files import SenderLists
from mailsuite.queue.sqlite.desk import SqliteDesk
from mailsuite.queue.sqlite.queue import SqliteQueue
from mailsuite.queue.sqlite.sweeping import sweep
from mailsuite.receiving import Receiving, receiving
from mailsuite.resolver.service import name_service
from mailsuite.sending import Ground, Sending, sending
from mailsuite.sqlite.database import Database
from mailsuite.state import State
from mailsuite.store.maildir.layout import Layout
from mailsuite.store.maildir.store import MaildirStore
from mailsuite.telling import Telling, telling

FILE_THREADS = 8
"""Listing, reading, expunging: mostly waiting for the disk."""
FILE_QUEUE = 2000
HASH_THREADS = 2
"""An argon2id costs a core 20 ms; more threads would only take the cores from mail."""
HASH_QUEUE = 2000
HASH_PATIENCE = 5.0
"""Seconds that a login waits for a thread; then it is told to come again."""
HASH_NICE = 10
"""Hashing takes what processor time mail leaves."""
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
    notices: NotifyDb
    directory: LayeredDirectory
    people: People
    throttle: FailureThrottle
    turnstile: Turnstile
    sources: Sources
    store: MaildirStore
    stays: Stays
    housekeeper: Housekeeper
    watch: FileWatch
    keeper: CertificateKeeper
    premises: Premises
    bus: LocalBus
    telling: Telling
    mail_commands: MailCommands
    presence: Presence
    portal: Portal
    queue: SqliteQueue
    queue_thread: Pool
    desk: IQueueDesk
    sweeping: Tasks
    """The look for what a crash has left in the queue."""
    receiving: Receiving
    sending: Sending

    def open(self, file: MemoryDirectory) -> None:
        """Open the databases, before the reactor runs; *file* are the accounts of the configuration. Raises
        TemporaryFailure with the reason."""
        self.directory.replace_file(file)
        self.receiving.names.open()
        for database in self.databases:
            database.threads = Inline()
            run_now(database.open())
        self.queue.turn(Inline())
        run_now(self.queue.open())
        self.queue.turn(self.queue_thread)
        run_now(self.premises.bans.load())
        run_now(self.people.learn_retentions())
        run_now(self.telling.load())
        for database, pool in self.databases.items():
            database.threads = pool

    def close(self) -> None:
        """Undo open(), where start() does not follow."""
        for database in self.databases:
            database.threads = Inline()
            run_now(database.close())
        self.queue.turn(Inline())
        run_now(self.queue.close())

    def start(self) -> None:
        """Start threads and the notifier."""
        for pool in self.pools:
            pool.start()
        self.store.start()
        self.housekeeper.start()
        self.watch.start()
        self.receiving.start()
        self.keeper.start()
        self.telling.start()
        self.sending.start()
        self.tasks.start(self._clean())
        self.sweeping.start(self._sweep())

    async def _clean(self) -> None:
        removed = await self.store.clean_stale(time.time())
        if removed:
            self.log.info("store.cleaned", files=removed)

    async def _sweep(self) -> None:
        try:
            removed, held = await sweep(self.queue)
        except MailFailure as failure:
            self.log.error("queue.unswept", reason=failure.reason)
        else:
            self.log.info("queue.swept", removed=removed, held=held)

    async def stop(self) -> None:
        """Finish what was begun, then close. The sessions are gone by now.

        Ends the threads last, and waits for them in the reactor's own: nothing is left that it could serve,
        and nothing that they do waits for it.
        """
        try:
            self.sweeping.cancel()  # of a million messages it takes a minute, and the next start does it
            await self.sending.stop()
            await self.receiving.finish()
            await self.housekeeper.stop()
            await self.watch.stop()
            await self.receiving.stop()
            self.presence.stop()
            await self.tasks.finished()
            await self.sweeping.finished()
            await self.keeper.stop()
            await self.premises.bans.stop()
            await self.telling.stop()
            await self.sources.stop()
            await self.notices.commits.finished()
            for database in self.databases:
                await database.close()
            await self.queue.close()
        finally:
            self.store.stop()
            for pool in self.pools:
                pool.stop()

    def login(self, config: Config) -> Login:
        """The way in by *config*."""
        learn_from = frozenset(config.notify.notifymail.learn_from)
        people = self.people
        return Login(
            portal=self.portal,
            gate=people.gate,
            throttle=self.throttle,
            sightings=people.sightings,
            logins=people.logins,
            learn_from=learn_from,
            no_learn=proxies(config),
            now=time.time,
            tasks=self.tasks,
            log=self.log,
            turnstile=self.turnstile,
            presence=self.presence,
        )

    def use(self, config: Config, file: MemoryDirectory, sources: Sources) -> None:
        """Go on by another configuration, with *file* as the accounts that stand in it. Cannot fail."""
        self.directory.replace_file(file)
        self.tasks.start(self.sources.use(sources).stop())
        self.throttle.first = config.guard.failure_delay
        self.throttle.longest = config.guard.failure_delay_maximum
        self.premises.bans.rules = ban_rules(config)
        self.store.rules = maildrop_rules(config)
        self.store.deleted_quota = config.delivery.deleted_quota
        self.receiving.use(config)
        self.sending.use(config)
        self.stays.rules = rules_of(config.pop3, config.domains)
        self.telling.use(config)
        self.mail_commands.local = config.notify.mail_commands
        self.tasks.start(self._learn_retentions())
        self.housekeeper.soon()

    def seen_streaming(self, account: Address, device: str, peer: IPAddress) -> None:
        """A stream of this account's comes from there."""
        config = self.telling.config
        is_learnt_from = "stream" in config.notify.notifymail.learn_from
        if is_learnt_from and not any(peer in network for network in proxies(config)):
            self.tasks.start(self._record_stream(account, device, peer))

    async def _record_stream(self, account: Address, device: str, peer: IPAddress) -> None:
        try:
            await self.people.sightings.record(account, peer, time.time(), device, "stream")
        except MailFailure as failure:
            self.log.warning("sighting.lost", account=account, reason=failure.reason)

    async def _learn_retentions(self) -> None:
        try:
            await self.people.learn_retentions()
        except MailFailure as failure:
            self.log.warning("retention.unlearned", reason=failure.reason)


def compose(config: Config, reactor: Any, log: Log, state: State) -> Parts:
    """Choose the implementations and join them."""

    def pool(name: str, size: int, queue: int) -> Pool:
        return Pool(reactor, name, size, queue)

    files = pool("files", FILE_THREADS, FILE_QUEUE)
    hashing = Pool(reactor, "hashing", HASH_THREADS, HASH_QUEUE, HASH_NICE)
    accounts_thread = pool("accounts.db", 1, DATABASE_QUEUE)
    notify_thread = pool("notify.db", 1, DATABASE_QUEUE)
    queue_thread = pool("queue.db", 1, DATABASE_QUEUE)
    failed = partial(log.failure, "task.failed")
    tasks = Tasks(failed)
    accounts = Database(state.accounts_db, accounts_db.SCHEMA, accounts_thread, log)
    directory = LayeredDirectory(MemoryDirectory(origin=Origin.FILE), accounts_db.SqliteDirectory(accounts))
    patient = Patient(hashing, reactor, HASH_PATIENCE)
    slow_hashing = Pool(reactor, "slow hashing", 1, HASH_QUEUE, HASH_NICE)
    passwords = Passwords(patient, log, slow=Patient(slow_hashing, reactor, HASH_PATIENCE))
    vault = Vault(keyring(state), patient)
    notices = NotifyDb.at(state.notify_db, notify_thread, vault, log)
    sightings = SqliteSightings(notices.database)
    logins = logins_db.SqliteLogins(accounts)
    sources = sources_of(config, reactor, files, passwords, log)
    store = MaildirStore(layout(config), reactor, files, log, rules=maildrop_rules(config))
    store.deleted_quota = config.delivery.deleted_quota
    stays = Stays(rules_of(config.pop3, config.domains))
    housekeeper = Housekeeper(
        directory,
        store,
        directory.whole_devices,
        stays,
        keep_deleted=lambda: store.rules.keep_deleted,
        clock=reactor,
        now=time.time,
        log=log,
    )
    watch = FileWatch(files, reactor, log)
    premises = Premises(
        clock=reactor,
        threads=files,
        log=log,
        bans=Bans(bans_db.SqliteBans(accounts), time.time, log, ban_rules(config)),
        access=AccessLists(files, watch, log),
        metrics=Metrics(),
        watches=Watches(),
        own_retentions=OwnRetentions(),
    )
    views = Views(store, tasks, log)
    bus = LocalBus(reactor, log)
    portal = Portal(MailRealm(store, directory, tasks))
    turnstile = Turnstile(reactor, log)
    turn = DeferredLock()
    renewal = Renewal(directory, vault, passwords, tasks, log, turn)
    gate = Gate(directory, vault, time.time, log, renewal.successor)
    portal.registerChecker(PasswordChecker(gate, passwords, PasswordCache(reactor.seconds), renewal, sources))
    portal.registerChecker(SecretChecker(gate))
    portal.registerChecker(ScramChecker(gate))
    portal.registerChecker(HopelessChecker(gate))
    names = name_service(config.resolver, reactor, files, watch, log)
    tells = telling(
        config,
        reactor,
        notices=notices,
        derived=vault.keyring.derived,
        directory=directory,
        sightings=sightings,
        in_session=turnstile.is_open,
        bus=bus,
        resolver=names.names,
        store=store,
        threads=files,
        told=turnstile.delay.knocked,
        metrics=premises.metrics,
        log=log,
    )
    presence = Presence(tells.intake, logins, reactor, time.time, tasks, log, tells.logged_in)

    async def erase(account: Address, device: str | None) -> None:
        presence.forget(account)
        await tells.erase(account, device)

    queue = SqliteQueue(state.path, store.committer, queue_thread, files, log)
    arrivals = Arrivals(time.time, log, tells.intake)
    mail_commands = MailCommands(
        tells.office,
        directory,
        store,
        arrivals,
        config.server.name,
        config.notify.mail_commands,
        time.time,
        log,
    )
    receives = receiving(
        config,
        store=store,
        places=(config.server.state, Path(queue.spool), Path(store.layout.base)),
        directory=directory,
        arrivals=arrivals,
        names=names,
        senders=SenderLists(files, watch, log),
        totals_warned=totals_db.SqliteTotalsWarned(accounts),
        premises=premises,
        queue=queue,
        rewriting=SenderRewriting(vault.keyring.derived("rewritten senders"), time.time),
        delivered=lambda *what: sends.delivered(*what),  # noqa: PLW0108 - it is made of what receives
        commands=mail_commands,
    )
    ground = Ground(
        reactor=reactor,
        queue=queue,
        store=store,
        charged=receives.receptions.store,
        router=receives.receptions.ways,
        directory=directory,
        resolver=receives.names.names,
        arrivals=arrivals,
        threads=files,
        commits=receives.commits,
        metrics=premises.metrics,
        log=log,
    )
    sends = sending(config, ground)
    return Parts(
        log=log,
        tasks=tasks,
        files=files,
        pools=(files, hashing, slow_hashing, accounts_thread, notify_thread, queue_thread),
        databases={accounts: accounts_thread, notices.database: notify_thread},
        notices=notices,
        directory=directory,
        people=People(
            directory=directory,
            logins=logins,
            sightings=sightings,
            subscriptions=notices.subscriptions,
            passwords=passwords,
            vault=vault,
            threads=files,
            key_file=state.seal_key,
            gate=gate,
            sources=sources,
            objection=lambda preference: objection(preference, tells.knocking.notifier.settings.rules),
            erase=erase,
            turn=turn,
            own_retentions=premises.own_retentions,
            forget_view=views.forget,
            enroll_view=views.enroll,
        ),
        throttle=FailureThrottle(reactor, config.guard.failure_delay, config.guard.failure_delay_maximum),
        turnstile=turnstile,
        sources=sources,
        store=store,
        stays=stays,
        housekeeper=housekeeper,
        watch=watch,
        keeper=CertificateKeeper(watch, files, reactor, time.time, log, partial(renew, config, state)),
        premises=premises,
        bus=bus,
        telling=tells,
        mail_commands=mail_commands,
        presence=presence,
        portal=portal,
        queue=queue,
        queue_thread=queue_thread,
        desk=SqliteDesk(queue),
        sweeping=Tasks(failed),
        receiving=receives,
        sending=sends,
    )


def sources_of(config: Config, reactor: Any, files: IThreads, passwords: Passwords, log: Log) -> Sources:
    """Where else passwords are checked. Raises SourceError."""
    return open_sources(config.sources, reactor, threads=files, passwords=passwords, log=log)


def proxies(config: Config) -> tuple[IPNetwork, ...]:
    """Where connections come from of which a proxy of ours may not have said whose they are."""
    return tuple(network for listener in config.listeners for network in listener.proxy_from)


def layout(config: Config) -> Layout:
    return Layout(config.delivery.path.replace("{state}", str(config.server.state)))


def renew(config: Config, state: State) -> None:
    """Make the certificate of our own making anew where it is time. Blocks. Raises OSError."""
    if config.tls.mode == "self-signed":
        self_signed(config.server.name, state.tls, datetime.datetime.now(datetime.UTC))


def maildrop_rules(config: Config) -> MaildropRules:
    """What the store goes by."""
    delivery = config.delivery
    return MaildropRules(
        keep_deleted=delivery.keep_deleted,
        view_forget=math.inf if delivery.view_forget is None else delivery.view_forget,
        view_history=delivery.view_history,
        mark_seen=delivery.mark_seen,
    )
