"""Joins NotifyMail: the notifier, which goes by listeners and not by subscriptions, and so stands beside the
dispatcher. Part of telling.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs

from mailsuite.config.schema import Config
from mailsuite.interfaces import IAccountDirectory, IEventBus, IEventLog, ISightings
from mailsuite.model.address import Address
from mailsuite.model.subscription import Attempt
from mailsuite.notify.book import Book
from mailsuite.notify.channels.nm import NotifyMailChannel
from mailsuite.notify.channels.nm_udp import NotifyMailUdpChannel
from mailsuite.notify.channels.notifymail import NotifyMail
from mailsuite.notify.configured import notifier_settings
from mailsuite.notify.dispatcher import Dispatcher
from mailsuite.notify.handing import Meter
from mailsuite.notify.knocks import CHANNEL
from mailsuite.notify.notifier import Notifier
from mailsuite.observe.log import Log


@attrs.frozen
class Knocking:
    """Lives as long as the server does."""

    tcp: NotifyMailChannel
    udp: NotifyMailUdpChannel
    notifier: Notifier
    channel: NotifyMail
    """As subscriptions name it."""

    def use(self, config: Config) -> None:
        """Go on by another configuration. Cannot fail."""
        notifymail = config.notify.notifymail
        self.tcp.connect_timeout = notifymail.connect_timeout
        self.tcp.source_address = self.udp.source_address = notifymail.source_address
        self.notifier.reload(notifier_settings(config))


@attrs.frozen
class Desks:
    """Who tells at once, by the channel of the subscription."""

    dispatcher: Dispatcher
    notifier: Notifier

    async def tell_now(self, id: str) -> Attempt:
        standing = self.notifier.book.find(id)
        is_ours = standing is not None and standing.subscription.channel == CHANNEL
        return await (self.notifier if is_ours else self.dispatcher).tell_now(id)

    async def replay(self, id: str, seq: int) -> Attempt:
        return await self.dispatcher.replay(id, seq)


def knocking(
    config: Config,
    reactor: Any,
    *,
    event_log: IEventLog,
    book: Book,
    directory: IAccountDirectory,
    sightings: ISightings,
    bus: IEventBus,
    told: Callable[[Address], None],
    in_session: Callable[[Address, str | None], bool],
    meter: Meter,
    log: Log,
) -> Knocking:
    """Join it. *told* hears of each account whose owner was knocked at, and *in_session* knows whether
    somebody is in an inbox by a device, or by any."""
    tcp, udp = NotifyMailChannel(reactor, reactor), NotifyMailUdpChannel(reactor, reactor)
    notifier = Notifier(
        bus,
        event_log,
        book,
        directory,
        sightings,
        {"tcp": tcp, "udp": udp},
        reactor,
        log,
        notifier_settings(config),
        time.time,
        told,
        in_session,
        meter,
    )
    channel = NotifyMail(lambda: notifier.settings.rules, lambda: notifier.settings.window, notifier.tell_now)
    parts = Knocking(tcp, udp, notifier, channel)
    parts.use(config)
    return parts
