"""Joins what tells users: the log of what happened, who follows, the ways to tell them, and who looks after
that.

The composition beside receiving.py and sending.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from secrets import token_bytes
from typing import Any, Final

import attrs
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from twisted.python.failure import Failure

from mailsuite.accounts.refusal import RegistryError
from mailsuite.client_tls import ClientContexts
from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.schema import Config
from mailsuite.delivery.arrivals import Arrivals, Mail
from mailsuite.delivery.dsn_languages import Languages
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.interfaces import IEventBus, IMailStore, INotifyChannel, IResolver, ISightings, IThreads
from mailsuite.knocking import Desks, Knocking, knocking
from mailsuite.model.address import Address
from mailsuite.model.login import LoginRecord
from mailsuite.model.message import Stored
from mailsuite.model.notice import Level
from mailsuite.model.rate import Rate
from mailsuite.notices.sqlite.notify_db import NotifyDb
from mailsuite.notify.aftermath import Aftermath
from mailsuite.notify.book import Book
from mailsuite.notify.caps import Caps
from mailsuite.notify.channels.execute import CommandChannel
from mailsuite.notify.channels.gotify import Gotify
from mailsuite.notify.channels.ntfy import Ntfy
from mailsuite.notify.channels.posting import Told
from mailsuite.notify.channels.pushover import Pushover
from mailsuite.notify.channels.service import ServiceChannel
from mailsuite.notify.channels.webhook import WebhookChannel
from mailsuite.notify.channels.webpush import WebPushChannel
from mailsuite.notify.configured import commands_of, dispatcher_settings, intake_settings, url_rules
from mailsuite.notify.dispatcher import Dispatcher
from mailsuite.notify.handing import Handing
from mailsuite.notify.intake import Intake
from mailsuite.notify.knocks import CHANNEL
from mailsuite.notify.naming import Naming
from mailsuite.notify.office import Office
from mailsuite.notify.outgoing.client import WebClient
from mailsuite.notify.outgoing.destinations import Destinations
from mailsuite.notify.outgoing.dialling import Dialler
from mailsuite.notify.owner_letters import OwnerLetters
from mailsuite.notify.rendering import NoticeKeys
from mailsuite.notify.streams import Streams
from mailsuite.notify.turns import Turns
from mailsuite.notify.upkeep import Upkeep
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.wire.p256 import RANDOMNESS, private_key
from mailsuite.wire.vapid import public_text

Derived = Callable[[str], bytes]
"""A key of 32 octets for a purpose, the same for ever."""
TIDY_FIRST: Final = 60.0
"""Seconds from the start to the first look: others have more to do by then."""
BURST: Final = 5
"""Seconds whose requests may go to a host at once."""
TIDY_EVERY: Final = 3600.0
"""Seconds between two looks for what is over or too old."""


@attrs.define(eq=False)
class Telling:
    """All of it; lives as long as the server does."""

    config: Config
    notices: NotifyDb
    book: Book
    intake: Intake
    dispatcher: Dispatcher
    knocking: Knocking
    streams: Streams
    office: Office
    upkeep: Upkeep
    caps: Caps
    client: WebClient
    contexts: ClientContexts
    destinations: Destinations
    channels: Mapping[str, INotifyChannel]
    """All that there are, also those that are switched off."""
    commands: CommandChannel
    """One of them."""
    server_key: EllipticCurvePrivateKey = attrs.field(repr=False)
    """By which push services know us (RFC 8292)."""
    keys: NoticeKeys
    clock: Any
    log: Log
    _tasks: Tasks = attrs.field(init=False)
    _tidying: Any = attrs.field(default=None, init=False)

    @_tasks.default
    def _make_tasks(self) -> Tasks:
        return Tasks(partial(self.log.failure, "notify.failed"))

    async def load(self) -> None:
        """Read who follows, before anything is taken in. Raises TemporaryFailure."""
        await self.book.load()

    def start(self) -> None:
        self.dispatcher.start()
        self.knocking.notifier.start()
        self.streams.start()
        self._tidy_later(TIDY_FIRST)

    async def stop(self) -> None:
        """Break off what is under way: the cursors say where to go on."""
        if self._tidying is not None:
            self._tidying.cancel()
            self._tidying = None
        self._tasks.cancel()
        await self._tasks.finished()
        await self.streams.stop()
        await self.dispatcher.stop()
        await self.knocking.notifier.stop()
        for channel in self.channels.values():
            try:
                await channel.stop()
            except Exception:  # some are others' work, and the cursors are yet to be written
                self.log.failure("notify.failed", Failure(), channel=channel.name)
        await self.client.stop()
        await self.intake.stop()
        await self.book.stop()

    def use(self, config: Config) -> None:
        """Go on by another configuration. Cannot fail."""
        self.config = config
        self.contexts.minimum_version = config.tls.minimum_version
        self.caps.most = most_of(config)
        self.intake.settings = intake_settings(config)
        limit(config, self.destinations, self.client)
        self.client.dialler.ca_file = config.notify.webhook.ca_file
        self.client.forget()
        self.commands.commands = commands_of(config)
        set_schedule(config, self.channels)
        offered = offered_of(config, self.channels)
        self.office.channels = offered
        self.dispatcher.reload(dispatcher_settings(config), _dispatched(offered))
        self.knocking.use(config)

    async def erase(self, account: Address, device: str | None) -> None:
        """A device of the account is gone, with all that it made; None: the account itself. Raises
        MailFailure."""
        if device is None:
            await self.intake.erase(account)
        else:
            await self.book.remove_of(account, device)
            await self.knocking.notifier.sightings.forget(account, device)

    def push_key(self) -> str:
        """The public key of Web Push, as browsers take it; empty where that is switched off."""
        return public_text(self.server_key) if "webpush" in self.office.channels else ""

    def logged_in(self, login: LoginRecord) -> None:
        """Somebody logged in: what the account was told lately was useful."""
        self.dispatcher.came(login.account)
        if login.service == "pop3":  # who sends has not come for his mail
            self.knocking.notifier.came(login.account)

    def _tidy_later(self, seconds: float = TIDY_EVERY) -> None:
        self._tidying = self.clock.callLater(seconds, self._tidy)

    def _tidy(self) -> None:
        self._tidy_later()
        self._tasks.start(self._tidy_now())

    async def _tidy_now(self) -> None:
        try:
            await self.office.tidy()
        except RegistryError as error:
            self.log.warning("notify.upkeep_unable", reason=error.text)
        await self.upkeep.round()


def telling(
    config: Config,
    reactor: Any,
    *,
    notices: NotifyDb,
    derived: Derived,
    directory: LayeredDirectory,
    sightings: ISightings,
    in_session: Callable[[Address, str | None], bool],
    bus: IEventBus,
    resolver: IResolver,
    store: IMailStore,
    threads: IThreads,
    told: Callable[[Address], None],
    metrics: Metrics,
    log: Log,
) -> Telling:
    """Join them. *derived* makes keys, *told* hears of each account whose owner was told of something."""
    book = Book(notices.subscriptions, reactor, log)
    caps = Caps(directory, most_of(config))
    contexts = ClientContexts(threads, reactor.seconds, config.tls.minimum_version)
    dialler = Dialler(
        reactor, resolver, contexts, lambda: url_rules(parts.config), config.notify.webhook.ca_file
    )
    client = WebClient(reactor, dialler)
    destinations = Destinations(time.time)
    limit(config, destinations, client)
    server_key = private_key((derived("web push") + derived("web push, more"))[:RANDOMNESS])
    commands = CommandChannel(reactor, reactor, commands_of(config))
    knocks = knocking(
        config,
        reactor,
        event_log=notices.event_log,
        book=book,
        directory=directory,
        sightings=sightings,
        bus=bus,
        told=told,
        in_session=in_session,
        meter=metrics.notices,
        log=log,
    )
    channels = {
        channel.name: channel
        for channel in (*channels_of(client, server_key, lambda: parts.config), commands, knocks.channel)
    }
    set_schedule(config, channels)
    keys = NoticeKeys(derived("notices"))
    intake = Intake(notices.event_log, book, directory, bus, reactor, log, intake_settings(config))
    arrivals = Arrivals(time.time, log, intake)

    async def written(stored: Stored, octets: bytes) -> None:
        store.changed(stored.account)
        await arrivals.tell([stored], Mail(octets, None))

    letters = OwnerLetters(
        store,
        config.server.name,
        time.time,
        written,
        Languages(directory).of,
        lambda: parts.config.queue.notice_language,
    )
    turns = Turns(
        notices.event_log,
        book,
        _dispatched(offered_of(config, channels)),
        Handing(destinations, reactor, time.time, log, metrics.notices),
        Aftermath(notices.subscriptions, book, time.time, log, letters.suspended),
        keys,
        time.time,
        log,
        dispatcher_settings(config),
        caps.of,
        told,
    )
    dispatcher = Dispatcher(bus, turns, reactor)

    streams = Streams(
        book,
        notices.event_log,
        bus,
        keys,
        reactor,
        time.time,
        caps.of,
        lambda: frozenset(parts.config.notify.suppress),
        log,
        metrics.notices,
    )
    office = Office(
        book,
        notices.subscriptions,
        notices.event_log,
        offered_of(config, channels),
        Desks(dispatcher, knocks.notifier),
        destinations,
        caps.of,
        time.time,
        log,
        Naming(sightings, time.time),
    )
    upkeep = Upkeep(
        notices.event_log,
        notices.subscriptions,
        book,
        directory,
        directory.whole_devices,
        time.time,
        log,
    )
    parts = Telling(
        config,
        notices,
        book,
        intake,
        dispatcher,
        knocks,
        streams,
        office,
        upkeep,
        caps,
        client,
        contexts,
        destinations,
        channels,
        commands,
        server_key,
        keys,
        reactor,
        log,
    )
    return parts


def channels_of(
    client: WebClient, server_key: EllipticCurvePrivateKey, current: Callable[[], Config]
) -> tuple[INotifyChannel, ...]:
    """Those that post."""
    told = Told(client, lambda: url_rules(current()), time.time, token_bytes)
    return (
        WebhookChannel(told),
        WebPushChannel(told, lambda: server_key, lambda: current().notify.webpush.contact),
        ServiceChannel(told, Ntfy()),
        ServiceChannel(told, Gotify()),
        ServiceChannel(told, Pushover(lambda: current().notify.pushover.token.reveal())),  # noqa: PLW0108
    )


def limit(config: Config, destinations: Destinations, client: WebClient) -> None:
    """Have so much go to one host as the configuration says."""
    webhook = config.notify.webhook
    destinations.per_host = client.places.per_host = webhook.per_host
    destinations.limit(Rate(webhook.per_second, 1.0), BURST * webhook.per_second)


def set_schedule(config: Config, channels: Mapping[str, INotifyChannel]) -> None:
    """Have webhooks tried again when the configuration says."""
    webhook = channels["webhook"]
    webhook.terms = attrs.evolve(webhook.terms, retries=config.notify.webhook.schedule)


def offered_of(config: Config, channels: Mapping[str, INotifyChannel]) -> dict[str, INotifyChannel]:
    """Those that are switched on."""
    notify = config.notify
    on = {
        "webhook": notify.webhook.enabled,
        "webpush": notify.webpush.enabled,
        "ntfy": notify.ntfy.enabled,
        "gotify": notify.gotify.enabled,
        "pushover": notify.pushover.enabled,
        "exec": bool(commands_of(config)),
        CHANNEL: notify.notifymail.enabled,
    }
    return {name: channel for name, channel in channels.items() if notify.enabled and on[name]}


def _dispatched(offered: Mapping[str, INotifyChannel]) -> dict[str, INotifyChannel]:
    """Those that the dispatcher tells by: all but knocks, which have a notifier of their own."""
    return {name: channel for name, channel in offered.items() if name != CHANNEL}


def most_of(config: Config) -> Level | None:
    """The most that anybody is told; None: nothing."""
    return config.notify.max_level if config.notify.enabled else None
