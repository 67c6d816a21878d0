"""``mailsuite status``: one screen that says whether it is well."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document, resource
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.queue_text import age_text
from mailsuite.cli.terminal import clean, print_json, print_table, time_text

_COLUMNS: Final = ("SERVICE", "STATUS", "SINCE", "LISTENS ON", "SESSIONS", "SINCE THE START")
_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


@click.command("status")
@json_option
@quiet_option
@click.pass_obj
def status(context: Context, as_json: bool, quiet: bool) -> None:
    """One screen: what runs, since when, who is there, what is wrong.

    Exit status 0: it runs; 3: it does not.
    """
    document = context.control.get(resource("status"))
    if as_json:
        print_json(document)
    elif not quiet:
        _print(document)


def _print(document: Document) -> None:
    up = duration_text(document["now"] - document["since"])
    name = clean(document["name"])
    click.echo(
        f"mailsuite {clean(document['version'])} on {name}     up {up}     {_config_text(document['config'])}"
    )
    print_table(_COLUMNS, _rows(document))
    if document["notices"] is not None:
        click.echo(f"notices      {clean(notices_text(document['notices']))}")
    click.echo(f"queue        {clean(queue_text(document['queue'], document['now']))}")
    click.echo(f"accounts     {_number(document['accounts'])}")
    for service in document["services"]:
        if error := service["last_error"]:
            click.echo(f"last error   {clean(service['service'])}: {clean(error_text(error))}")
    for warning in document["warnings"]:
        click.echo(f"warning      {clean(str(warning))}")


def _config_text(config: Document) -> str:
    if config["path"] is None:
        return "config: none, all is as built in"
    read = time.strftime("%Y-%m-%d %H:%M", time.localtime(config["read_at"]))
    return f"config {clean(str(config['path']))} (read {read})"


def _rows(document: Document) -> Iterator[tuple[str, ...]]:
    for service in document["services"]:
        where = "  ".join(
            "  ".join(listener["addresses"]) for listener in service["listeners"] if listener["addresses"]
        )
        yield (
            service["service"],
            service["state"],
            time_text(service["since"]),
            where or "-",
            _sessions_text(service),
            counters_text(service["counters"]),
        )
    yield "notifier", "running", "-", "-", "-", counters_text(document["notifier"])


def queue_text(queue: Document | None, now: float) -> str:
    """``6 messages, oldest 41 min (gmail.com: 421 4.7.28 rate limited)``."""
    if queue is None:
        return "unknown"
    oldest = queue["oldest"]
    if oldest is None:
        return "empty"
    number = queue["messages"]
    text = (
        f"{_number(number)} message{'' if number == 1 else 's'}, oldest {age_text(now - oldest['arrived'])}"
    )
    why = ": ".join(filter(None, (oldest["domain"], oldest["last"])))
    return f"{text} ({why})" if why else text


def notices_text(notices: Document) -> str:
    """``12 subscriptions, 1 of them suspended; webhook: 1 102 ok, 4 failed``."""
    states: dict[str, int] = notices["subscriptions"]
    total = sum(states.values())
    text = f"{_number(total)} subscription{'' if total == 1 else 's'}"
    odd = [f"{_number(count)} {state}" for state, count in states.items() if count and state != "active"]
    if odd:
        text += f", of them {', '.join(odd)}"
    told = [f"{channel}: {counters_text(counts)}" for channel, counts in sorted(notices["channels"].items())]
    return "; ".join([text, *told])


def _sessions_text(service: Document) -> str:
    sessions = _number(service["sessions"])
    return f"{sessions} of {_number(service['limit'])}" if service["limit"] else sessions


def error_text(error: Document) -> str:
    """When it was, and what."""
    return f"{time_text(error['at'])} {error['words']}"


def counters_text(counters: Document) -> str:
    """``1 204 accepted, 31 refused``; ``-`` where nothing happened yet."""
    happened = ((name.replace("_", " "), value) for name, value in counters.items() if value)
    return ", ".join(f"{_number(value)} {name}" for name, value in happened) or "-"


def _number(value: Any) -> str:
    """``9 880``: groups of three, as everywhere on this screen."""
    return f"{value:,}".replace(",", " ")


def duration_text(seconds: float) -> str:
    """``12 d 4 h``: the two largest units."""
    rest = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in _UNITS:
        number, rest = divmod(rest, size)
        if number or parts:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"
