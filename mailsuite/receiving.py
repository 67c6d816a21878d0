"""All that taking mail needs beside the store: quotas, room on the disk, names, lists, receptions."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import attrs
from twisted.internet.task import deferLater

from mailsuite.concurrent.disk import DiskSpace
from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.schema import Config
from mailsuite.delivery.arrivals import Arrivals, Mail
from mailsuite.delivery.charged import ChargedDeliveries
from mailsuite.delivery.commands import Commands
from mailsuite.delivery.delivered import Delivered
from mailsuite.delivery.dsn_languages import Languages
from mailsuite.delivery.quota_ledger import Ledger, QuotaRules
from mailsuite.delivery.quota_texts import QuotaLanguages
from mailsuite.delivery.quota_total_warnings import TotalWarnings
from mailsuite.delivery.quota_totals import Totals
from mailsuite.delivery.quota_warnings import QuotaWarnings
from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.delivery.srs import SenderRewriting
from mailsuite.frontends.premises import Premises
from mailsuite.frontends.receptions import Receptions
from mailsuite.interfaces import IAccountDirectory, IMailStore, IOutboundQueue
from mailsuite.interfaces.directory import ITotalsWarned
from mailsuite.model.address import Address
from mailsuite.model.facts import Route
from mailsuite.model.message import Stored
from mailsuite.model.quota import QuotaReached
from mailsuite.observe.metrics import Metrics
from mailsuite.policy.ruleset import Tallies
from mailsuite.policy.sender_files import SenderLists
from mailsuite.resolver.service import NameService


@attrs.frozen(eq=False)
class Receiving:
    """Lives as long as the server does. receiving() makes it."""

    commits: Tasks
    """Deliveries under way, and letters about quotas."""
    ledger: Ledger
    disk: DiskSpace
    names: NameService
    senders: SenderLists
    receptions: Receptions
    totals: Totals

    def start(self) -> None:
        """Watch the disk, how much mail whole domains have, and the files that say who resolves names."""
        self.disk.start()
        self.totals.start()
        self.names.start()

    async def finish(self) -> None:
        """Return when all that was begun is delivered or undone."""
        while self.commits:  # one that ends may have a letter about the quota follow
            await self.commits.finished()

    async def stop(self) -> None:
        """Undo start()."""
        await self.totals.stop()
        await self.disk.stop()
        await self.names.stop()

    def use(self, config: Config) -> None:
        """Go on by another configuration. Cannot fail."""
        self.ledger.rules = quota_rules(config)
        self.disk.keep = config.delivery.keep_free
        self.receptions.use(config)
        self.names.use(config.resolver)


def receiving(
    config: Config,
    *,
    store: IMailStore,
    places: tuple[Path, ...],
    directory: IAccountDirectory,
    arrivals: Arrivals,
    names: NameService,
    senders: SenderLists,
    totals_warned: ITotalsWarned,
    premises: Premises,
    queue: IOutboundQueue,
    rewriting: SenderRewriting,
    delivered: Delivered,
    commands: Commands | None = None,
) -> Receiving:
    """Join them; *places* is where mail and state are on the disk, *queue* where mail for other servers
    goes, *rewriting* who rewrites the senders of what is forwarded, *delivered* who tells senders
    that their mail has arrived, *commands* who obeys what users send to the server itself."""
    clock, log = premises.clock, premises.log
    commits = Tasks(partial(log.failure, "smtp.failed"))

    async def written(stored: Stored, octets: bytes) -> None:
        totals.doubt(stored.account)  # letters are charged to nobody
        await arrivals.tell([stored], Mail(octets, None))

    async def warned(stored: Stored, octets: bytes, reached: QuotaReached) -> None:
        await written(stored, octets)
        await arrivals.quota_reached(reached)

    languages = QuotaLanguages(Languages(directory), lambda: ledger.rules.language)
    warnings = QuotaWarnings(
        store,
        config.server.name,
        time.time,
        commits,
        log,
        warned,
        rejects=lambda: ledger.rules.rejects,
        texts_for=languages.texts_for,
    )

    async def route(address: Address) -> Route:
        return await receptions.ways.route(address)

    total_warnings = TotalWarnings(
        store,
        totals_warned,
        route,
        config.server.name,
        time.time,
        commits,
        log,
        written,
        rejects=lambda: ledger.rules.rejects,
        texts_for=languages.texts_for,
    )

    async def turn() -> None:
        await deferLater(clock, 0)

    totals = Totals(store, directory, totals_warned, total_warnings, clock, log, turn)
    store.changed = totals.doubt
    ledger = Ledger(store, directory, warnings, quota_rules(config), totals)
    disk = DiskSpace(places, premises.threads, clock, log, config.delivery.keep_free)
    _show(disk, premises.metrics)
    receptions = Receptions(
        config=config,
        directory=directory,
        store=ChargedDeliveries(store, ledger),
        quotas=ledger,
        arrivals=arrivals,
        resolver=names.names,
        disk=disk,
        senders=senders,
        tallies=Tallies.by(clock.seconds),
        catch_all=CatchAllLimits(clock.seconds),
        ban=premises.bans.ban,
        clock=clock,
        seconds=time.time,
        commits=commits,
        log=log,
        queue=queue,
        rewriting=rewriting,
        commands=commands,
        delivered=delivered,
    )
    return Receiving(commits, ledger, disk, names, senders, receptions, totals)


def _show(disk: DiskSpace, metrics: Metrics) -> None:
    metrics.gauge(
        "mailsuite_disk_headroom_bytes", "What is free beyond delivery.keep_free.", lambda: disk.headroom
    )
    metrics.gauge("mailsuite_disk_low", "1 while there is too little.", lambda: disk.is_scarce)


def quota_rules(config: Config) -> QuotaRules:
    """How much mail there may be where neither account nor domain says anything."""
    rejects = config.delivery.over_quota == "reject"
    return QuotaRules(config.delivery.quota, rejects, config.queue.notice_language)
