"""Messages of the queue as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

from mailsuite.cli.control import Document
from mailsuite.cli.terminal import clean, count_text, octets_text, time_text

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))
COLUMNS: Final = ("ID", "AGE", "SIZE", "FROM", "TO", "STATE", "LAST REPLY")
WORDS: Final = {"leased": "being sent"}
GAP: Final = "   "
WIDEST: Final = 40
"""Characters that a column is padded to at most; what is longer stays whole."""


def age_text(seconds: float) -> str:
    """``41 min``: the largest unit."""
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def soon_text(moment: float, now: float) -> str:
    """``09:58``, with the day where that is another one."""
    text = time_text(moment)
    return text.partition(" ")[2] if text[:10] == time_text(now)[:10] else text


def aligned(rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> Iterator[str]:
    """Lines in columns, those whose places are in *right* at the right edge; the last one is never padded, so
    that each row is one line, however long. Cells come in as they are and go out clean."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row[:-1], widths, strict=False))
        ]
        yield GAP.join([*padded, row[-1]]).rstrip()


def print_messages(messages: Sequence[Document], now: float) -> None:
    """One line for each, below their headings."""
    heading, *lines = aligned([COLUMNS, *(_row(message, now) for message in messages)], frozenset({1, 2}))
    click.echo(click.style(heading, bold=True))
    for line in lines:
        click.echo(line)


def _row(message: Document, now: float) -> tuple[str, ...]:
    return (
        message["id"],
        age_text(now - message["arrived"]),
        octets_text(message["size"]),
        sender_text(message["sender"]),
        _recipients_text(message),
        _state_text(message, now),
        next((each["last"]["said"] for each in message["recipients"] if each["last"]), "-"),
    )


def sender_text(sender: str | None) -> str:
    """``<>`` is the null reverse-path."""
    return "<>" if sender is None else sender


def _recipients_text(message: Document) -> str:
    if not message["recipients"]:  # of a damaged queue, which fsck tells of
        return "nobody"
    first, *others = message["recipients"]
    more = len(others) + message["more"]
    return f"{first['address']}, {more} more" if more else str(first["address"])


def _state_text(message: Document, now: float) -> str:
    """What is said of those who are to get it; over where nobody is."""
    states = [state for state in message["states"] if state != "over"] or ["over"]
    text = ", ".join(WORDS.get(state, state) for state in states)
    due = min((each["due"] for each in message["recipients"] if each["state"] == "waiting"), default=None)
    return text if due is None else f"{text}, next {soon_text(due, now)}"


def print_message(document: Document, now: float) -> None:
    """One message, its recipients, and its header below."""
    message = document["message"]
    account = f"  (logged in as {message['account']})" if message["account"] else ""
    _say("id", message["id"])
    _say("from", f"{sender_text(message['sender'])}{account}")
    _say("size", octets_text(message["size"]))
    _say("arrived", f"{time_text(message['arrived'])}, {age_text(now - message['arrived'])} ago")
    if message["release"] is not None and message["release"] > now:
        _say("not before", time_text(message["release"]))
    if message["require_tls"]:
        _say("needs", "TLS all the way (REQUIRETLS)")
    for number, recipient in enumerate(message["recipients"]):
        _say("" if number else "to", _recipient_text(recipient, now))
        if recipient["last"] is not None:
            said, host = recipient["last"]["said"], recipient["last"]["host"]
            _say("", f"    {said}{f'  ({host})' if host else ''}")
    if message["more"]:
        _say("", f"and {count_text(message['more'], 'more recipient')}")
    click.echo()
    if document["header"] is None:
        click.echo("The message cannot be read; the server's log says why.")
    else:
        for line in document["header"].split("\n"):
            click.echo("\t".join(map(clean, line.split("\t"))))


def _recipient_text(recipient: Document, now: float) -> str:
    state, tries = recipient["state"], recipient["tries"]
    if state == "over" and recipient["last"] is not None:
        state = recipient["last"]["fate"]
    text = f"{recipient['address']}  {WORDS.get(state, state)}"
    if recipient["state"] == "waiting":
        text += f", next {soon_text(recipient['due'], now)}"
    return f"{text}, tried {count_text(tries, 'time')}" if tries else text


def _say(name: str, text: str) -> None:
    click.echo(f"{name:<12} {clean(text)}")


def sum_text(shown: int, total: int, octets: int) -> str:
    """The last line of a list."""
    if shown < total:
        return f"{shown} of {count_text(total, 'message')}; --limit {total} shows all."
    return f"{count_text(total, 'message')}, {octets_text(octets)}."


def print_shape(document: Document, now: float) -> None:
    """Destinations by age."""
    from mailsuite.config.measures import duration_text  # noqa: PLC0415 - keeps --help fast

    ages = [f"<{duration_text(age)}" for age in document["ages"]]
    rows = [("", "total", *ages, "older", ""), _shape_row("TOTAL", document, "")]
    rows += [
        _shape_row(each["destination"] or "(this server)", each, _trouble(each, now))
        for each in document["destinations"]
    ]
    for line in aligned(rows, frozenset(range(1, len(ages) + 3))):
        click.echo(line)


def _shape_row(name: str, document: Document, trouble: str) -> tuple[str, ...]:
    return (name, str(document["total"]), *map(str, document["counts"]), trouble)


def _trouble(destination: Document, now: float) -> str:
    until = destination["blocked_until"]
    pause = f"next try {soon_text(until, now)}" if until is not None and until > now else ""
    return ", ".join(filter(None, (destination["last"], pause)))
