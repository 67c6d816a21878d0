"""What goes to the server, what is waited for, and what the shell is to hear."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

import attrs

from mailsuite.wire.smtp.client.awaited import Awaited
from mailsuite.wire.smtp.client.events import (
    NO_REPLY,
    OVERSIZE_REPLY,
    UNASKED_REPLY,
    UNFIT_REPLY,
    Closing,
    Event,
    Finished,
    Lost,
    Violation,
)
from mailsuite.wire.smtp.client.replies import Answer, Oddity, ReplyReader
from mailsuite.wire.smtp.client.stages import AFTER, ALLOWED, Stage, Step

Answered = Callable[[Answer], None]

SERVICE_CLOSES = 421
"""May be the answer to anything, and come unasked (RFC 5321 section 3.8)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@attrs.frozen
class _Expected:
    awaited: Awaited
    fits: tuple[int, ...]
    """First digits beside 4 and 5 that an answer may have."""
    answered: Answered


@attrs.define(eq=False)
class Exchange:
    """Commands and their replies, each mapped to its own (RFC 2920 section 3.1), until the end."""

    stage: Stage = attrs.field(default=Stage.BUSY, init=False)
    ended: bool = attrs.field(default=False, init=False)
    """Nothing more goes out, and nothing that comes counts."""
    leaving: bool = attrs.field(default=False, init=False)
    """QUIT was said: however it ends, it is no failure."""
    on_unasked: Answered | None = attrs.field(default=None, init=False)
    """Where a refusal goes that nobody waits for, while there is somebody whom it may concern."""
    events: deque[Event] = attrs.field(factory=deque, init=False)
    _expected: deque[_Expected] = attrs.field(factory=deque, init=False)
    _output: list[bytes] = attrs.field(factory=list, init=False)
    _reader: ReplyReader = attrs.field(factory=ReplyReader, init=False)

    @property
    def awaited(self) -> Awaited | None:
        """What the first answer is to that has not come."""
        return self._expected[0].awaited if self._expected else None

    @property
    def clean(self) -> bool:
        """There is no octet behind the reply that is being taken."""
        return self._reader.empty

    def takes(self, step: Step) -> bool:
        """Whether the shell's step counts: not after the end. Raises RuntimeError where it is out of turn."""
        if not self.ended and step not in ALLOWED[self.stage]:
            raise RuntimeError(f"{step.value}() out of turn: {self.stage.value}")
        return not self.ended

    # Out

    def bytes_to_send(self) -> bytes:
        """Take what is to be sent now."""
        data = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output.clear()
        return data

    def put(self, *octets: bytes) -> None:
        """Send octets of a message."""
        if not self.ended:
            self._output += octets

    def say(self, line: str, awaited: Awaited, answered: Answered, fits: tuple[int, ...] = (2,)) -> None:
        """Send a command line, and call *answered* with a reply that fits it, or refuses it. Raises
        ValueError where it would be more than one line: whoever made that has let somebody else's octets in.
        """
        if _CONTROL.search(line):
            raise ValueError("a command has a control character")
        self.stage = Stage.BUSY
        self.expect(awaited, answered, fits)
        self.put(line.encode("utf-8"), b"\r\n")

    def expect(self, awaited: Awaited, answered: Answered, fits: tuple[int, ...] = (2,)) -> None:
        """Wait for a reply."""
        if not self.ended and not self._expected and not self.clean:
            self.violate(UNASKED_REPLY, "a reply before its command")
        if not self.ended:
            self._expected.append(_Expected(awaited, fits, answered))

    # In

    def receive(self, data: bytes) -> None:
        """Take octets from the server, and do what their replies lead to."""
        if self.ended:
            return
        self._reader.feed(data)
        while not self.ended and (answer := self._reader.next_answer()) is not None:
            self._take(answer)

    def _take(self, answer: Answer | Oddity) -> None:
        if isinstance(answer, Oddity):
            self.violate(OVERSIZE_REPLY if answer.oversize else NO_REPLY, answer.detail)
        elif answer.code == SERVICE_CLOSES:
            self.end(Closing(answer.reply))
        elif self._expected:
            self._answer(self._expected.popleft(), answer)
        elif answer.refuses and self.on_unasked is not None:
            self.on_unasked(answer)
        else:
            self.violate(UNASKED_REPLY, f"a reply {answer.code} to nothing")

    def _answer(self, expected: _Expected, answer: Answer) -> None:
        if answer.refuses or answer.kind in expected.fits:
            expected.answered(answer)
        else:
            self.violate(UNFIT_REPLY, f"a reply {answer.code} in the place of {expected.awaited.value}")

    # Events

    def tell(self, event: Event) -> None:
        """Tell the shell something."""
        self.events.append(event)
        self.stage = AFTER.get(type(event), self.stage)

    def violate(self, kind: str, detail: str) -> None:
        """End, and say for the log why."""
        self.end(Violation(kind, detail))

    def end(self, event: Closing | Violation | Lost | Finished) -> None:
        """The last event of all."""
        if self.ended:
            return
        self.stop()
        self.tell(Finished() if self.leaving else event)

    def stop(self) -> None:
        """Say and hear nothing more."""
        self.ended = True
        self._output.clear()
