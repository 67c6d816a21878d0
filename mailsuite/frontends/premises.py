"""What all listeners share, and what stays as it is over reloads."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

from mailsuite.accounts.terms import OwnRetentions
from mailsuite.config.schema import DoorSettings, Guard
from mailsuite.config.schema import Listener as ListenerBlock
from mailsuite.frontends.admission import Admission
from mailsuite.interfaces import IThreads
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.observe.protocol_log import Watches
from mailsuite.policy.access_files import AccessLists
from mailsuite.policy.bans import Bans


@attrs.define
class Admissions:
    """The limits of services and listeners, kept over reloads so that the counts stay exact."""

    _services: dict[str, Admission] = attrs.field(factory=dict, init=False)
    _listeners: dict[tuple[str, str], Admission] = attrs.field(factory=dict, init=False)
    """By service and listener."""

    def listener(
        self, block: ListenerBlock, own: DoorSettings, general: DoorSettings, guard: Guard
    ) -> Admission:
        """A listener's own limits, within those of its service, as they are today."""
        service = self._services.setdefault(block.service, Admission(0, 0))
        listener = self._listeners.setdefault((block.service, block.name), Admission(0, 0, within=service))
        for admission, settings in ((service, general), (listener, own)):
            admission.total = settings.max_connections
            admission.per_address = settings.max_connections_per_address
            admission.reserve, admission.reserved_for = guard.admin_reserve, guard.admin_networks
        return listener


@attrs.frozen
class Premises:
    """One for a server, as long as it runs."""

    clock: IReactorTime
    threads: IThreads
    """For what takes milliseconds of a processor."""
    log: Log
    bans: Bans
    access: AccessLists
    metrics: Metrics
    watches: Watches
    own_retentions: OwnRetentions
    admissions: Admissions = attrs.field(factory=Admissions)
