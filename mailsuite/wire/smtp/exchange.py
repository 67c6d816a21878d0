"""The other direction: replies for the client, events for the service, and the one answer waited for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.budget import Budget
from mailsuite.wire.smtp.events import Event, Violation

Answer = Callable[[Reply], None]


def _nothing() -> None:
    """Where nobody has to be told of the end."""


@attrs.define(eq=False)
class Exchange:
    """What a session says and tells, until its last word."""

    closing: bool = attrs.field(default=False, init=False)
    """The last word is said."""
    tls_awaited: bool = attrs.field(default=False, init=False)
    """After the 220 to STARTTLS: nothing more can be said in clear."""
    budget: Budget = attrs.field(factory=Budget, init=False)
    on_end: Callable[[], None] = attrs.field(default=_nothing, init=False)
    """Is called once, behind the last word: time to forget what is under way."""
    events: deque[Event] = attrs.field(factory=deque, init=False)
    _output: bytearray = attrs.field(factory=bytearray, init=False)
    _answer: Answer | None = attrs.field(default=None, init=False)
    """What to do with the reply that is wanted."""

    @property
    def waiting(self) -> bool:
        """An answer is wanted."""
        return self._answer is not None

    def bytes_to_send(self) -> bytes:
        """Take what is to be sent now."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def tell(self, event: Event) -> None:
        """Tell the service something."""
        self.events.append(event)

    def ask(self, event: Event, answer: Answer) -> None:
        """Tell the service something that it has an answer to."""
        self.events.append(event)
        self._answer = answer

    def wants(self, answer: Answer) -> bool:
        """Whether the reply that is wanted goes there."""
        return self._answer == answer

    def take_answer(self) -> Answer:
        """Where the reply goes that has come. Raises RuntimeError where none is wanted."""
        answer, self._answer = self._answer, None
        if answer is None:
            raise RuntimeError("a reply came that no event had asked for")
        return answer

    def send(self, reply: Reply) -> None:
        """Send a reply; if it was one too many, or the service wants it so, it is the last."""
        if reply.closes:
            self.finish(reply)
            return
        self._output += reply.encode()
        self.budget.answer(reply)
        exhausted = self.budget.exhausted()
        if exhausted is not None:
            violation, last = exhausted
            self.violate(violation.kind, violation.detail, last)

    def violate(self, kind: str, detail: str, reply: Reply, octets: int = 0, start: bytes = b"") -> None:
        """End the session, and say for the log why."""
        self.events.append(Violation(kind, detail, octets, start))
        self.finish(reply)

    def finish(self, reply: Reply) -> None:
        """Say the last word. After the 220 to STARTTLS there is nothing that could be said."""
        if self.closing:
            return
        if not self.tls_awaited:
            self._output += reply.encode()
        self.closing = True
        self._answer = None
        self.on_end()
