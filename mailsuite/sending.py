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


@attrs.define(eq=False)
class Sending:
    """Lives as long as the server does. sending() makes it; nothing is sent before start()."""

    config: Config
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
        self.config = config
        self.courier.carrier.routes = ways
        self.courier.windows.limit = config.queue.concurrency
        self.courier.windows.per_source = config.queue.per_source
        self.courier.outgoing = config.queue.outgoing
        self.connector.timeout = config.queue.connect_timeout
        self.contexts.minimum_version = config.tls.minimum_version
        if moved:
            self.routing.start(self._reroute())
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


def sending(
    config: Config,
    reactor: Any,
    *,
    queue: IOutboundQueue,
    store: IDeliveries,
    charged: IDeliveries,
    router: Router,
    directory: IAccountDirectory,
    resolver: IResolver,
    arrivals: Arrivals,
    threads: IThreads,
    commits: Tasks,
    metrics: Metrics,
    log: Log,
) -> Sending:
    """Join them. *charged* is the store that counts what it takes towards quotas."""
    chance = random.SystemRandom()
    tasks, routing = (Tasks(lambda failure: log.failure("relay.failed", failure)) for _ in range(2))
    sockets = Sockets()

    connector = Connector(reactor, config.queue.connect_timeout)
    contexts = ClientContexts(threads, reactor.seconds, config.tls.minimum_version)
    opener = Opener(
        finder=HostFinder(resolver, sockets.listening(), config.server.name, chance.shuffle, log),
        connector=connector,
        contexts=contexts,
        clear=ClearHosts(reactor.seconds),
        threads=threads,
        clock=reactor,
        seconds=time.time,
        log=log,
        hostname=config.server.name,
    )
    carrier = Carrier(
        queue=queue,
        opener=opener,
        pool=Pool(reactor, tasks),
        home=Home(queue, charged, router, arrivals, time.time, log, lambda: parts.config.smtp.max_hops),
        routes=routes(config),
        seconds=time.time,
        log=log,
    )
    post = Post(
        queue=queue,
        store=store,
        router=router,
        hostname=config.server.name,
        seconds=time.time,
        tasks=commits,
        log=log,
        arrivals=arrivals,
        sends=lambda: parts.config.queue.takes,
    )

    def until(message: QueuedMessage, recipient: QueuedRecipient) -> float:
        destination = carrier.routes.destination_of(message.sender, recipient.recipient.address)
        return expiry(carrier.times(destination), message)

    def rules() -> NoticeRules:
        return notice_rules(parts.config.queue)

    def contact() -> Address:
        """Who reads what is answered to notices."""
        return Address(POSTMASTER.local, parts.config.server.admin.domain)

    language_of = Languages(directory).of
    notices = Notices(queue, post, config.server.name, time.time, log, rules, until, contact, language_of)
    teller = Teller(notices, reactor, log)
    clerk = Clerk(queue, carrier.times, time.time, chance.random, log, teller.look)
    windows = Windows(time.time, chance.random, config.queue.concurrency, config.queue.per_source)
    courier = Courier(queue, carrier, windows, clerk, reactor, time.time, log, outgoing=config.queue.outgoing)
    metrics.gauge("mailsuite_relay_active", "Messages that are being sent.", lambda: courier.under_way)
    metrics.counters(
        "mailsuite_relay_attempts",
        "What attempts to send came to, counted by recipients.",
        "result",
        lambda: {fate.value: clerk.fates[fate] for fate in Fate},
    )
    parts = Sending(
        config, queue, courier, teller, connector, contexts, sockets, tasks, routing, commits, log
    )
    return parts
