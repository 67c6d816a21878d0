"""What becomes of messages and their parts, in rows. Runs in the database's thread, inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope
from mailsuite.model.outbound import QueueState
from mailsuite.queue.parts import DestinationOf, cost_of, divide, domain_of, origin_of, text_of
from mailsuite.queue.sqlite import statements as sql
from mailsuite.queue.sqlite.orders import Order, obey
from mailsuite.queue.sqlite.rows import address_of, notify_text, outbound_of, parameters_text
from mailsuite.queue.sqlite.turns import Turns

READY, WAITING, LEASED = QueueState.READY.value, QueueState.WAITING.value, QueueState.LEASED.value
HELD, OVER = QueueState.HELD.value, QueueState.OVER.value

REMEMBERED_SECONDS = 3600.0
"""How long an id is known after its message has left: far beyond what anybody takes to repeat a commit."""
AT_ONCE = 500
"""Rows that are looked through in one go, so that nobody waits for long: about 10 ms."""


@attrs.frozen
class Part:
    """A row of the table of that name, as statements.PART finds it."""

    number: int
    message: int
    destination: str
    origin: str
    cost: float
    state: str
    due: float
    serial: int
    held: int
    order: str


@attrs.define(eq=False)
class Ledger:
    """Keeps the rows true to each other. ``gone`` are files of the spool that no row names any more: to be
    removed when that is durable."""

    clock: Callable[[], float]
    turns: Turns = attrs.field(factory=Turns)
    destination_of: DestinationOf = domain_of
    gone: list[str] = attrs.field(factory=list)

    def take_gone(self) -> list[str]:
        gone, self.gone = self.gone, []
        return gone

    # Messages.

    def put(self, connection: sqlite3.Connection, envelope: OutboundEnvelope, file: str, size: int) -> bool:
        """False where the id is known."""
        if connection.execute(sql.KNOWS_ID, (envelope.id,)).fetchone():
            return False
        sender, account = text_of(envelope.sender), text_of(envelope.account)
        said = parameters_text(envelope.parameters)
        row = (
            envelope.id,
            file,
            size,
            sender,
            account,
            envelope.arrived,
            envelope.release,
            said,
            envelope.vouched,
        )
        message = _inserted(connection.execute(sql.INSERT_MESSAGE, row))
        state, due = (WAITING, envelope.release) if envelope.release else (READY, envelope.arrived)
        origin = origin_of(envelope.account, envelope.sender)
        for destination, some in divide(
            enumerate(envelope.recipients),
            lambda pair: self.destination_of(envelope.sender, pair[1].address),
        ):
            number = self.add_part(
                connection,
                message,
                destination=destination,
                origin=origin,
                cost=cost_of(size, len(some)),
                state=state,
                due=due,
            )
            connection.executemany(
                sql.INSERT_RECIPIENT,
                [
                    (
                        number,
                        place,
                        text_of(each.address),
                        notify_text(each.parameters.notify),
                        each.parameters.original,
                    )
                    for place, each in some
                ],
            )
        return True

    def withdraw(self, connection: sqlite3.Connection, file: str) -> bool:
        """Take a message back that was not leased yet, as if it had never been. False: it was leased."""
        found = connection.execute(sql.NUMBER_OF_FILE, (file,)).fetchone()
        if found is None:
            return True
        if connection.execute(sql.WAS_LEASED, found).fetchone():
            return False
        for part in self.parts_of(connection, found[0]):
            self.set_state(connection, part, OVER, 0)
        connection.execute(sql.DELETE_MESSAGE, found).fetchall()
        return True

    def finish(self, connection: sqlite3.Connection, message: int) -> None:
        """Where nobody is to get it any more, and nothing is owed, it is gone."""
        if connection.execute(sql.IS_UNFINISHED, (message,)).fetchone():
            return
        for id, file in connection.execute(sql.DELETE_MESSAGE, (message,)).fetchall():
            connection.execute(sql.REMEMBER, (id, message, self.clock()))
            self.gone.append(file)

    def forget_past(self, connection: sqlite3.Connection) -> None:
        connection.execute(sql.FORGET_PAST, (self.clock() - REMEMBERED_SECONDS, AT_ONCE))

    # Parts.

    def part(self, connection: sqlite3.Connection, number: int) -> Part | None:
        found = connection.execute(sql.PART, (number,)).fetchone()
        return Part(*found) if found else None

    def known_part(self, connection: sqlite3.Connection, number: int) -> Part:
        """One that another row has just named."""
        return Part(*connection.execute(sql.PART, (number,)).fetchone())

    def parts_of(self, connection: sqlite3.Connection, message: int) -> list[Part]:
        """Those that are not over."""
        return [Part(*row) for row in connection.execute(sql.PARTS_OF, (message,)).fetchall()]

    def add_part(
        self,
        connection: sqlite3.Connection,
        message: int,
        *,
        destination: str,
        origin: str,
        cost: float,
        state: str,
        due: float,
        serial: int = 0,
    ) -> int:
        """Answers its number; the recipients are the caller's business."""
        row = (message, destination, origin, cost, state, due, serial)
        number = _inserted(connection.execute(sql.INSERT_PART, row))
        if state == READY:
            self.turns.entered(connection, destination, origin, cost)
        return number

    def _like(
        self, connection: sqlite3.Connection, part: Part, *, destination: str, state: str, due: float
    ) -> int:
        """Another part in the place of *part*, or of some of it."""
        return self.add_part(
            connection,
            part.message,
            destination=destination,
            origin=part.origin,
            cost=part.cost,
            state=state,
            due=due,
            serial=part.serial,
        )

    def set_state(self, connection: sqlite3.Connection, part: Part, state: str, due: float) -> Part:
        """From any state but leased to any other; whatever was said for its return is void."""
        connection.execute(sql.SET_STATE, (state, due, part.number))
        if part.state == READY != state:
            self.turns.left(connection, part.destination, part.origin)
        elif state == READY != part.state:
            self.turns.entered(connection, part.destination, part.origin, part.cost)
        return attrs.evolve(part, state=state, due=due, held=0, order="")

    def end(self, connection: sqlite3.Connection, leased: Part, due: float) -> None:
        """A lease is over: what was not sent waits, or obeys what was said meanwhile."""
        order = leased.order
        part = self.set_state(connection, leased, HELD if leased.held else WAITING, due)
        if order:
            self.obey(connection, part, Order.of(order))
        else:
            self.sort_anew(connection, part)

    def obey(self, connection: sqlite3.Connection, part: Part, order: Order) -> None:
        """What an administrator said, for a part that nobody has in hand."""
        recipient = obey(connection, part.number, part.message, order)
        if recipient is not None:
            destination = self.destination_of(self._sender(connection, part), order.address)
            state = HELD if part.state == HELD else WAITING
            due = self._due_elsewhere(connection, part, order.at)
            number = self._like(connection, part, destination=destination, state=state, due=due)
            connection.execute(sql.INSERT_RECIPIENT, (number, *recipient))
        self.sort_anew(connection, part)

    def _due_elsewhere(self, connection: sqlite3.Connection, part: Part, now: float) -> float:
        """When somebody else may get it: now, unless it waits for the time its sender chose."""
        (chosen,) = connection.execute(sql.RELEASE_OF, (part.message,)).fetchone()
        return float(chosen) if part.state == WAITING and part.due >= chosen > now else now

    def sort_anew(self, connection: sqlite3.Connection, part: Part) -> bool:
        """Let a part go by the destinations that hold now; without recipients that are left it is over.
        Answers whether anything changed."""
        left = connection.execute(sql.ADDRESSES_LEFT, (part.number,)).fetchall()
        sorted_ = divide(left, partial(self._destination, self._sender(connection, part)))
        if [name for name, _ in sorted_] == [part.destination]:
            return False
        for destination, some in sorted_:
            number = self._like(connection, part, destination=destination, state=part.state, due=part.due)
            self._move(connection, part, number, (place for place, _ in some))
        self.set_state(connection, part, OVER, 0)
        if not connection.execute(sql.ANY_OF_PART, (part.number,)).fetchone():
            connection.execute(sql.DELETE_PART, (part.number,))
        self.finish(connection, part.message)
        return True

    def _sender(self, connection: sqlite3.Connection, part: Part) -> Address | None:
        return address_of(connection.execute(sql.SENDER_OF, (part.message,)).fetchone()[0])

    def _destination(self, sender: Address | None, row: tuple[int, str]) -> str:
        return self.destination_of(sender, outbound_of(row[1], None, "").address)

    def _move(self, connection: sqlite3.Connection, part: Part, to: int, places: Iterable[int]) -> None:
        for place in places:
            connection.execute(sql.MOVE_RECIPIENT, (to, part.number, place))
            connection.execute(sql.MOVE_OWED, (to, part.message, place))


def _inserted(cursor: sqlite3.Cursor) -> int:
    return cursor.lastrowid or 0
