"""Whose turn it is, in memory: start-time fair queueing, as sqlite/turns.py says it, by looking at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from mailsuite.model.envelope import NotifyOn, OutboundEnvelope
from mailsuite.model.outbound import QueuedMessage, QueuedRecipient, QueueState, Room, source_of


@attrs.define(eq=False)
class Kept:
    """A message in the queue."""

    envelope: OutboundEnvelope
    content: bytes
    message: QueuedMessage
    number: int
    """Its place in the order of arrival."""
    parts: list[Part] = attrs.field(factory=list)
    over: dict[int, QueuedRecipient] = attrs.field(factory=dict)
    owed: dict[int, NotifyOn] = attrs.field(factory=dict)
    was_leased: bool = False

    def all_recipients(self) -> list[tuple[QueuedRecipient, QueueState, float]]:
        """Each with its state and when it is due, in the order of the envelope."""
        found = [(recipient, QueueState.OVER, 0.0) for recipient in self.over.values()]
        found += [(each, part.state, part.due) for part in self.parts for each in part.recipients]
        return sorted(found, key=lambda triple: triple[0].number)


@attrs.define(eq=False)
class Part:
    """Recipients that are not over, of one message, for one destination."""

    kept: Kept
    destination: str
    origin: str
    recipients: list[QueuedRecipient]
    cost: float
    due: float
    state: QueueState
    until: float = 0.0
    token: str = ""
    held: bool = False
    """Said while it was leased: what comes back is held."""
    then: Callable[[Part], None] | None = None
    """Likewise: what happens to what comes back."""


@attrs.define(eq=False)
class _Flow:
    """What one origin has ready for one destination."""

    turn: float
    tag: float
    parts: dict[Part, None] = attrs.field(factory=dict)

    def first(self) -> Part:
        return min(self.parts, key=lambda part: (part.due, part.kept.number))


@attrs.define(eq=False)
class _Destination:
    turn: float = 0.0
    flows: dict[str, _Flow] = attrs.field(factory=dict)

    @property
    def key(self) -> float:
        return min(flow.tag for flow in self.flows.values())


@attrs.define(eq=False)
class Turns:
    """What is ready, and who is next."""

    _now: float = attrs.field(default=0.0, init=False)
    """Virtual time: the tag of what was taken last."""
    _last: dict[str, float] = attrs.field(factory=dict, init=False)
    """The last tag of each origin."""
    _destinations: dict[str, _Destination] = attrs.field(factory=dict, init=False)

    def add(self, part: Part) -> None:
        """It is ready."""
        part.state = QueueState.READY
        destination = self._destinations.setdefault(part.destination, _Destination())
        flow = destination.flows.get(part.origin)
        if flow is None:
            flow = destination.flows[part.origin] = _Flow(
                destination.turn + part.cost, self._tag(part.origin, part.cost)
            )
        flow.parts[part] = None

    def remove(self, part: Part) -> None:
        """It is not ready any more, and not because it was taken."""
        destination = self._destinations[part.destination]
        flow = destination.flows[part.origin]
        del flow.parts[part]
        if not flow.parts:
            del destination.flows[part.origin]

    def _tag(self, origin: str, cost: float) -> float:
        tag = self._last[origin] = max(self._now, self._last.get(origin, 0.0)) + cost
        return tag

    @property
    def any(self) -> bool:
        """Whether anything may be taken."""
        return any(each.flows for each in self._destinations.values())

    def take(self, count: int, room: Room) -> Iterator[Part]:
        """The next, at most *count*, of each destination and each source as many as there is room."""
        left = {name: room.of(name) for name, destination in self._destinations.items() if destination.flows}
        sources = {source_of(name): room.of_source(source_of(name), count) for name in left}
        for _ in range(count):
            left = {name: places for name, places in left.items() if places > 0 < sources[source_of(name)]}
            if not left:
                return
            name = min(left, key=lambda each: self._destinations[each].key)
            yield self._take(self._destinations[name])
            left[name] = left[name] - 1 if self._destinations[name].flows else 0
            sources[source_of(name)] -= 1

    def _take(self, destination: _Destination) -> Part:
        origin, flow = min(destination.flows.items(), key=lambda pair: pair[1].turn)
        part = flow.first()
        self._now = max(self._now, destination.key)
        destination.turn = flow.turn
        del flow.parts[part]
        if flow.parts:
            cost = flow.first().cost
            flow.turn, flow.tag = destination.turn + cost, self._tag(origin, cost)
        else:
            del destination.flows[origin]
        return part
