"""Runs the user's command for a knock: no shell, and never two at a time."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

NOT_STARTED = 127
"""The exit status for a program that is not there, as a POSIX shell gives it."""
PATIENCE = 5.0
"""Seconds between asking a command to end and ending it."""
NOTHING: Mapping[str, str] = MappingProxyType({})


@attrs.define(eq=False)
class CommandRunner:
    """Starts *argv* with a text on its standard input; output goes where ours goes.

    A text that comes while the command runs is kept, the latest only, and run afterwards. *ended* is told
    each exit status: negative for a signal, NOT_STARTED where the program cannot be run.
    """

    reactor: IReactorProcess
    clock: IReactorTime
    argv: Sequence[str]
    ended: Callable[[int], None]
    limit: float | None = None
    """Seconds after which a run is asked to end; None: it may take as long as it likes."""
    _running: _Command | None = attrs.field(default=None, init=False)
    _next: str | None = attrs.field(default=None, init=False)

    def run(self, text: str) -> None:
        """Run the command now, or once more after the present run."""
        if self._running is not None:
            self._next = text
            return
        running = _Command(self.clock, text, self._command_ended, self.limit)
        if running.start(self.reactor, self.argv):
            self._running = running
        else:
            self.ended(NOT_STARTED)

    async def stop(self) -> None:
        """Ask a command that runs to end, and wait for it. Nothing is run afterwards."""
        self._next = None
        if self._running is not None:
            await self._running.terminate()

    def _command_ended(self, status: int) -> None:
        self._running = None
        text, self._next = self._next, None
        self.ended(status)
        if text is not None:
            self.run(text)


async def run_to_end(
    reactor: IReactorProcess, clock: IReactorTime, argv: Sequence[str], limit: float, more: Mapping[str, str]
) -> int:
    """Run *argv* with nothing on its standard input and *more* in its environment; its exit status, as
    ended() is told it. What runs longer than *limit* seconds is ended."""
    ended: Deferred[int] = Deferred()
    command = _Command(clock, "", ended.callback, limit)
    return await ended if command.start(reactor, argv, more) else NOT_STARTED


def _output(system: str = sys.platform) -> dict[str, Any]:
    """Where what it prints goes: where ours goes, or nowhere on Windows, where that cannot be said."""
    return {} if system == "win32" else {"childFDs": {0: "w", 1: 1, 2: 2}}


class _Command(ProcessProtocol):
    """One run."""

    def __init__(
        self, clock: IReactorTime, text: str, ended: Callable[[int], None], limit: float | None
    ) -> None:
        self._clock = clock
        self._text = text
        self._ended = ended
        self._limit = limit
        self._timer: IDelayedCall | None = None
        self._gone: Deferred[None] = Deferred()

    def start(self, reactor: IReactorProcess, argv: Sequence[str], more: Mapping[str, str] = NOTHING) -> bool:
        """Whether the program could be run."""
        try:
            reactor.spawnProcess(self, argv[0], list(argv), {**os.environ, **more}, **_output())
        except OSError:
            return False
        return True

    @property
    def _process(self) -> IProcessTransport:
        return cast(IProcessTransport, self.transport)

    def connectionMade(self) -> None:
        self._process.writeToChild(0, self._text.encode())
        self._process.closeStdin()
        if self._limit is not None:
            self._timer = self._clock.callLater(self._limit, self._end)

    async def terminate(self) -> None:
        self._end()
        await self._gone

    def _end(self) -> None:
        self._stop_waiting()
        self._signal("TERM")
        if not self._gone.called:
            self._timer = self._clock.callLater(PATIENCE, self._signal, "KILL")

    def _stop_waiting(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _signal(self, name: str) -> None:
        with contextlib.suppress(ProcessExitedAlready):
            self._process.signalProcess(name)

    def processEnded(self, reason: Failure) -> None:
        self._stop_waiting()
        error = reason.value
        signal = getattr(error, "signal", None)
        status = -signal if signal else int(getattr(error, "exitCode", None) or 0)
        self._ended(status)
        self._gone.callback(None)
