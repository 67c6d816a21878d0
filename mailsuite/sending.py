"""All that sending mail to other servers needs: ways, hosts, sessions, the courier, notices."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.client_tls import ClientContexts
from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.queue import Queue
from mailsuite.config.schema import Config
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.dsn_decision import NoticeRules
from mailsuite.delivery.dsn_languages import Languages
from mailsuite.delivery.notices import Notices
from mailsuite.delivery.notices_post import Post
from mailsuite.delivery.ways import Routes as Router
from mailsuite.interfaces import IAccountDirectory, IDeliveries, IOutboundQueue, IResolver, IThreads
from mailsuite.model.account import IPAddress
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.failure import MailFailure
from mailsuite.model.outbound import Fate, QueuedMessage, QueuedRecipient
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.policy.hello_settings import machine_addresses
from mailsuite.relay.carrier import Carrier
from mailsuite.relay.clerk import Clerk
from mailsuite.relay.connecting import Connector
from mailsuite.relay.courier import Courier
from mailsuite.relay.home import Home
from mailsuite.relay.mx import HostFinder
from mailsuite.relay.opening import Opener
from mailsuite.relay.ourselves import Listening
from mailsuite.relay.pool import Pool
from mailsuite.relay.routes import routes
from mailsuite.relay.schedule import expiry
from mailsuite.relay.teller import Teller
from mailsuite.relay.tls import ClearHosts
from mailsuite.relay.windows import Windows


@attrs.define(eq=False)
class Sockets:
    """The sockets of this server; whoever opens them says what they are."""

    bound: Callable[[], Iterable[tuple[str, int]]] = tuple
    """The address and port of each that takes mail."""

    def listening(self) -> Listening:
        """Which servers are this one."""
        return Listening(self._now, _is_of_this_machine)

    def _now(self) -> Iterable[tuple[str, int]]:
        return self.bound()


def _is_of_this_machine(address: IPAddress) -> bool:
    return address.is_loopback or address in machine_addresses()


@attrs.frozen(kw_only=True, eq=False)
class Ground:
    """What it all stands on."""

    reactor: Any
    queue: IOutboundQueue
    store: IDeliveries
    charged: IDeliveries
    """The store that counts what it takes towards quotas."""
    router: Router
    directory: IAccountDirectory
    resolver: IResolver
    arrivals: Arrivals
    threads: IThreads
    commits: Tasks
    """Deliveries under way."""
    metrics: Metrics
    log: Log
    chance: random.Random = attrs.field(factory=random.SystemRandom)


@attrs.define(eq=False)
class Settings:
    """The configuration of the moment."""

    config: Config


@attrs.define(eq=False)
class Sending:
    """Lives as long as the server does. sending() makes it; nothing is sent before start()."""

    settings: Settings
    queue: IOutboundQueue
    courier: Courier
    teller: Teller
    connector: Connector
    contexts: ClientContexts
    sockets: Sockets
    tasks: Tasks
    """Sessions that say goodbye."""
    routing: Tasks
    """New ways for what is in the queue; whoever stops waits for none of it."""
    commits: Tasks
    """Deliveries under way."""
    log: Log

    def start(self) -> None:
        """Send what is due, and tell what is owed."""
        self.queue.watch(self.teller.hint)
        self.routing.start(self._reroute())
        self.teller.start()
        self.courier.start()

    async def stop(self) -> None:
        """Begin nothing more; what is on its way gets a few seconds."""
        self.routing.cancel()
        await self.routing.finished()
        await self.courier.stop()
        await self.teller.stop()
        await self.tasks.finished()

    def use(self, config: Config) -> None:
        """Go on by another configuration. Cannot fail."""
        ways = routes(config)
        # Blocks that say the same share a way, and what they do not say stands in [queue].
        moved = ways != self.courier.carrier.routes
        self.settings.config = config
        self.courier.carrier.routes = ways
        self.courier.windows.limit = config.queue.concurrency
        self.courier.windows.per_source = config.queue.per_source
        self.courier.outgoing = config.queue.outgoing
        self.connector.timeout = config.queue.connect_timeout
        self.contexts.minimum_version = config.tls.minimum_version
        if moved:
            self.routing.start(self._reroute())
            self.courier.wake()  # by the new way somebody may be there
        else:
            self.courier.look()

    def delivered(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        header: bytes,
        expanded: frozenset[int],
    ) -> None:
        """Tell a sender of mail that is in our maildrops (delivery/delivered.py)."""
        self.commits.start(self.teller.notices.delivered(message, recipients, header, expanded))

    async def _reroute(self) -> None:
        try:
            await self.queue.reroute(self.courier.carrier.routes.destination_of)
        except MailFailure as failure:
            self.log.error("relay.queue_unavailable", reason=failure.reason)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("relay.failed", Failure())


def notice_rules(queue: Queue) -> NoticeRules:
    """What notices go by."""
    copied = {NotifyOn.FAILURE} if queue.warn_postmaster else set()
    return NoticeRules(queue.notices_for_bulk, frozenset(copied), queue.notice_language)


def sending(config: Config, ground: Ground) -> Sending:
    """Join them."""
    settings, sockets, reactor, log = Settings(config), Sockets(), ground.reactor, ground.log
    goodbyes, routing = (Tasks(lambda failure: log.failure("relay.failed", failure)) for _ in range(2))
    connector = Connector(reactor, config.queue.connect_timeout)
    contexts = ClientContexts(ground.threads, reactor.seconds, config.tls.minimum_version)
    opener = Opener(
        finder=HostFinder(
            ground.resolver, sockets.listening(), config.server.name, ground.chance.shuffle, log
        ),
        connector=connector,
        contexts=contexts,
        clear=ClearHosts(reactor.seconds),
        threads=ground.threads,
        clock=reactor,
        seconds=time.time,
        log=log,
        hostname=config.server.name,
    )
    carrier = _carrier(settings, ground, opener, Pool(reactor, goodbyes))
    teller = Teller(_notices(settings, ground, carrier), reactor, log)
    clerk = Clerk(ground.queue, carrier.times, time.time, ground.chance.random, log, teller.look)
    courier = Courier(
        queue=ground.queue,
        carrier=carrier,
        windows=Windows(time.time, ground.chance.random, config.queue.concurrency, config.queue.per_source),
        clerk=clerk,
        clock=reactor,
        seconds=time.time,
        log=log,
        outgoing=config.queue.outgoing,
    )
    _count(ground.metrics, courier, clerk)
    return Sending(
        settings,
        ground.queue,
        courier,
        teller,
        connector,
        contexts,
        sockets,
        goodbyes,
        routing,
        ground.commits,
        log,
    )


def _carrier(settings: Settings, ground: Ground, opener: Opener, pool: Pool) -> Carrier:
    """With the way home for mail that is ours after all."""
    home = Home(
        queue=ground.queue,
        store=ground.charged,
        router=ground.router,
        arrivals=ground.arrivals,
        seconds=time.time,
        log=ground.log,
        max_hops=lambda: settings.config.smtp.max_hops,
    )
    return Carrier(
        queue=ground.queue,
        opener=opener,
        pool=pool,
        home=home,
        routes=routes(settings.config),
        seconds=time.time,
        log=ground.log,
    )


def _notices(settings: Settings, ground: Ground, carrier: Carrier) -> Notices:
    """To senders, postmasters and administrators."""
    hostname = settings.config.server.name
    post = Post(
        queue=ground.queue,
        store=ground.store,
        router=ground.router,
        hostname=hostname,
        seconds=time.time,
        tasks=ground.commits,
        log=ground.log,
        arrivals=ground.arrivals,
        sends=lambda: settings.config.queue.takes,
    )

    def until(message: QueuedMessage, recipient: QueuedRecipient) -> float:
        destination = carrier.routes.destination_of(message.sender, recipient.recipient.address)
        return expiry(carrier.times(destination), message)

    return Notices(
        queue=ground.queue,
        post=post,
        hostname=hostname,
        seconds=time.time,
        log=ground.log,
        rules=lambda: notice_rules(settings.config.queue),
        retry_until=until,
        contact=lambda: Address(POSTMASTER.local, settings.config.server.admin.domain),
        language_of=Languages(ground.directory).of,
    )


def _count(metrics: Metrics, courier: Courier, clerk: Clerk) -> None:
    metrics.gauge("mailsuite_relay_active", "Messages that are being sent.", lambda: courier.under_way)
    metrics.counters(
        "mailsuite_relay_attempts",
        "What attempts to send came to, counted by recipients.",
        "result",
        lambda: {fate.value: clerk.fates[fate] for fate in Fate},
    )
