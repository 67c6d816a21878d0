"""The resolver of a server, made of its parts by what the configuration says."""

from __future__ import annotations

from typing import Any

import attrs

from mailsuite.concurrent.watch import FileWatch
from mailsuite.config.resolving import Resolving
from mailsuite.interfaces import IResolver, IThreads
from mailsuite.observe.log import Log
from mailsuite.resolver.local import LocalNames
from mailsuite.resolver.resolver import Resolver
from mailsuite.resolver.servers import Servers, Upstream
from mailsuite.resolver.system import System, SystemFiles
from mailsuite.resolver.transports import Transports


@attrs.define(eq=False)
class NameService:
    """One for a server, as long as it runs. ``names`` is what others ask."""

    settings: Resolving
    files: SystemFiles
    resolver: Resolver
    local: LocalNames
    log: Log

    @property
    def names(self) -> IResolver:
        return self.local

    def open(self) -> None:
        """Read the system's files. Blocks: for the time before the reactor runs."""
        self.files.open()

    def start(self) -> None:
        """Follow the system's files."""
        self.files.start()

    async def stop(self) -> None:
        """End all questions that are under way."""
        await self.resolver.stop()

    def use(self, settings: Resolving) -> None:
        """Go on by these settings. Cannot fail."""
        self.adopt(settings)
        self.turn(self.files.now)

    def adopt(self, settings: Resolving) -> None:
        """As use(), but for the servers."""
        self.settings = settings
        self.local.ask_private = settings.ask_private
        self.resolver.budget = settings.timeout
        self.resolver.cache.limit = settings.cache
        self.resolver.cache.shrink()

    def turn(self, system: System) -> None:
        """Ask the servers of the configuration, or those of the system where it names none."""
        named = self.settings.servers
        upstream = Upstream(named, self.settings.trust_ad) if named else system.upstream
        if upstream != self.resolver.servers.upstream:
            self.resolver.use(upstream)
            self.log.info("dns.servers", servers=" ".join(map(str, upstream.servers)))


def name_service(
    settings: Resolving, reactor: Any, threads: IThreads, watch: FileWatch, log: Log
) -> NameService:
    """Join the parts; nothing is read or asked before open()."""

    def turn(system: System) -> None:
        service.turn(system)

    files = SystemFiles(threads, watch, log, turn)
    servers = Servers(Transports(reactor, reactor, reactor), Upstream(()), log)
    resolver = Resolver(servers, reactor, log)
    local = LocalNames(resolver, lambda: files.now.hosts)
    service = NameService(settings, files, resolver, local, log)
    service.adopt(settings)
    if settings.servers:
        service.turn(files.now)  # else open() finds out whom to ask
    return service
