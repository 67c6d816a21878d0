"""``mailsuite log``: what the running server logs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document, resource
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, note, print_json, print_table
from mailsuite.config.kinds import BadValue
from mailsuite.config.measures import Duration
from mailsuite.observe.protocol_log import MAX_WATCH_SECONDS

_COLUMNS: Final = ("WHO", "LEVEL", "UNTIL")
_LENGTH: Final = Duration(1.0, MAX_WATCH_SECONDS)


def _seconds(context: click.Context, parameter: click.Parameter, text: str) -> float:
    try:
        return _LENGTH.parse(text, Path())
    except BadValue as error:
        raise click.BadParameter(f"it is {_LENGTH.expects}") from error


@click.group("log")
def log_group() -> None:
    """What the running server logs."""


@log_group.command("protocol")
@click.argument("who", required=False)
@click.option(
    "--level",
    type=click.Choice(("commands", "raw")),
    default="commands",
    show_default=True,
    help="Commands and responses, or after the login all octets, messages too. Never a password.",
)
@click.option(
    "--for",
    "seconds",
    default="15m",
    show_default=True,
    metavar="DURATION",
    callback=_seconds,
    help="Then it ends by itself.",
)
@click.option("--off", is_flag=True, help="End it now.")
@click.option("--list", "only_list", is_flag=True, help="Show who is watched.")
@json_option
@quiet_option
@click.pass_obj
def protocol(
    context: Context,
    *,
    who: str | None,
    level: str,
    seconds: float,
    off: bool,
    only_list: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Log what WHO says by POP3, and what is answered, for a while.

    WHO is an account, or the IP address or network of a client. It holds for sessions that begin or log in
    from now on.
    """
    if only_list == (who is not None):
        raise click.UsageError("name WHO, or say --list")
    if who is None:
        _show_all(context, as_json, quiet)
        return
    if off:
        document = context.control.delete(resource("log", "protocol", who))
        words = f"{clean(document['who'])} is watched no more."
    else:
        wish = {"who": who, "level": level, "seconds": seconds}
        document = context.control.post(resource("log", "protocol"), wish)
        watch = document["watch"]
        words = f"Watching {clean(watch['who'])} ({clean(watch['level'])}) until {_time(watch['until'])}."
    if as_json:
        print_json(document)
    elif not quiet:
        click.echo(words)


def _show_all(context: Context, as_json: bool, quiet: bool) -> None:
    document = context.control.get(resource("log", "protocol"))
    watches: list[Document] = document["watches"]
    if as_json:
        print_json(document)
    elif quiet:
        for watch in watches:
            click.echo(clean(watch["who"]))
    elif not watches:
        note("Nobody is watched.")
    else:
        print_table(_COLUMNS, [(watch["who"], watch["level"], _time(watch["until"])) for watch in watches])


def _time(until: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(until))
