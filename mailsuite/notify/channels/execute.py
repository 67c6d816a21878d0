"""The administrator's own programs as a channel: the notice as JSON on their standard input.

No shell, no word of a message in the arguments, nothing of our environment; users choose among the commands
that the configuration names, and write none.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.failure import TellingFailed, TellingRefused
from mailsuite.model.notice import Level, Notice
from mailsuite.model.subscription import ChannelTerms, Subscription
from mailsuite.notify.channels.posting import asked
from mailsuite.notify.targets import BY_LEAVE
from mailsuite.wire.notice import encode

MAX_AT_ONCE = 4
"""Programs that run side by side; the next waits for one to end."""
EX_TEMPFAIL = 75
"""sysexits.h: trying again may help."""
ENVIRONMENT: Final = MappingProxyType({"PATH": "/usr/local/bin:/usr/bin:/bin"})
"""All that a program finds."""
_NOT_STARTED = -1


@attrs.frozen
class Command:
    """What the configuration calls a command."""

    argv: tuple[str, ...] = attrs.field(repr=False)
    """The first is an absolute path."""
    timeout: float = 10.0
    """Seconds; then it is killed."""
    users: bool = False
    """Whether users may choose it themselves."""


@implementer(INotifyChannel)
@attrs.define(eq=False)
class CommandChannel:
    """Runs the command that a subscription names as its target.

    Exit status 0 is told, 75 (EX_TEMPFAIL) is to be tried again, any other is refused. What the program
    writes is thrown away.
    """

    reactor: IReactorProcess
    clock: IReactorTime
    commands: Mapping[str, Command]
    """By name; may be replaced at any time."""
    name: str = attrs.field(default="exec", init=False)
    terms: ChannelTerms = attrs.field(
        default=ChannelTerms(Level.PREVIEW, 5.0, each=False, retries=(), suspends=False, verifies=False),
        init=False,
    )
    _room: DeferredSemaphore = attrs.field(factory=lambda: DeferredSemaphore(MAX_AT_ONCE), init=False)
    _running: set[_Run] = attrs.field(factory=set, init=False)

    def prepare(self, subscription: Subscription, by_admin: bool = False) -> Subscription:
        asked(subscription)
        mine = {name for name, command in self.commands.items() if by_admin or command.users}
        if subscription.target not in mine:
            known = ", ".join(sorted(mine)) or "none"
            raise ValueError(f"target: there is no command {subscription.target!r}; there are: {known}")
        kept = {BY_LEAVE: "yes"} if by_admin else {}
        key = f"exec:{subscription.target}"
        return attrs.evolve(subscription, target_key=key, secrets=(), options=kept)

    async def tell(self, subscription: Subscription, notice: Notice) -> int:
        command = self.commands.get(subscription.target)
        if command is None:
            raise TellingRefused("the configuration has no such command any more")
        if not command.users and BY_LEAVE not in subscription.options:
            raise TellingRefused("the configuration gives users that command no more")
        text = encode(notice) + b"\n"
        await self._room.acquire()
        run = _Run(text)
        self._running.add(run)
        try:
            status = await run.result(self.reactor, self.clock, command.argv, command.timeout)
        finally:
            self._running.discard(run)
            self._room.release()
        if status == 0:
            return 0
        raise _failure(status, run.timed_out, command.timeout)

    async def verify(self, subscription: Subscription, code: str) -> bool:
        return True

    async def stop(self) -> None:
        for run in list(self._running):
            run.kill()


def _failure(status: int, timed_out: bool, seconds: float) -> TellingFailed | TellingRefused:
    if timed_out:
        return TellingRefused(f"killed after {seconds:g} s")
    if status == _NOT_STARTED:
        return TellingRefused("the program cannot be started")
    if status == EX_TEMPFAIL:
        return TellingFailed("exit status 75")
    return TellingRefused(f"exit status {status}" if status > 0 else f"ended by signal {-status}")


class _Run(ProcessProtocol):
    """One run of a program."""

    def __init__(self, text: bytes) -> None:
        self.timed_out = False
        self._text = text
        self._ended: Deferred[int] = Deferred(lambda _: self.kill())
        self._process: IProcessTransport | None = None
        self._limit: IDelayedCall | None = None

    async def result(
        self, reactor: IReactorProcess, clock: IReactorTime, argv: Sequence[str], limit: float
    ) -> int:
        """The exit status, negative for a signal; after *limit* seconds it is killed."""
        if not os.access(argv[0], os.X_OK):
            return _NOT_STARTED
        try:
            process: Any = reactor.spawnProcess(self, argv[0], list(argv), dict(ENVIRONMENT), "/")
        except OSError:
            return _NOT_STARTED
        self._process = process
        self._limit = clock.callLater(limit, self._too_long)
        return await self._ended

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self._text)
        transport.closeStdin()

    def processExited(self, reason: Failure) -> None:
        transport: Any = self.transport
        transport.loseConnection()  # a process that it has left running may hold the pipes for ever

    def processEnded(self, reason: Failure) -> None:
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        if not self._ended.called:
            value: Any = reason.value
            self._ended.callback(-value.signal if value.signal else value.exitCode)

    def _too_long(self) -> None:
        self.timed_out = True
        self.kill()

    def kill(self) -> None:
        """End it now, if it has not ended."""
        if self._process is not None:
            with contextlib.suppress(ProcessExitedAlready):
                self._process.signalProcess("KILL")
