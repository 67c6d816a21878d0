"""Whose turn it is: start-time fair queueing on two levels, in rows, each step O(log n).

A *flow* is what one origin has ready for one destination; its parts go by when they were due. Each flow has
two numbers, given to it whenever another part becomes its first:

- ``turn``: its place among the flows of its destination. It is the turn of the flow that was served last
  there, plus what its first part costs. So in each destination the origins take turns by what they cost,
  and who comes back or is new waits for one round at most.
- ``tag``: its place among all. It is the last tag of its origin, or the virtual time (the tag that was
  served last, anywhere) where that is later, plus the cost. So who has much ready for many destinations has
  late tags, and a letter of somebody else an early one.

A destination's ``key`` is the earliest tag of its flows. Those who claim go through the destinations by their
keys, leave out those without room, and take from each the flow whose turn it is there. Two numbers, because
one of them would not do: by tags alone, an origin with much mail elsewhere would starve where others keep
sending; by turns alone, each of a newsletter's ten thousand destinations would come before a letter's.

Runs in the database's thread, inside a transaction.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections import Counter
from collections.abc import Iterator

import attrs

from mailsuite.model.outbound import Room, source_of
from mailsuite.queue.sqlite import statements as sql


@attrs.define(eq=False)
class Turns:
    """Keeps the virtual time, which need not outlive the process: tags count from where they are."""

    _now: float | None = attrs.field(default=None, init=False)

    def entered(self, connection: sqlite3.Connection, destination: str, origin: str, cost: float) -> None:
        """A part of this flow became ready."""
        if connection.execute(sql.HAS_FLOW, (destination, origin)).fetchone():
            return
        found = connection.execute(sql.TURN_OF_DESTINATION, (destination,)).fetchone()
        turn = found[0] if found else 0.0
        tag = self._tag(connection, origin, cost)
        connection.execute(sql.INSERT_FLOW, (destination, origin, turn + cost, tag))
        connection.execute(sql.ENTER_DESTINATION, (destination, tag))

    def left(self, connection: sqlite3.Connection, destination: str, origin: str) -> None:
        """A part of this flow is not ready any more, and was not taken."""
        if not connection.execute(sql.FIRST_READY, (destination, origin)).fetchone():
            connection.execute(sql.DELETE_FLOW, (destination, origin))
            self._set_key(connection, destination)

    def take(self, connection: sqlite3.Connection, count: int, room: Room) -> Iterator[int]:
        """The numbers of the parts whose turn it is. Each must have left the state of being ready when the
        next is asked for."""
        heads = self._heads(connection, count, room)
        heapq.heapify(heads)
        left = count
        taken: Counter[str] = Counter()
        by_source: Counter[str] = Counter()
        while heads and left > 0:
            key, name = heapq.heappop(heads)
            source = source_of(name)
            if taken[name] >= room.of(name) or by_source[source] >= room.of_source(source, count):
                continue
            origin, turn = connection.execute(sql.NEXT_FLOW, (name,)).fetchone()
            (number,) = connection.execute(sql.FIRST_READY, (name, origin)).fetchone()[:1]
            yield number
            self._now = max(self._virtual_time(connection), key)
            taken[name] += 1
            by_source[source] += 1
            left -= 1
            self._served(connection, name, origin, turn)
            if (again := connection.execute(sql.OPEN_DESTINATION, (name,)).fetchone()) is not None:
                heapq.heappush(heads, again)

    def _heads(self, connection: sqlite3.Connection, count: int, room: Room) -> list[tuple[float, str]]:
        """Key and name of destinations that may come to their turn: the earliest of each source that there
        is room for. Each that is looked at gives a part, or is one of those that are shut."""
        if room.usual <= 0:
            open_ = [name for name, places in room.destinations.items() if places > 0]
            found = (connection.execute(sql.OPEN_DESTINATION, (name,)).fetchone() for name in open_)
            return [row for row in found if row]
        shut = Counter(source_of(name) for name, places in room.destinations.items() if places <= 0)
        heads: list[tuple[float, str]] = []
        for source in self._sources(connection):
            if (places := room.of_source(source, count)) > 0:
                heads += connection.execute(sql.OPEN_DESTINATIONS, (source, places + shut[source])).fetchall()
        return heads

    def _sources(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Those that something is ready for, the usual one whether that is so or not."""
        found: tuple[str] | None = ("",)
        while found is not None:
            yield found[0]
            found = connection.execute(sql.NEXT_SOURCE, found).fetchone()

    def _served(self, connection: sqlite3.Connection, destination: str, origin: str, turn: float) -> None:
        following = connection.execute(sql.FIRST_READY, (destination, origin)).fetchone()
        if following is None:
            connection.execute(sql.DELETE_FLOW, (destination, origin))
        else:
            cost = following[1]
            tag = self._tag(connection, origin, cost)
            connection.execute(sql.UPDATE_FLOW, (turn + cost, tag, destination, origin))
        connection.execute(sql.SET_TURN, (turn, destination))
        self._set_key(connection, destination)

    def _set_key(self, connection: sqlite3.Connection, destination: str) -> None:
        connection.execute(sql.SET_KEY, (destination,))
        connection.execute(sql.DELETE_IDLE_DESTINATION, (destination,))

    def _tag(self, connection: sqlite3.Connection, origin: str, cost: float) -> float:
        (last,) = connection.execute(sql.LAST_TAG, (origin,)).fetchone()
        now = self._virtual_time(connection)
        return float(now if last is None else max(now, last)) + cost

    def _virtual_time(self, connection: sqlite3.Connection) -> float:
        if self._now is None:
            first = (
                connection.execute(sql.OPEN_DESTINATIONS, (source, 1)).fetchone()
                for source in self._sources(connection)
            )
            self._now = min((row[0] for row in first if row), default=0.0)
        return float(self._now)
