"""What somebody wants to be told of, as options; as the control API takes it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from mailsuite.cli.context import CommandFailed
from mailsuite.cli.control import Document
from mailsuite.cli.terminal import clean

LEVELS: Final = ("knock", "count", "sender", "subject", "preview")
KINDS: Final = (
    "mail.new",
    "mail.cleared",
    "quota.reached",
    "login.new",
    "queue.delayed",
    "queue.failed",
)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_OCTETS: Final = 4096
"""Of a file with a secret; an option may have 2000 characters."""
SECRETS: Final = frozenset({"auth", "secret", "token"})
"""Options that would stand in the list of processes and in the shell's history."""
_HOURS: Final = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")
_LIKE: Final = '"mon-fri 22:00-07:00 Europe/Berlin"'

OPTIONS: Final = (
    click.option("--name", metavar="TEXT", help="What its owner calls it."),
    click.option(
        "--level", type=click.Choice(LEVELS), help="How much it tells; each tells what those before it tell."
    ),
    click.option("--only", "kinds", type=click.Choice(KINDS), multiple=True, help="Of what; else mail.new."),
    click.option(
        "--from", "senders", metavar="PATTERN", multiple=True, help='Of senders like "*@example.net".'
    ),
    click.option(
        "--list", "lists", metavar="PATTERN", multiple=True, help="Of mailing lists, by their List-Id."
    ),
    click.option(
        "--subject", "subjects", metavar="PATTERN", multiple=True, help='Of subjects like "*invoice*".'
    ),
    click.option(
        "--label", "labels", metavar="PATTERN", multiple=True, help='Of mail to tags: "shop" of joe+shop@...'
    ),
    click.option("--importance", type=click.Choice(("low", "normal", "high")), help="At least."),
    click.option("--smallest", metavar="SIZE", help="Messages from this size on."),
    click.option("--largest", metavar="SIZE", help="Messages up to this size."),
    click.option(
        "--want",
        "wanted",
        type=click.Choice(("bulk", "own", "auto")),
        multiple=True,
        help="Also of mail that notify.suppress keeps quiet about.",
    ),
    click.option(
        "--unfetched-after",
        "if_unfetched_after",
        metavar="TIME",
        help="Only of what nobody has fetched by then, 5m say.",
    ),
    click.option(
        "--quiet-hours",
        metavar="TEXT",
        multiple=True,
        help=f"When it is not told, like {_LIKE}; as often as needed, all with the same time zone.",
    ),
    click.option(
        "--while-quiet",
        type=click.Choice(("hold", "drop", "digest")),
        help="What becomes of it then: one notice at the end, nothing, or a list of all at the end.",
    ),
    click.option(
        "--break-through", metavar="PATTERN", multiple=True, help="Senders that are told of even then."
    ),
    click.option("--window", metavar="TIME", help="All that comes within it makes one notice."),
    click.option(
        "--urgency",
        type=click.Choice(("very-low", "low", "normal", "high")),
        help="For the device's battery.",
    ),
    click.option(
        "--expires", metavar="YYYY-MM-DD", help="The day from whose beginning on, in UTC, it is over."
    ),
)
FILTERS: Final = (
    "kinds",
    "senders",
    "lists",
    "subjects",
    "labels",
    "importance",
    "smallest",
    "largest",
    "wanted",
    "if_unfetched_after",
)


