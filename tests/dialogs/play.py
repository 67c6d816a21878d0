"""Plays a dialogue: sends what the client says and compares what the server says."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from itertools import groupby
from typing import Protocol

from tests.dialogs.dialog import Closed, Connect, Dialog, Expect, Send, StartTls, Step
from tests.dialogs.text import octets

MAX_LINES = 10_000
"""Lines of the server among which one is looked for."""
SHOWN = 12
"""Lines of the transcript in a message about a failure."""


class Mismatch(AssertionError):
    """The server did something else; the message names file and line, and shows what was said before."""


class Missing(Exception):
    """The server does not do what is waited for; the message says what it does."""


class Connection(Protocol):
    """The client's end of a connection. All but send() and close() raise Missing."""

    def send(self, data: bytes) -> None: ...

    def line(self) -> bytes:
        """The server's next line, with its line end."""

    def unread(self) -> bytes:
        """What the server has sent already and nobody has looked at; does not wait."""

    def start_tls(self) -> None: ...

    def closed(self) -> None:
        """Return when the server has closed and sent nothing more."""

    def close(self) -> None:
        """Go away. Any number of times."""


class Server(Protocol):
    """Where dialogues run."""

    def connect(self, service: str, tls: str, login: str) -> Connection: ...


class Cut(enum.Enum):
    """How the octets of a run of C: lines arrive."""

    LINES = "lines"
    """Each line at once."""
    OCTETS = "octets"
    """One by one."""
    TOGETHER = "together"
    """All lines of the run at once."""

    def pieces(self, run: Iterable[bytes]) -> Iterable[bytes]:
        if self is Cut.LINES:
            return run
        data = b"".join(run)
        return [data] if self is Cut.TOGETHER else [data[at : at + 1] for at in range(len(data))]


def cuts_of(dialog: Dialog) -> tuple[Cut, ...]:
    """The ways in which a dialogue is to be played."""
    return (Cut.TOGETHER,) if dialog.together else tuple(Cut)


def play(dialog: Dialog, server: Server, cut: Cut) -> None:
    """Play it through. Raises Mismatch."""
    player = _Player(dialog, server, cut)
    try:
        player.play()
    finally:
        player.connection.close()


class _Player:
    def __init__(self, dialog: Dialog, server: Server, cut: Cut) -> None:
        self.dialog, self.server, self.cut = dialog, server, cut
        self.known: dict[str, bytes] = {}
        self.transcript: list[str] = []
        self.connection = server.connect(dialog.service, dialog.tls, dialog.login)

    def play(self) -> None:
        step: Step = self.dialog.steps[0]
        try:
            for sends, steps in groupby(self.dialog.steps, lambda step: isinstance(step, Send)):
                if sends:
                    run = [step for step in steps if isinstance(step, Send)]
                    step = run[0]
                    self._send(run)
                else:
                    for step in steps:
                        self._take(step)
            if unread := self.connection.unread():
                raise Missing(f"it is over, and the server has sent more: {unread!r}")
        except Missing as missing:
            raise self._mismatch(step, str(missing)) from None

    def _send(self, run: list[Send]) -> None:
        if unread := self.connection.unread():
            raise Missing(f"the server has sent more: {unread!r}")
        said = [self._octets(step) for step in run]
        self.transcript += [f"C: {data!r}" for data in said]
        for piece in self.cut.pieces(said):
            self.connection.send(piece)

    def _octets(self, step: Send) -> bytes:
        return octets(step.proof, self.dialog.scene, self.known) if step.proof else step.data

    def _take(self, step: Step) -> None:
        match step:
            case Expect():
                self._expect(step)
            case StartTls():
                self.connection.start_tls()
                self.transcript.append("STARTTLS")
            case Closed():
                self.connection.closed()
                self.transcript.append("CLOSED")
            case Connect(service, tls, login):
                self.connection.close()
                self.connection = self.server.connect(service, tls, login)
                self.transcript.append(f"CONNECT {service} tls: {tls}")

    def _expect(self, step: Expect) -> None:
        lines = [self._line()]
        if not (step.among or step.never):
            if not step.pattern.fits(lines[0], self.known):
                raise Missing(f"expected {step.pattern.text!r}, got {lines[0]!r}")
            return
        while not step.pattern.fits(lines[-1], self.known):
            if len(lines) == MAX_LINES:
                raise Missing(f"no line fits {step.pattern.text!r}")
            lines.append(self._line())
        for pattern in step.among:
            if not any(pattern.fits(line, self.known) for line in lines):
                raise Missing(f"among these lines none fits {pattern.text!r}: {lines!r}")
        for pattern in step.never:
            for line in lines:
                if pattern.fits(line, dict(self.known)):
                    raise Missing(f"this line must not come, for it fits {pattern.text!r}: {line!r}")

    def _line(self) -> bytes:
        line = self.connection.line()
        self.transcript.append(f"S: {line!r}")
        if not line.endswith(b"\r\n"):
            raise Missing(f"the line does not end with CRLF: {line!r}")
        return line[:-2]

    def _mismatch(self, step: Step, reason: str) -> Mismatch:
        before = "\n  ".join(text[:200] for text in self.transcript[-SHOWN:])
        where = f"{self.dialog.name}.txt:{step.line} ({self.cut.value})"
        return Mismatch(f"{where}: {reason}\n  {before}")
