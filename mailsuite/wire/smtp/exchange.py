"""The other direction: replies for the client, events for the service, and the one answer waited for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import attrs

from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.budget import Budget
from mailsuite.wire.smtp.events import Event, Pause, Violation

Answer = Callable[[Reply], None]


def _nothing() -> None:
    """Where nobody has to be told of the end."""


@attrs.define(eq=False)
class Exchange:
    """What a session says and tells, until its last word."""

    budget: Budget
    closing: bool = attrs.field(default=False, init=False)
    """The last word is said."""
    tls_awaited: bool = attrs.field(default=False, init=False)
    """After the 220 to STARTTLS: nothing more can be said in clear."""
    on_end: Callable[[], None] = attrs.field(default=_nothing, init=False)
    """Is called once, behind the last word: time to forget what is under way."""
    events: deque[Event] = attrs.field(factory=deque, init=False)
    _output: bytearray = attrs.field(factory=bytearray, init=False)
    _answer: Answer | None = attrs.field(default=None, init=False)
    """What to do with the reply that is wanted."""
    _held: Sequence[Reply] = attrs.field(default=(), init=False)
    """Replies that wait for the end of a pause."""

    @property
    def waiting(self) -> bool:
        """An answer is wanted, or the end of a pause."""
        return self._answer is not None or self.paused

    @property
    def paused(self) -> bool:
        """Replies are held back."""
        return bool(self._held)

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

    def send(self, *replies: Reply, blamed: bool = True) -> None:
        """Send replies that belong together; if there was one too many, or the service wants it so, it is the
        last. After many errors they are held back for a while. Not *blamed*: they count as no errors.
        """
        late = [self.budget.answer(reply) for reply in replies] if blamed else ()
        if any(late) and self.budget.delay and not any(reply.closes for reply in replies):
            self._held = replies
            self.tell(Pause(self.budget.delay))
        else:
            self._say(replies)

    def resumed(self) -> None:
        """The pause is over. Raises RuntimeError where there was none."""
        held, self._held = self._held, ()
        if not held:
            raise RuntimeError("a pause ended that nobody had asked for")
        self._say(held)

    def _say(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            if reply.closes:
                self.finish(reply)
                return
            self._output += reply.encode()
        exhausted = self.budget.exhausted()
        if exhausted is not None:
            violation, last = exhausted
            self.violate(violation.kind, violation.detail, last)

    def violate(self, kind: str, detail: str, reply: Reply, octets: int = 0, start: bytes = b"") -> None:
        """End the session, and say for the log why."""
        if self.closing:
            return
        self.events.append(Violation(kind, detail, octets, start))
        self.finish(reply)

    def finish(self, reply: Reply) -> None:
        """Say the last word, behind what was held back. After the 220 to STARTTLS nothing can be said."""
        if self.closing:
            return
        held, self._held = self._held, ()
        if not self.tls_awaited:
            self._output += b"".join(each.encode() for each in (*held, reply))
        self.closing = True
        self._answer = None
        self.on_end()