def wish_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that says what is told; it gets them as ``fields``, those that were given. In
    ``filter`` and ``quiet`` only what was given stands, too."""

    @wraps(command)
    def with_fields(*arguments: Any, **options: Any) -> Any:
        filters = {name: _given(options.pop(name)) for name in FILTERS}
        quiet = quiet_of(options.pop("quiet_hours"), options.pop("while_quiet"), options.pop("break_through"))
        fields: Document = {name: options.pop(name) for name in ("name", "level", "window", "urgency")}
        day = options.pop("expires")
        fields["expires"] = None if day is None else f"{day}T00:00:00Z"
        fields["filter"] = {name: value for name, value in filters.items() if value is not None}
        fields["quiet"] = quiet
        given = {name: value for name, value in fields.items() if value not in (None, {})}
        return command(*arguments, fields=given, **options)

    decorated: Callable[..., Any] = with_fields
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated


def _given(value: Any) -> Any:
    """None where it was not. Several values are a list; an empty text among them is nothing, so that a list
    can be made empty."""
    if isinstance(value, tuple):
        return [each for each in value if each] if value else None
    return value


def quiet_of(hours: Sequence[str], manner: str | None, senders: Sequence[str]) -> Document:
    """Quiet times as the control API takes them, as far as they were given. Raises UsageError."""
    quiet: Document = {}
    if hours:
        spans = [_span(text) for text in hours]
        zones = {zone for _, zone in spans}
        if len(zones) > 1:
            raise click.UsageError("--quiet-hours: all must have the same time zone")
        quiet = {"zone": zones.pop(), "spans": [span for span, _ in spans]}
    if manner is not None:
        quiet["manner"] = manner
    if senders:
        quiet["breakthrough"] = [each for each in senders if each]
    return quiet


def _span(text: str) -> tuple[Document, str]:
    """And its time zone."""
    words = text.split()
    days = _days(words.pop(0)) if len(words) == 3 else list(DAYS)
    found = _HOURS.fullmatch(words[0]) if len(words) == 2 else None
    if found is None or not days:
        raise click.UsageError(f"--quiet-hours: expected something like {_LIKE}, not {text!r}")
    begin, end = found.groups()
    return {"days": days, "begin": begin, "end": "00:00" if end == "24:00" else end}, words[1]


def _days(text: str) -> list[str]:
    """``mon-fri``, ``sat,sun``, ``fri-mon``; empty where that is no such thing."""
    chosen: set[int] = set()
    for part in text.lower().split(","):
        ends = [_day(each) for each in part.split("-")]
        if None in ends or len(ends) > 2:
            return []
        first, last = ends[0] or 0, ends[-1] or 0
        chosen |= {(first + more) % 7 for more in range((last - first) % 7 + 1)}
    return [DAYS[day] for day in sorted(chosen)]


def _day(text: str) -> int | None:
    """By its first letters, two at least."""
    fitting = [place for place, day in enumerate(DAYS) if len(text) > 1 and day.startswith(text[:3])]
    return fitting[0] if fitting else None


# Options of the channel, and what is secret


def channel_options(given: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` and ``NAME=FILE``. Raises UsageError, and CommandFailed where a file cannot be read."""
    options: dict[str, str] = {}
    for text in given:
        name, value = _pair(text, "--option")
        if name in SECRETS or name.lower().startswith("header."):
            raise click.UsageError(
                f"--option {name}=... would be seen by everybody on this machine; "
                f"use --option-file {name}=FILE, where - is stdin"
            )
        options[name] = value
    for text in files:
        name, file = _pair(text, "--option-file")
        options[name] = first_line(file)
    return options


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"{option}: expected NAME=..., not {text!r}")
    return name, value


def first_line(file: str) -> str:
    """The first line of a file, or of stdin where it is ``-``. Raises CommandFailed."""
    try:
        if file == "-":
            octets = sys.stdin.buffer.readline(MAX_OCTETS + 1)
        else:
            with Path(file).open("rb") as opened:
                octets = opened.readline(MAX_OCTETS + 1)
    except OSError as error:
        raise CommandFailed(f"{clean(file)}: {error.strerror}") from error
    what = "stdin" if file == "-" else clean(file)
    if len(octets) > MAX_OCTETS:
        raise CommandFailed(f"{what}: the first line has more than {MAX_OCTETS} octets")
    try:
        text = octets.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{what}: the first line is not UTF-8") from error
    if not text:
        raise CommandFailed(f"{what}: there is nothing in the first line")
    return text
