"""What an administrator has decided about recipients that are left of a part: kept in the row of one that is
leased, carried out when nobody has it in hand."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Literal

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Fate, Outcome, QueuedRecipient
from mailsuite.model.reply import Reply
from mailsuite.queue.parts import in_place_of, text_of, wants_failures
from mailsuite.queue.sqlite import statements as sql
from mailsuite.queue.sqlite.rows import notify_text, outcome_of, outcome_text, recipient_of


@attrs.frozen
class Order:
    """``at`` is when it was given, in seconds since the epoch."""

    verb: Literal["remove", "bounce", "redirect"]
    at: float
    outcome: str = ""
    """As rows.outcome_text() writes it."""
    local: str = ""
    domain: str = ""

    @classmethod
    def remove(cls, at: float) -> Order:
        return cls("remove", at)

    @classmethod
    def bounce(cls, at: float, reply: Reply) -> Order:
        return cls("bounce", at, outcome_text(Outcome(Fate.FAILED, reply, at=at)))

    @classmethod
    def redirect(cls, at: float, to: Address) -> Order:
        return cls("redirect", at, local=to.local, domain=to.domain)

    @classmethod
    def of(cls, text: str) -> Order:
        return cls(**json.loads(text))

    @property
    def text(self) -> str:
        """As it stands in the row."""
        return json.dumps(attrs.asdict(self), ensure_ascii=False)

    @property
    def address(self) -> Address:
        """Where it goes."""
        return Address(self.local, self.domain)


def obey(connection: sqlite3.Connection, part: int, message: int, order: Order) -> tuple[Any, ...] | None:
    """Answers the row of a recipient who is to get it in the place of those that were left, without its
    part; None where there is none."""
    left = [recipient_of(row) for row in connection.execute(sql.LEFT_OF_PART, (part,)).fetchall()]
    for each in left:
        connection.execute(sql.OWED_NOT, (message, each.number))
    if order.verb == "bounce":
        connection.execute(sql.GIVE_UP, (order.outcome, part))
        for each in left:
            if wants_failures(each.recipient):
                connection.execute(sql.OWE, (message, NotifyOn.FAILURE.value, part, each.number))
        return None
    everybody = connection.execute(sql.EVERYBODY, (message,)).fetchall()
    connection.execute(sql.DELETE_LEFT, (part,))
    if order.verb == "remove" or not left:
        return None
    return _replacement(order, part, left, everybody)


def _replacement(
    order: Order, part: int, left: list[QueuedRecipient], everybody: list[tuple[Any, ...]]
) -> tuple[Any, ...] | None:
    """None where the address has it, or is to get it, already."""
    address = text_of(order.address)
    replaced = {each.number for each in left}
    for number, theirs, over, last in everybody:
        has_failed = over and last is not None and outcome_of(last).fate is Fate.FAILED
        if number not in replaced and theirs == address and not has_failed:
            return None
    recipient = in_place_of([each.recipient for each in left], order.address)
    notify, original = recipient.parameters.notify, recipient.parameters.original
    return max(row[0] for row in everybody) + 1, address, notify_text(notify), original
