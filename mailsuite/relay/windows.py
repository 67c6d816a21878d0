"""How much goes to each destination at a time, and for how long a destination is left alone.

A destination is a key of the queue: where mail of some senders comes from addresses of its own (source.py)
there is one for each source, so that a server that slows down or shuts out one of them leaves the mail of the
others as it is.

A destination begins with two messages at a time. When as many as it gets at a time went well it gets one
more; where it says that this is too much, half as many. Where it cannot be talked to at all, it rests: a
minute, then twice as long each time, until one message, alone, is answered. What one message is answered with
never keeps others back.

While a destination rests its messages are not tried; they wait by the outcome that made it rest, and so are
warned of, and given up, in their time.
"""

from __future__ import annotations

import enum
import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import attrs

from mailsuite.model.outbound import Fate, Outcome, Room, source_of
from mailsuite.relay.schedule import wait

USUAL: Final = 2
"""Room of a destination that nothing is known of (Postfix begins with five; row Q-06 wants two)."""
FIRST_REST: Final = 60.0
"""Seconds."""
ROOM_AT_REST: Final = 100
"""Messages for a destination that rests may be claimed so many at a time: nothing is sent for them."""
IDLE_SECONDS: Final = 3600.0
"""How long it is remembered that a destination can take more."""
MAX_KNOWN: Final = 10_000
"""Destinations that something is remembered of; what is in use is never forgotten."""


class Sign(enum.Enum):
    """What an attempt says about its destination."""

    TAKEN = "taken"
    """It took a message."""
    ANSWERED = "answered"
    """It was there, and what it said is about this message."""
    SLOWER = "slower"
    """It wants less at a time, or broke off."""
    BUSY = "busy"
    """It sends us away (421)."""
    DOWN = "down"
    """None of its servers could be talked to."""


@attrs.frozen
class Omen:
    """What an attempt says about its destination, and the outcome that says so."""

    sign: Sign
    outcome: Outcome | None = None
    """With BUSY and DOWN: what other messages wait by where the destination rests for it."""


def omen_of(outcomes: Iterable[Outcome], unreachable: Outcome | None) -> Omen:
    """By what became of the recipients, or by why nobody could be talked to (None: somebody could)."""
    if unreachable is not None:
        is_for_now = unreachable.fate is Fate.DEFERRED
        return Omen(Sign.DOWN, unreachable) if is_for_now else Omen(Sign.ANSWERED)
    omens = {_sign(outcome): outcome for outcome in outcomes}
    sign = next((sign for sign in (Sign.BUSY, Sign.SLOWER, Sign.TAKEN) if sign in omens), Sign.ANSWERED)
    return Omen(sign, omens[sign] if sign is Sign.BUSY else None)


def _sign(outcome: Outcome) -> Sign:
    """Codes 4.7.x are about policy, which is often how much comes at a time; 4.4.x are about connections
    (RFC 3463 sections 3.5 and 3.8)."""
    if outcome.fate in {Fate.RELAYED, Fate.DELIVERED}:
        return Sign.TAKEN
    if outcome.fate is Fate.DEFERRED and outcome.reply.code == 421:
        return Sign.BUSY
    if outcome.fate is Fate.DEFERRED and outcome.reply.enhanced.startswith(("4.7.", "4.4.")):
        return Sign.SLOWER
    return Sign.ANSWERED


@attrs.frozen
class Turn:
    """One message on its way to a destination."""

    destination: str
    era: int
    """What fails in an earlier era has been answered by less room already."""


@attrs.frozen
class Rest:
    """A destination is left alone."""

    until: float
    """Seconds since the epoch."""
    outcome: Outcome
    """Why: what its messages wait by."""


@attrs.define(eq=False)
class _State:
    """What is known of one destination."""

    window: int = USUAL
    active: int = 0
    successes: int = 0
    """Since the window changed."""
    era: int = 0
    is_proved: bool = False
    """Something was answered since it last rested."""
    rests: int = 0
    """In a row."""
    rest: Rest | None = None
    used: float = 0.0


