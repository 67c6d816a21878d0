"""What an administrator means, as a condition of SQL over ``message m``."""

# Made of constants alone:
# ruff: noqa: S608

from __future__ import annotations

import json

from mailsuite.model.outbound import QueueFilter, QueueState
from mailsuite.queue.parts import text_of
from mailsuite.queue.sqlite.rows import MESSAGE

_STATES = {
    QueueState.READY: "(part.state = 'ready' OR part.state = 'waiting' AND part.due <= ?)",
    QueueState.WAITING: "(part.state = 'waiting' AND part.due > ?)",
    QueueState.LEASED: "part.state = 'leased'",
    QueueState.HELD: "part.state = 'held'",
}
_ANY_PART = "EXISTS (SELECT 1 FROM part WHERE part.message = m.number AND {})"
_ANY_RECIPIENT = (
    "EXISTS (SELECT 1 FROM part CROSS JOIN recipient ON recipient.part = part.number"
    " WHERE part.message = m.number AND {})"
)


COUNT = "SELECT COUNT(*) FROM message m WHERE {}"
NUMBERS_AFTER = "SELECT m.number FROM message m WHERE m.number > ? AND {} ORDER BY m.number LIMIT ?"
MESSAGES_AFTER = (
    f"SELECT m.number, {MESSAGE} FROM message m WHERE m.number > ? AND {{}} ORDER BY m.number LIMIT ?"
)
OF_THESE = (
    "SELECT m.number, m.id, m.release FROM message m"
    " WHERE m.number IN (SELECT value FROM json_each(?)) AND {} ORDER BY m.number"
)


def select(
    statement: str, which: QueueFilter, now: float, *values: str | float
) -> tuple[str, tuple[str | float, ...]]:
    """One of the above with its condition, and the values for its question marks, of which the first of
    *values* stands before the condition."""
    condition, theirs = _conditions(which, now)
    return statement.format(condition), (*values[:1], *theirs, *values[1:])


def _conditions(which: QueueFilter, now: float) -> tuple[str, list[str | float]]:
    found: list[tuple[str, list[str | float]]] = []
    if which.ids:
        found.append(("m.id IN (SELECT value FROM json_each(?))", [json.dumps(sorted(which.ids))]))
    if which.sender:
        found.append(("address_matches(m.sender, ?)", [which.sender]))
    if which.account is not None:
        found.append(("m.account = ?", [text_of(which.account)]))
    if which.older_than is not None:
        found.append(("? - m.arrived > ?", [now, which.older_than]))
    if which.state is QueueState.OVER:
        found.append((_ANY_RECIPIENT.format("over = 1"), []))
    elif which.state is not None:
        state = _STATES[which.state]
        found.append((_ANY_PART.format(state), [now] if "?" in state else []))
    if which.recipient:
        found.append((_ANY_RECIPIENT.format("over = 0 AND address_matches(address, ?)"), [which.recipient]))
    if which.error:
        found.append((_ANY_RECIPIENT.format("over = 0 AND has_met(last, ?)"), [which.error]))
    if not found:
        return "TRUE", []
    return " AND ".join(text for text, _ in found), [value for _, some in found for value in some]
