"""Runs the user's command for a knock: no shell, and never two at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

NOT_STARTED = 127
"""The exit status for a program that is not there, as a POSIX shell gives it."""
PATIENCE = 5.0
"""Seconds between asking a command to end and ending it."""


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
    _running: _Command | None = attrs.field(default=None, init=False)
    _next: str | None = attrs.field(default=None, init=False)

    def run(self, text: str) -> None:
        """Run the command now, or once more after the present run."""
        if self._running is not None:
            self._next = text
            return
        running = _Command(self.clock, text, self._command_ended)
        environment = dict(os.environ)
        descriptors: dict[int, int | str] = {0: "w", 1: 1, 2: 2}
        try:
            self.reactor.spawnProcess(
                running, self.argv[0], list(self.argv), environment, childFDs=descriptors
            )
        except OSError:
            self.ended(NOT_STARTED)
        else:
            self._running = running

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


class _Command(ProcessProtocol):
    """One run."""

    def __init__(self, clock: IReactorTime, text: str, ended: Callable[[int], None]) -> None:
        self._clock = clock
        self._text = text
        self._ended = ended
        self._gone: Deferred[None] = Deferred()

    @property
    def _process(self) -> IProcessTransport:
        return cast(IProcessTransport, self.transport)

    def connectionMade(self) -> None:
        self._process.writeToChild(0, self._text.encode())
        self._process.closeStdin()

    async def terminate(self) -> None:
        self._signal("TERM")
        kill = self._clock.callLater(PATIENCE, self._signal, "KILL")
        await self._gone
        if kill.active():
            kill.cancel()

    def _signal(self, name: str) -> None:
        with contextlib.suppress(ProcessExitedAlready):
            self._process.signalProcess(name)

    def processEnded(self, reason: Failure) -> None:
        error = reason.value
        signal = getattr(error, "signal", None)
        status = -signal if signal else int(getattr(error, "exitCode", None) or 0)
        self._ended(status)
        self._gone.callback(None)
