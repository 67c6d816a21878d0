"""IResolver over recursive servers: what is known is kept, what several ask is asked once."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IResolver
from mailsuite.model.dns import Answer
from mailsuite.model.failure import MailFailure, TemporaryFailure
from mailsuite.model.reply import DNS_UNAVAILABLE, OVERLOADED
from mailsuite.observe.log import Log
from mailsuite.resolver.cache import Cache
from mailsuite.resolver.lookups import Lookups
from mailsuite.resolver.question import Question
from mailsuite.resolver.records import values_of
from mailsuite.resolver.servers import Servers, Upstream

BUDGET: Final = 5.0
"""Seconds for one question with all that follows from it, by default."""
CACHE_OCTETS: Final = 16 << 20
MAX_TTL: Final = 86_400
"""Seconds that an answer is kept at the most (RFC 2181 section 8 leaves it to us)."""
MAX_NEGATIVE_TTL: Final = 10_800
"""The same for "there is none" (RFC 2308 section 5: one to three hours)."""
FAILURE_TTL: Final = 5
"""Seconds for which a failure is not tried again (RFC 9520 section 3.2)."""
MAX_ALIASES: Final = 8
"""Further questions to follow a chain of CNAMEs that the servers did not follow to its end."""
MAX_IN_FLIGHT: Final = 200
"""Questions under way at a time; each has one socket open."""
MAX_QUESTIONS: Final = 2000
"""Questions under way or waiting for their turn; beyond that, the answer is that there is none now."""


RECORD_OCTETS: Final = 100
"""What a record takes in memory, about, beside its text, which may have come as a pointer of two octets."""


@attrs.frozen
class _Unknown:
    """Why it cannot be known now."""

    reason: str


_Outcome = Answer[Any] | _Unknown


@implementer(IResolver)
@attrs.define(eq=False)
class Resolver(Lookups):
    """Asks *servers*, each question for *budget* seconds at the most."""

    servers: Servers
    clock: IReactorTime
    log: Log
    budget: float = BUDGET
    cache: Cache[_Outcome] = attrs.field()
    _waiting: dict[Question, list[Deferred[_Outcome]]] = attrs.field(factory=dict, init=False)
    """For each question under way, those that asked."""
    _turns: DeferredSemaphore = attrs.field(factory=lambda: DeferredSemaphore(MAX_IN_FLIGHT), init=False)
    _tasks: Tasks = attrs.field(init=False)

    @cache.default
    def _make_cache(self) -> Cache[_Outcome]:
        return Cache(self.clock, CACHE_OCTETS)

    @_tasks.default
    def _make_tasks(self) -> Tasks:
        return Tasks(partial(self.log.failure, "dns.failed"))

    def use(self, upstream: Upstream) -> None:
        """Ask these servers from now on; what others said is forgotten."""
        if upstream != self.servers.upstream:
            self.servers.upstream = upstream
            self.cache.clear()

    async def stop(self) -> None:
        """End all questions under way; whoever waits is told that nothing is known."""
        self._tasks.cancel()
        await self._tasks.finished()

    async def find(self, question: Question) -> Answer[Any]:
        outcome = self.cache.get(question) or await self._join(question)
        if isinstance(outcome, _Unknown):
            raise TemporaryFailure(DNS_UNAVAILABLE, outcome.reason)
        return outcome

    async def _join(self, question: Question) -> _Outcome:
        """Wait for the answer to a question that is under way, or begin it."""
        waiter: Deferred[_Outcome] = Deferred()
        waiters = self._waiting.get(question)
        if waiters is not None:
            waiters.append(waiter)
        elif len(self._waiting) >= MAX_QUESTIONS:
            raise TemporaryFailure(OVERLOADED, f"{len(self._waiting)} questions to the DNS are under way")
        else:
            self._waiting[question] = [waiter]
            self._tasks.start(self._answer(question))
        return await waiter

    async def _answer(self, question: Question) -> None:
        """Look, and tell all that wait; whoever has gone meanwhile changes nothing for the others."""
        outcome: _Outcome = _Unknown(f"{question.name} {question.type.name}: the search was broken off")
        try:
            outcome = await self._look(question)
        finally:
            for waiter in self._waiting.pop(question):
                if not waiter.called:
                    waiter.callback(outcome)

    async def _look(self, question: Question) -> _Outcome:
        """The outcome, which is kept as long as it holds."""
        until = self.clock.seconds() + self.budget
        upstream = self.servers.upstream
        try:
            await self._turn(question)
            try:
                outcome, seconds, octets = await self._follow(question, until)
            finally:
                self._turns.release()
        except MailFailure as failure:
            outcome, seconds, octets = _Unknown(failure.reason), FAILURE_TTL, 0
            self.log.debug("dns.unknown", reason=failure.reason)
        if upstream is self.servers.upstream:
            self.cache.keep(question, outcome, seconds, octets)
        return outcome

    async def _turn(self, question: Question) -> None:
        try:
            await self._turns.acquire().addTimeout(self.budget, self.clock)
        except DeferredTimeout:
            detail = f"{question.name} {question.type.name}: too many questions are under way"
            raise TemporaryFailure(DNS_UNAVAILABLE, detail) from None

    async def _follow(self, question: Question, until: float) -> tuple[_Outcome, int, int]:
        """The answer at the end of the chain of aliases (RFC 1034 section 3.6.2), how many seconds it holds,
        and its octets, about, here and on the wire."""
        seconds, octets, authentic = MAX_TTL, 0, True
        step = question
        for _ in range(1 + MAX_ALIASES):
            reading = await self.servers.ask(step, until)
            seconds, octets = min(seconds, reading.ttl), octets + reading.octets
            authentic = authentic and reading.authentic
            if not reading.alias:
                records = values_of(question.type, reading.records)
                if not reading.records:
                    seconds = min(seconds, MAX_NEGATIVE_TTL)
                octets += sum(RECORD_OCTETS + len(str(record)) for record in records)
                return Answer(records, reading.exists, authentic), seconds, octets
            step = Question(reading.alias, question.type)
        detail = f"{question.name} {question.type.name}: the aliases lead on and on"
        raise TemporaryFailure(DNS_UNAVAILABLE, detail)
