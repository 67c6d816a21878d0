"""From the settings of a listener that takes mail to what its sessions share: rules, routes, letters."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from mailsuite.concurrent.disk import DiskSpace
from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.schema import Config, Smtp, Submission
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.commands import Commands
from mailsuite.delivery.delivered import Delivered, nobody_hears
from mailsuite.delivery.header import HeaderLimits
from mailsuite.delivery.header_results import OwnResults
from mailsuite.delivery.letters import Letters
from mailsuite.delivery.logins import Login, Scram
from mailsuite.delivery.reception import Services
from mailsuite.delivery.route_archive import configured_archives
from mailsuite.delivery.router import Router
from mailsuite.delivery.routing import configured_router
from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.delivery.srs import SenderRewriting
from mailsuite.delivery.ways import Ways
from mailsuite.frontends.smtp_plan import MailTaking
from mailsuite.interfaces import (
    IAccountDirectory,
    IDeliveries,
    IOutboundQueue,
    IPolicyRule,
    IQuotas,
    IResolver,
)
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.retention import Usage
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from mailsuite.policy.held import Held
from mailsuite.policy.hello import Hello
from mailsuite.policy.hello_settings import hello_rules, machine_addresses
from mailsuite.policy.message_size import Sizes
from mailsuite.policy.probing import BanAddress
from mailsuite.policy.quota import Quotas
from mailsuite.policy.reverse import confirmed_name
from mailsuite.policy.ruleset import Grounds, Tallies, rules_for
from mailsuite.policy.sender_lists import Lists
from mailsuite.policy.space import Space


@attrs.frozen(eq=False)
class Receptions:
    """What the doors for mail have in common. Lives as long as the server; of() is asked at each reload."""

    config: Config
    """The first one; use() takes the next."""
    directory: IAccountDirectory
    store: IDeliveries
    quotas: IQuotas
    arrivals: Arrivals
    resolver: IResolver
    disk: DiskSpace
    senders: Lists
    tallies: Tallies
    catch_all: CatchAllLimits
    ban: BanAddress
    clock: IReactorTime
    seconds: Callable[[], float]
    """Since the epoch."""
    commits: Tasks
    log: Log
    queue: IOutboundQueue | None = None
    """None: there is nobody who sends mail to other servers."""
    rewriting: SenderRewriting | None = None
    """None: what is forwarded keeps its sender."""
    commands: Commands | None = None
    """Who obeys what users send to the server itself."""
    delivered: Delivered = nobody_hears
    """Is told what senders want to hear of mail that is in our maildrops."""
    ways: Ways = attrs.field(init=False)
    """Those of the configuration in force, for all sessions."""

    @ways.default
    def _first_ways(self) -> Ways:
        return Ways(self._router(self.config), configured_archives(self.config))

    def use(self, config: Config) -> None:
        """Go on by another configuration; of() has been asked about it."""
        self.ways.router, self.ways.archives = self._router(config), configured_archives(config)

    def _router(self, config: Config) -> Router:
        sends = self._queue(config) is not None
        return configured_router(
            config,
            self.directory,
            self.catch_all,
            sends=sends,
            turn=self._turn,
            rewriting=self.rewriting,
        )

    def _queue(self, config: Config) -> IOutboundQueue | None:
        """Where mail for other servers goes; None: no such mail is taken."""
        return self.queue if config.queue.takes else None

    def of(self, config: Config, settings: MailTaking, login: Login, scram: Scram) -> Services:
        """What the sessions of a listener with these *settings* share."""
        return Services(
            hostname=config.server.name,
            store=self.store,
            router=self.ways,
            policy=Chain(self._rules(config, settings), self.log),
            arrivals=self.arrivals,
            login=login,
            scram=scram,
            seconds=self.seconds,
            log=self.log,
            letters=_letters(config, settings),
            archives=self.ways,
            queue=self._queue(config),
            commands=self.commands,
            delivered=self.delivered,
            host_of=self._host_of if isinstance(settings, Smtp) else None,
            let_go=self.disk.promises.release,
            largest=Sizes(self.directory, settings.max_message).of,
            commits=self.commits,
        )

    async def _turn(self) -> None:
        await deferLater(self.clock, 0)

    async def _host_of(self, peer: IPAddress) -> str:
        return await confirmed_name(self.resolver, peer, self.clock)

    def _rules(self, config: Config, settings: MailTaking) -> tuple[IPolicyRule, ...]:
        grounds = Grounds(
            directory=self.directory,
            tallies=self.tallies,
            senders=self.senders,
            ban=self.ban,
            clock=self.clock,
            hostname=config.server.name,
            delimiters=config.smtp.recipient_delimiter,
            admin=config.server.admin,
            sends=self._queue(config) is not None,
            turn=self._turn,
            max_outbound=config.queue.max_outbound,
        )
        # Space comes last: who is refused promises nothing.
        further = (Quotas(self.quotas, self._turn), *self._held(config, settings))
        rules = (*rules_for(settings, grounds, further), Space(self.disk.has_room))
        return (self._hello(config, settings), *rules) if isinstance(settings, Smtp) else rules

    def _held(self, config: Config, settings: MailTaking) -> tuple[IPolicyRule, ...]:
        queue = self._queue(config)
        if queue is None or not isinstance(settings, Submission):
            return ()

        async def waiting(account: Address) -> Usage:
            usage: Usage = await queue.held_by(account, self.seconds())
            return usage

        return (Held(waiting, settings.future_release_quota),)

    def _hello(self, config: Config, settings: Smtp) -> Hello:
        own = machine_addresses()
        relays = settings.relay_networks if settings.relay == "addresses" else ()
        judged = hello_rules(settings, config.server.name, relays)
        return Hello(self.resolver, self.clock, self.log, judged, lambda: own)


def _letters(config: Config, settings: MailTaking) -> Letters:
    name = config.server.name
    limits = HeaderLimits(octets=settings.max_header, hops=settings.max_hops)
    letters = Letters(name, OwnResults.of(name), limits)
    if not isinstance(settings, Submission):
        return letters
    return attrs.evolve(letters, hide_client=settings.hide_client, show_login=settings.show_login)
