"""Text for a terminal: clean of what could steer it, in columns, with a colour where one is wanted."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

PLAIN_WIDTH: Final = 10_000
"""Columns where the output is no terminal: no line is folded or cut for a program that reads it."""


SERVICE_WORDS: Final = {
    "pop3": "POP3",
    "submission": "SMTP submission",
    "notify": "notices",
    "console": "the console",
}
"""Services, and what a device password may be used for, as people call them."""


def clean(text: str) -> str:
    """*text* on one line, with an escape such as ``\\x1b`` for whatever is not printable.

    That covers control characters, line separators, direction overrides and octets that were no UTF-8.
    """
    return text if text.isprintable() else "".join(map(_clean_character, text))


def _clean_character(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def clean_lines(text: str) -> str:
    """As clean(), but line ends and tabs stay."""
    return "\n".join(
        "\t".join(map(clean, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n")
    )


def note(text: str) -> None:
    """Tell the person something beside the result."""
    click.echo(text, err=True)


def confirm(question: str) -> None:
    """Ask whether to go on. Raises click.Abort where the answer is no, and UsageError where nobody is there
    to answer: such commands have --yes."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise click.UsageError("there is nobody here to answer; --yes goes on without asking") from None
    if not agreed:
        raise click.Abort


def print_json(document: Any) -> None:
    """For programs: keys in the documented order, text escaped to ASCII."""
    click.echo(json.dumps(document, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print *rows* below their headings; the columns named in *right* stand at the right edge.

    Cells come in as they are and go out clean.
    """
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip(), color=True)


def octets_text(octets: int) -> str:
    """``84 KiB``: at most four digits."""
    size = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1000 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"


def count_text(number: int, one: str, many: str = "") -> str:
    """``1 account``, ``2 accounts``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def time_text(seconds: float) -> str:
    """``2026-11-21 09:15``, in the time of this place."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def day_text(seconds: float) -> str:
    """``2027-01-31``, in UTC, as days are meant in the configuration."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def login_text(login: dict[str, Any] | None) -> str:
    """When, from where and how somebody logged in."""
    if login is None:
        return "never"
    how = f"{SERVICE_WORDS.get(login['service'], login['service'])}, {login['mechanism']}"
    return f"{time_text(login['at'])} from {login['peer']} ({how})"
