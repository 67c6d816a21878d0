"""A question to the servers one has, until one of them answers or the time is over."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import attrs

from mailsuite.model.dns import NameServer
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DNS_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.resolver.codec import NoExtensions, Reading, Unusable, asked
from mailsuite.resolver.question import Question
from mailsuite.resolver.transports import AskOverTcp, Silent, Transports

ROUNDS: Final = (1.0, 2.0, 4.0)
"""Seconds that a server has in each round; all within the time for the question."""
SILENT_AFTER: Final = 3
"""Questions in a row without an answer, after which the log tells of a server."""


@attrs.frozen
class Upstream:
    """Whom to ask."""

    servers: tuple[NameServer, ...]
    trust_ad: bool = False
    """Whether all are believed that they have validated DNSSEC; one on loopback always is, since nobody is
    between (RFC 4035 section 4.9.3)."""

    def trusts(self, server: NameServer) -> bool:
        return self.trust_ad or server.address.is_loopback


@attrs.define(eq=False)
class Servers:
    """Asks recursive servers in their order; one that was silent comes last until it answers."""

    transports: Transports
    upstream: Upstream
    log: Log
    bits: Callable[[int], int] = secrets.randbits
    _silences: dict[NameServer, int] = attrs.field(factory=dict, init=False)

    async def ask(self, question: Question, until: float) -> Reading:
        """What the first server says that can answer. Raises TemporaryFailure at *until*, a time of the
        clock, or as soon as no server is left."""
        upstream = self.upstream
        hopeful = sorted(upstream.servers, key=lambda server: server in self._silences)
        why = "no server is known"
        for patience in ROUNDS:
            for server in tuple(hopeful):
                left = until - self.transports.clock.seconds()
                if left <= 0:
                    break
                try:
                    reading = await self._try(server, question, min(patience, left))
                except Silent as error:
                    why = f"{server}: {error}"
                    self._was_silent(server, str(error))
                except Unusable as error:
                    why = f"{server}: {error}"
                    self._has_answered(server)
                    hopeful.remove(server)
                else:
                    self._has_answered(server)
                    believed = reading.authentic and upstream.trusts(server)
                    return attrs.evolve(reading, authentic=believed)
        raise TemporaryFailure(DNS_UNAVAILABLE, f"{question.name} {question.type.name}: {why}")

    async def _try(self, server: NameServer, question: Question, patience: float) -> Reading:
        """Raises Silent, Unusable."""
        until = self.transports.clock.seconds() + patience
        try:
            return await self._once(server, question, until, edns=True)
        except NoExtensions:
            return await self._once(server, question, until, edns=False)

    async def _once(self, server: NameServer, question: Question, until: float, *, edns: bool) -> Reading:
        sent = asked(question, self.bits, edns=edns)
        clock = self.transports.clock
        try:
            return await self.transports.over_udp(server, sent, until - clock.seconds())
        except AskOverTcp:
            return await self.transports.over_tcp(server, sent, until - clock.seconds())

    def _was_silent(self, server: NameServer, why: str) -> None:
        count = self._silences[server] = self._silences.get(server, 0) + 1
        if count == SILENT_AFTER:
            self.log.warning("dns.server_silent", server=server, reason=why)

    def _has_answered(self, server: NameServer) -> None:
        if self._silences.pop(server, 0) >= SILENT_AFTER:
            self.log.info("dns.server_back", server=server)