@attrs.define(eq=False)
class Windows:
    """Room for all destinations. One thread."""

    seconds: Callable[[], float]
    """Since the epoch."""
    random: Callable[[], float]
    """From 0 up to 1."""
    limit: int = 100
    """Messages on their way at a time; ``queue.concurrency``."""
    per_source: int | None = None
    """The same for each source; ``queue.per_source``. None: no further limit."""
    _known: dict[str, _State] = attrs.field(factory=dict, init=False)
    """The one that was used last is the last."""
    _room: dict[str, int] = attrs.field(factory=dict, init=False)
    _ends: list[tuple[float, str]] = attrs.field(factory=list, init=False)
    """When rests end, the first first."""
    _active: int = attrs.field(default=0, init=False)
    _of_source: Counter[str] = attrs.field(factory=Counter, init=False)
    """Messages on their way, by what source_of() says; none of zero."""

    @property
    def free(self) -> int:
        """How many messages more may go out now."""
        return max(0, self.limit - self._active)

    def room(self) -> Room:
        """How many messages more may be claimed now."""
        now = self.seconds()
        while self._ends and self._ends[0][0] <= now:
            _, destination = heapq.heappop(self._ends)
            if destination in self._known:
                self._set_room(destination, self._known[destination])
        sources: dict[str, int] = {}
        if self.per_source is not None:
            sources = {source: max(0, self.per_source - active) for source, active in self._of_source.items()}
        return Room(USUAL, dict(self._room), self.per_source, sources)

    def _has_place(self, source: str) -> bool:
        return self.per_source is None or self._of_source[source] < self.per_source

    def resting(self, destination: str) -> Rest | None:
        """Whether, why and for how long a destination is left alone."""
        state = self._known.get(destination)
        if state is None or state.rest is None or state.rest.until <= self.seconds():
            return None
        return state.rest

    def wake(self) -> None:
        """End all rests: somebody knows that it is worth a try."""
        for destination, state in self._known.items():
            state.rest = None
            self._set_room(destination, state)

    def begin(self, destination: str, most: int) -> Turn | Rest | None:
        """A message is to go out; *most* may at a time. The Turn is for end(). Where the destination rests,
        the message waits by what is answered; None: there is no room, give it back."""
        rest = self.resting(destination)
        if rest is not None:
            return rest
        state = self._known.pop(destination, None) or _State()
        self._known[destination] = state
        state.used = self.seconds()
        state.window = min(state.window, most)
        source = source_of(destination)
        if state.active >= self._most(state) or not self.free or not self._has_place(source):
            self._set_room(destination, state)
            return None
        state.active += 1
        self._active += 1
        self._of_source[source] += 1
        self._set_room(destination, state)
        self._forget()
        return Turn(destination, state.era)

    def end(self, turn: Turn, omen: Omen | None, most: int, longest: float) -> None:
        """It has come to an end; None: we have broken it off, which says nothing. *most* as for begin();
        *longest* is how many seconds a rest may last."""
        state = self._known[turn.destination]
        state.active -= 1
        self._active -= 1
        source = source_of(turn.destination)
        self._of_source[source] -= 1
        if not self._of_source[source]:
            del self._of_source[source]
        state.used = self.seconds()
        if omen is not None and turn.era == state.era:
            if omen.sign in {Sign.TAKEN, Sign.ANSWERED}:
                self._went_well(state, omen.sign, most)
            else:
                self._went_wrong(turn.destination, state, omen, longest)
        self._set_room(turn.destination, state)
        if not state.active and state.rest is None and state.window == min(USUAL, most):
            self._drop(turn.destination)

    def _went_well(self, state: _State, sign: Sign, most: int) -> None:
        if state.rest is not None:
            state.rest, state.window, state.successes = None, min(USUAL, most), 0
        state.is_proved, state.rests = True, 0
        if sign is Sign.TAKEN:
            state.successes += 1
            if state.successes >= state.window and state.window < most:
                state.window, state.successes = state.window + 1, 0

    def _went_wrong(self, destination: str, state: _State, omen: Omen, longest: float) -> None:
        """Less at a time; and where that is not possible, or nobody was there at all, a rest."""
        alone = state.window == 1 or state.rest is not None
        nobody = omen.sign is Sign.DOWN and not state.is_proved
        state.era += 1
        state.window, state.successes = max(1, state.window // 2), 0
        if omen.outcome is not None and (alone or nobody):
            state.rests += 1
            until = self.seconds() + wait(FIRST_REST, longest, state.rests, self.random())
            state.rest, state.is_proved = Rest(until, omen.outcome), False
            heapq.heappush(self._ends, (until, destination))
        else:
            state.rest = None

    def _most(self, state: _State) -> int:
        """How many at a time: behind a rest one alone, to see."""
        return state.window if state.rest is None else 1

    def _set_room(self, destination: str, state: _State) -> None:
        if state.rest is not None and state.rest.until > self.seconds():
            self._room[destination] = ROOM_AT_REST
        else:
            self._room[destination] = max(0, self._most(state) - state.active)

    def _forget(self) -> None:
        """What was not used for long, and what there is too much of: each time a look at the two that were
        used first."""
        now = self.seconds()
        for destination in list(islice(self._known, 2)):
            state = self._known[destination]
            if state.active:
                self._known[destination] = self._known.pop(destination)
            elif len(self._known) > MAX_KNOWN or (
                now - state.used > IDLE_SECONDS and not self.resting(destination)
            ):
                self._drop(destination)

    def _drop(self, destination: str) -> None:
        del self._known[destination]
        self._room.pop(destination, None)
