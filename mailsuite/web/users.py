"""All that users find over HTTPS, joined: what frontends/plan.py asks for each listener for notices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.accounts.login import Login
from mailsuite.config.schema import Listener, NotifyDoor
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.notice import Happening
from mailsuite.notify.office import Office
from mailsuite.notify.streams import Streams
from mailsuite.observe.log import Log
from mailsuite.web.devices import Devices
from mailsuite.web.site import Site
from mailsuite.web.stream import StreamDoor, nobody_was_seen
from mailsuite.web.subscriptions import Subscriptions
from mailsuite.web.visitors import ByPassword


@attrs.define(eq=False)
class UsersSide:
    """One for a server, for all its listeners and over reloads: so that it counts right."""

    office: Office
    streams: Streams
    registry: DeviceRegistry
    happened: Callable[[list[Happening]], Awaitable[None]]
    """As INoticeIntake has it."""
    now: Callable[[], float]
    """Seconds since the epoch."""
    log: Log
    webpush_key: Callable[[], str] = str
    """Ours for Web Push, in base64url; empty: there is none."""
    seen: Callable[[Address, str, IPAddress], None] = nobody_was_seen
    """Is told from where a stream of a device comes; does not raise."""
    streams_offered: Callable[[], bool] = lambda: True
    """``notify.stream.enabled``, at this moment."""
    _subscriptions: Subscriptions = attrs.field(init=False)
    _devices: Devices = attrs.field(init=False)

    @_subscriptions.default
    def _make_subscriptions(self) -> Subscriptions:
        return Subscriptions(self.office, self.happened, self.webpush_key, self.now)

    @_devices.default
    def _make_devices(self) -> Devices:
        return Devices(self.registry, self.now, self.log)

    def application(
        self, block: Listener, settings: NotifyDoor, rules: Callable[[], LoginRules], login: Login
    ) -> Site:
        """What is at a listener. A proxy that comes in its own name is nobody's address."""

        def seen(account: Address, device: str, peer: IPAddress) -> None:
            if not any(peer in network for network in block.proxy_from):
                self.seen(account, device, peer)

        door = StreamDoor(self.streams, settings.max_streams_per_account, seen, self.streams_offered)
        routes = {**self._subscriptions.routes(), **self._devices.routes(), **door.routes()}
        return Site(ByPassword(login, rules), routes)
